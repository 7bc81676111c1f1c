"""Packs as bytes: what is in them comes out, they are small, and forged ones do no harm."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import zstandard

from nbvc.errors import IntegrityError
from nbvc.manifest import packs
from nbvc.manifest.packs import (
    TRAILER_BYTES,
    Packed,
    Packer,
    PackFile,
    compress,
    decode_table,
    decompress,
    read_trailer,
    table_range,
)
from nbvc.manifest.sealing import seal
from nbvc.model import Area, Digest, NotebookKey, VersionId, WriteId

KEY = NotebookKey("kylek/mine.ipynb")
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
WRITE_ID = WriteId("an-act")


def loaded(number: int, data: bytes) -> tuple[Packed, bytes]:
    """Return a version as the packer takes it."""
    packed = Packed(
        number=number,
        digest=Digest.of(data),
        version_id=VersionId(f"id-{number}"),
        size_bytes=len(data),
        modified_at=NOON,
        etag=f'"{number}"',
        metadata={"nbvc-message": "what % it was"},
    )
    return packed, data


def pack(*contents: bytes, write_id: WriteId = WRITE_ID) -> list[PackFile]:
    """Pack contents under the numbers 1, 2, ..."""
    numbered = (loaded(number, data) for number, data in enumerate(contents, start=1))
    return list(Packer(Area.WORKSPACE, KEY, write_id).pack(numbered))


def versions_in(file: PackFile) -> dict[int, bytes]:
    """Return what is in a pack, read as a reader does that has nothing but its bytes."""
    data = file.data
    table_bytes = read_trailer(data[-TRAILER_BYTES:], len(data), what="pack")
    start, stop = table_range(len(data), table_bytes)
    table = decode_table(data[start:stop], what="pack", size_bytes=len(data))
    found = {}
    for packed in table.versions:
        frame = table.frames[packed.frame]
        stored = data[frame.offset : frame.offset + frame.size_bytes]
        plain = decompress(stored, frame.plain_bytes, what="pack")
        found[packed.number] = plain[packed.start : packed.start + packed.size_bytes]
    return found


def test_what_was_packed_comes_out_byte_for_byte() -> None:
    """Empty ones too, with all that the store said of each."""
    contents = (b"", b"one", b"", b"two" * 1000, bytes(range(256)))
    (file,) = pack(*contents)
    assert versions_in(file) == dict(enumerate(contents, start=1))
    start, stop = table_range(file.pack.size_bytes, file.pack.table_bytes)
    table = decode_table(file.data[start:stop], what="pack", size_bytes=len(file.data))
    assert table == file.table
    assert table.versions[1].metadata == {"nbvc-message": "what % it was"}
    assert file.pack.numbers == ((1, 5),)


def test_the_same_versions_make_the_same_pack_in_one_act_and_another_in_the_next() -> None:
    """A write that is repeated is the same object; no act takes over what another one has left."""
    assert pack(b"one", b"two")[0].pack == pack(b"one", b"two")[0].pack
    assert pack(b"one", b"two")[0].pack != pack(b"one", b"twO")[0].pack
    assert pack(b"one", b"two")[0].pack != pack(b"one", b"two", write_id=WriteId("next"))[0].pack


def test_zstd_itself_reads_a_pack() -> None:
    """Who has lost nbvc has the bytes all the same: ``zstd -d`` gives them one after another."""
    (file,) = pack(b"one\n", b"two\n")
    with zstandard.ZstdDecompressor().stream_reader(file.data, read_across_frames=True) as reader:
        plain = reader.read()
    assert plain.startswith(b"one\ntwo\n{")


def test_versions_that_resemble_each_other_take_little_more_than_one() -> None:
    """The point of it: matches reach over the whole frame, not only over what is near."""
    draw = random.Random(7)
    body = draw.randbytes(3_000_000)
    (file,) = pack(*(body + b"%d" % number for number in range(8)))
    assert file.pack.size_bytes < 1.05 * len(body)


def test_frames_and_packs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each limit in turn: plain bytes of a frame, packed bytes of a frame, of a pack, versions."""
    monkeypatch.setattr(packs, "FULL_FRAME_BYTES", 1_000)
    monkeypatch.setattr(packs, "MAX_FRAME_BYTES", 400)
    monkeypatch.setattr(packs, "MAX_PACK_BYTES", 900)
    monkeypatch.setattr(packs, "MAX_VERSION_BYTES", 600)
    monkeypatch.setattr(packs, "MAX_PACKED_VERSIONS", 7)
    draw = random.Random(3)
    contents = [draw.randbytes(draw.randrange(500)) for _ in range(40)]
    contents += [b"x" * draw.randrange(700) for _ in range(40)]
    files = pack(*contents)
    found = {number: data for file in files for number, data in versions_in(file).items()}
    for number, data in enumerate(contents, start=1):
        small = len(data) <= 600 and (len(compress(data)) <= 400)
        assert (number in found) == small, f"{number}: {len(data)} bytes"
        assert found.get(number, data) == data
    for file in files:
        assert len(file.table.versions) <= 7
        assert sum(frame.size_bytes for frame in file.table.frames) <= 900
        for frame in file.table.frames:
            assert (frame.plain_bytes <= 1_000, frame.size_bytes <= 400) == (True, True)


def test_a_table_alone_says_where_versions_are_plain() -> None:
    """It has no frames; each version has the ID under which it is to be found."""
    packed = replace(loaded(3, b"three")[0], plain_as=VersionId("new"))
    file = Packer(Area.WORKSPACE, KEY, WRITE_ID).table_of([packed])
    assert (file.pack.is_plain, file.table.frames) == (True, ())
    start, stop = table_range(file.pack.size_bytes, file.pack.table_bytes)
    table = decode_table(file.data[start:stop], what="pack", size_bytes=len(file.data))
    assert table.versions == (packed,)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """A frame that says it holds more than it may, and one that lies about it."""
    bomb = compress(bytes(10_000_000))
    assert len(bomb) < 2_000
    with pytest.raises(IntegrityError, match="holds more"):
        decompress(bomb, 1_000, what="pack")
    unsaid = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(10_000_000))
    with pytest.raises(IntegrityError):
        decompress(unsaid, 1_000, what="pack")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("frame", 1),
        ("frame", -1),
        ("start", 10_000),
        ("start", -1),
        ("size_bytes", 10_000),
        ("size_bytes", -1),
        ("number", 0),
        ("version_id", "a\nb"),
        ("digest", "short"),
        ("modified_at", "yesterday"),
        ("metadata", None),
    ],
)
def test_a_table_that_points_out_of_its_pack_is_refused(member: str, value: object) -> None:
    """Whoever may write to a store can seal what they like."""
    (file,) = pack(b"one", b"two")
    start, stop = table_range(file.pack.size_bytes, file.pack.table_bytes)
    document = json.loads(decompress(file.data[start:stop], 1_000_000, what="pack"))
    document.pop("check")
    document["versions"][0][member] = value
    with pytest.raises(IntegrityError, match="not a pack"):
        decode_table(compress(seal(document)), what="pack", size_bytes=len(file.data))
