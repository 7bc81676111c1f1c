"""Packs and states that were forged by somebody who may write to the store: never wrong bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from nbvc.errors import NbvcError
from nbvc.manifest.layout import Layout
from nbvc.manifest.packs import MAX_PLAIN_FRAME_BYTES, compress, decompress, table_range
from nbvc.manifest.sealing import seal
from nbvc.manifest.states import MAX_PACKS, Pack
from nbvc.model import MAX_NUMBER, Area, Digest
from nbvc.repository.findings import Severity
from nbvc.repository.migration import migrate
from nbvc.repository.states import change_by, read_state
from nbvc.stores.base import Overwrite
from tests.repository.checks import run_check, run_repair
from tests.repository.packing import content, fill, forget, pack, unpack
from tests.repository.support import KEY, NOON, OTHER, act, open_repository, write_settings
from tests.stores.counting import CountingStore
from tests.stores.memory import MemoryStore

DATA_KEY = Layout().data_key(Area.WORKSPACE, KEY)
VERSIONS = 5
Document = dict[str, Any]


@pytest.fixture
def packed() -> MemoryStore:
    """Return a store with 5 versions, of which all but the newest are in one pack."""
    store = MemoryStore(now=lambda: NOON)
    write_settings(store)
    fill(open_repository(store), VERSIONS)
    pack(store)
    return store


def named(store: MemoryStore) -> Pack:
    """Return the pack that the state names."""
    state = read_state(open_repository(store).backend, Area.WORKSPACE, KEY)
    assert state is not None
    return state.packs[0]


def forge(store: MemoryStore, *packs: Pack) -> None:
    """Let a new state name *packs*."""
    backend = open_repository(store).backend
    change_by(backend, KEY, lambda state: replace(state, packs=packs), act(), "pack")


def put_forged(store: MemoryStore, edit: Callable[[Document, bytearray], object]) -> Pack:
    """Store a pack made of the true one, and return how a state would name it.

    Args:
        store: The store.
        edit: Changes the table, and the frames before it.
    """
    true = named(store)
    data = bytes(store.get(Layout().pack_key(Area.WORKSPACE, KEY, true.digest)).data)
    start, stop = table_range(true.size_bytes, true.table_bytes)
    document = json.loads(decompress(data[start:stop], 1_000_000, what="pack"))
    document.pop("check")
    frames = bytearray(data[:start])
    edit(document, frames)
    table = compress(seal(document))
    forged = bytes(frames) + table + struct.pack("<IIQ", 0x184D2A50, 8, len(table))
    pack = replace(true, digest=Digest.of(forged), size_bytes=len(forged), table_bytes=len(table))
    key = Layout().pack_key(Area.WORKSPACE, KEY, pack.digest)
    store.put(key, forged, mode=Overwrite(), metadata={}, content_type="application/zstd")
    return pack


def overlapping_frames(table: Document, frames: bytearray) -> None:
    """The same frame under several names, and a version in each."""
    table["frames"] = [table["frames"][0]] * VERSIONS
    for index, version in enumerate(table["versions"]):
        version["frame"] = index


def frames_within_frames(table: Document, frames: bytearray) -> None:
    """A frame that begins in the middle of another one."""
    offset, size, plain = table["frames"][0]
    table["frames"].append([offset + 3, size - 3, plain])
    table["versions"][0]["frame"] = 1


def bomb(table: Document, frames: bytearray) -> None:
    """A frame that says that it is short, and holds a hundred million bytes."""
    data = compress(bytes(100_000_000))
    table["frames"].append([len(frames), len(data), MAX_PLAIN_FRAME_BYTES])
    frames += data
    table["versions"][0].update(frame=1, start=0)


def swapped(table: Document, frames: bytearray) -> None:
    """Each version where its neighbour was."""
    first, second = table["versions"][:2]
    first["start"], second["start"] = second["start"], first["start"]


def forged_bytes(table: Document, frames: bytearray) -> None:
    """Other bytes, with their own digest and size, in place of v1."""
    data = b'{"cells": [], "metadata": {"forged": true}}'
    packed = compress(data)
    table["frames"].append([len(frames), len(packed), len(data)])
    frames += packed
    table["versions"][0].update(frame=1, start=0, size_bytes=len(data), digest=Digest.of(data))


def of_another_notebook(table: Document, frames: bytearray) -> None:
    """A pack that belongs elsewhere."""
    table["key"] = OTHER


def same_version_twice(table: Document, frames: bytearray) -> None:
    """Two entries for v1, of which the second one is at v2."""
    table["versions"].append({**table["versions"][1], "number": 1})


def another_ones_id(table: Document, frames: bytearray) -> None:
    """The bytes of v2 under the version ID of v1."""
    one, two = table["versions"][:2]
    one["version_id"], two["version_id"] = two["version_id"], one["version_id"]


def without_versions(table: Document, frames: bytearray) -> None:
    """The state says that it has all of them."""
    table["versions"] = []


TABLES = (
    overlapping_frames,
    frames_within_frames,
    bomb,
    swapped,
    forged_bytes,
    of_another_notebook,
    same_version_twice,
    another_ones_id,
    without_versions,
)
ENTRIES: dict[str, Callable[[Pack], Pack]] = {
    "longer": lambda pack: replace(pack, size_bytes=pack.size_bytes + 1),
    "shorter": lambda pack: replace(pack, size_bytes=pack.size_bytes - 1),
    "huge": lambda pack: replace(pack, size_bytes=2**50),
    "long table": lambda pack: replace(pack, table_bytes=pack.size_bytes),
    "short table": lambda pack: replace(pack, table_bytes=1),
    "only a table": lambda pack: replace(pack, is_plain=True),
    "more numbers": lambda pack: replace(pack, numbers=((1, MAX_NUMBER),)),
    "no numbers": lambda pack: replace(pack, numbers=()),
    "another digest": lambda pack: replace(pack, digest=Digest.of(b"?")),
}
COMMANDS: dict[str, Callable[[MemoryStore], object]] = {
    "pack": pack,
    "unpack": unpack,
    "forget": lambda store: forget(store, last=3),
    "repair": run_repair,
    "check": lambda store: run_check(store, read_data=True),
    "migrate": lambda store: migrate(open_repository(store), open_repository(target()), prefix=""),
}


def target() -> MemoryStore:
    """Return an empty store."""
    store = MemoryStore(url="file:///target", first_id=1_000)
    write_settings(store)
    return store


def lost(store: MemoryStore) -> list[int]:
    """Read what the log shows; return the numbers that are errors. Other bytes are none."""
    repository = open_repository(store)
    numbers = []
    for version in repository.log(KEY):
        assert version.number is not None
        try:
            assert repository.read(version) == content(version.number)
        except NbvcError:
            numbers.append(version.number)
    return numbers


def assert_harmless(store: MemoryStore) -> None:
    """Check that every command ends, by an error or not, gives no wrong bytes, and loses none."""
    damaged = lost(store)
    assert VERSIONS not in damaged
    findings, _ = run_check(store, read_data=True)
    assert not damaged or any(f.severity is Severity.ERROR for f in findings)
    for name, command in COMMANDS.items():
        other = store.clone()
        with suppress(NbvcError):
            command(other)
        assert set(lost(other)) <= set(damaged), name
        assert store.get(DATA_KEY).data == content(VERSIONS)


@pytest.mark.parametrize("edit", TABLES, ids=lambda edit: edit.__name__)
def test_a_forged_table_gives_no_wrong_bytes(
    packed: MemoryStore, edit: Callable[[Document, bytearray], object]
) -> None:
    """The digests of the records decide, whatever the table says."""
    forge(packed, put_forged(packed, edit))
    assert_harmless(packed)


@pytest.mark.parametrize("edit", ENTRIES.values(), ids=ENTRIES)
def test_a_forged_entry_of_a_state_gives_no_wrong_bytes(
    packed: MemoryStore, edit: Callable[[Pack], Pack]
) -> None:
    """It names the true pack, and says something untrue of it."""
    forge(packed, edit(named(packed)))
    assert_harmless(packed)


@pytest.mark.parametrize("is_first", [True, False])
def test_two_packs_for_the_same_versions_give_no_wrong_bytes(
    packed: MemoryStore, is_first: bool
) -> None:
    """One of them is forged, and holds other bytes for v1."""
    packs = [named(packed), put_forged(packed, forged_bytes)]
    forge(packed, *(packs if is_first else packs[::-1]))
    assert_harmless(packed)


def test_ten_thousand_packs_cost_a_request_each_and_no_more(packed: MemoryStore) -> None:
    """None of them is there. The log asks for none; one read asks for each once."""
    true = named(packed)
    stray = [
        replace(true, digest=Digest.of(b"%d" % number), numbers=((number + 10, number + 10),))
        for number in range(MAX_PACKS - 1)
    ]
    forge(packed, *stray, true)
    counting = CountingStore(packed)
    repository = open_repository(counting)
    versions = list(repository.log(KEY))
    assert len(counting.requests) < 20
    counting.requests.clear()
    assert repository.read(versions[-1]) == content(1)
    assert len(counting.requests) < MAX_PACKS + 20
    counting.requests.clear()
    assert [repository.read(version) for version in versions[1:]] == [
        content(number) for number in range(VERSIONS - 1, 0, -1)
    ]
    assert len(counting.requests) < 20
