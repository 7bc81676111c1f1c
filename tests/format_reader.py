"""A second reader of the store format, written from docs/format.md alone: no code of nbvc."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import zstandard

Document = dict[str, Any]


class Broken(Exception):
    """The store does not keep the format."""


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object, or a delete marker (then without data)."""

    version_id: str
    data: bytes | None
    metadata: Mapping[str, str] = field(default_factory=dict)


Bucket = Mapping[str, Sequence[ObjectVersion]]
"""Each key with its versions, oldest first."""


def canonical(document: Document) -> bytes:
    """Return canonical JSON."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def sha256(data: bytes) -> str:
    """Return the digest in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def need(condition: object, what: str) -> None:
    """Stop unless the store keeps the rule."""
    if not condition:
        raise Broken(what)


def unseal(data: bytes) -> Document:
    """Return a sealed document without its seal."""
    body, seal = data[:-76] + b"}", data[-76:]
    need(seal == b',"check":"' + sha256(body).encode() + b'"}', "the seal does not fit")
    document: Document = json.loads(body)
    need(canonical(document) == body, "a document is not canonical")
    newer = document.keys() & {"packs", "forgotten", "frames"}
    need(document["format"] == (2 if newer else 1), "another format")
    return document


def sequence(bucket: Bucket, prefix: str) -> dict[int, Document]:
    """Return the entries of a sequence by number: the oldest version of each key."""
    entries: dict[int, Document] = {}
    for key in bucket:
        digits = key.removeprefix(prefix).removesuffix(".json")
        if key == f"{prefix}{digits}.json" and len(digits) == 10 and digits.isdigit():
            number = 9_999_999_999 - int(digits)
            data = next(v.data for v in bucket[key] if v.data is not None)
            entries[number] = unseal(data)
            entries[number]["bytes"] = data
            need(entries[number]["number"] == number, f"{key} says another number")
    return entries


def record_of(document: Document) -> Document:
    """Return the record alone, as it is hashed."""
    return {k: v for k, v in document.items() if k not in {"format", "first", "recent", "bytes"}}


def copies(number: int, first: int) -> int:
    """Return how many earlier records the file of *number* carries."""
    stride = 4096 if number % 4096 == 0 else 256 if number % 256 == 0 else 16
    return min(stride - 1, number - first)


def names_of(record: Document) -> set[str | None]:
    """Return the hashes by which the next record may name this one."""
    rebuilt = {record["stands_for"]} if "stands_for" in record else set()
    return {sha256(canonical(record)), *rebuilt}


def read_state(bucket: Bucket, area: str, key: str) -> Document | None:
    """Return the newest state, after a check of all of them."""
    states = sequence(bucket, f".nbvc/{area}/{key}/s/")
    for number, state in states.items():
        before = states[number - 1]["bytes"] if number > 1 else None
        need(state["prev"] == (sha256(before) if before else None), "states are not a chain")
    return states[max(states)] if states else None


def read_versions(bucket: Bucket, area: str, key: str) -> list[Document]:
    """Return the records of a notebook through all its names, from v1 on, all rules checked.

    Numbers that a state calls gone need no bytes; those that it calls forgotten are left out, and
    of those that another notebook has too, all that have no tag here.
    """
    state = read_state(bucket, area, key)
    gone = state.get("gone", []) if state else []
    forgotten: set[int] = set()
    segments = [dict(segment) for segment in (state["segments"] if state else [])]
    begin = segments[-1]["last"] + 1 if segments else 1
    own = sequence(bucket, f".nbvc/{area}/{key}/v/")
    segments.append({"key": key, "first": begin, "last": max(own, default=begin - 1)})
    found: list[Document] = []
    for segment in segments:
        files = sequence(bucket, f".nbvc/{area}/{segment['key']}/v/")
        for number in range(segment["first"], segment["last"] + 1):
            need(number in files, f"v{number} is missing")
            file = files[number]
            need(file["first"] == segment["first"], f"v{number} begins elsewhere")
            record = record_of(file)
            need(number == len(found) + 1, "numbers have a gap")
            expected = names_of(found[-1]) if found else {None}
            need(record["prev"] in expected, f"the chain breaks at v{number}")
            count = copies(number, segment["first"])
            need(file["recent"] == found[::-1][:count], f"copies in v{number}")
            need(len(file["recent"]) == count, f"the number of copies in v{number}")
            found.append(record)
            home = read_state(bucket, area, segment["key"]) or {}
            let_go = [*(state or {}).get("forgotten", []), *home.get("forgotten", [])]
            if within(number, let_go):
                forgotten.add(number)
            elif not within(number, gone):
                check_bytes(bucket, area, segment["key"], record, home)
    others = state.get("shared", []) if state else []
    tagged = state["tags"].values() if state else ()
    return [
        record
        for record in found
        if record["number"] not in forgotten
        and (record["number"] in tagged or not within(record["number"], others))
    ]


def within(number: int, runs: Sequence[Sequence[int]]) -> bool:
    """Return whether a number is in one of the runs."""
    return any(low <= number <= high for low, high in runs)


def read_table(bucket: Bucket, area: str, key: str, pack: Document) -> tuple[bytes, Document]:
    """Return the bytes of a pack and its table, all rules of a pack checked."""
    data = bucket[f".nbvc/{area}/{key}/p/{pack['digest'][:15]}"][0].data or b""
    need(sha256(data) == pack["digest"], "digest of a pack")
    need(len(data) == pack["size_bytes"], "size of a pack")
    magic, size, table_bytes = struct.unpack("<IIQ", data[-16:])
    need((magic, size, table_bytes) == (0x184D2A50, 8, pack["table_bytes"]), "end of a pack")
    table = unseal(zstandard.decompress(data[-16 - table_bytes : -16]))
    need((table["area"], table["key"]) == (area, key), "a pack of another notebook")
    need(bool(table["frames"]) != pack["is_plain"], "frames")
    return data, table


def find_packed(
    bucket: Bucket, area: str, key: str, record: Document, state: Document
) -> ObjectVersion | None:
    """Return the version of a record as the pack has it that the state names for its number."""
    named = [p for p in state.get("packs", []) if within(record["number"], p["numbers"])]
    need(len(named) <= 1, "two packs for one version")
    if not named:
        return None
    data, table = read_table(bucket, area, key, named[0])
    (entry,) = (each for each in table["versions"] if each["number"] == record["number"])
    need(entry["version_id"] == record["version_id"], "version_id in a pack")
    need(entry["digest"] == record["digest"], "digest in a pack")
    if named[0]["is_plain"]:
        there = {v.version_id: v for v in bucket[f"{area}/{key}"]}[entry["plain_as"]]
        need(there.metadata["nbvc-number"] == str(record["number"]), "nbvc-number")
        return there
    offset, size, plain_bytes = table["frames"][entry["frame"]]
    plain = zstandard.decompress(data[offset : offset + size])
    need(len(plain) == plain_bytes, "length of a frame")
    part = plain[entry["start"] : entry["start"] + entry["size_bytes"]]
    return ObjectVersion(entry["version_id"], part, entry["metadata"])


def check_bytes(bucket: Bucket, area: str, key: str, record: Document, state: Document) -> None:
    """Check that the bytes and the metadata of a version fit its record, plain or packed."""
    versions = {v.version_id: v for v in bucket[f"{area}/{key}"]}
    version = versions.get(record["version_id"])
    if version is None:
        version = find_packed(bucket, area, key, record, state)
    if version is None or version.data is None:
        raise Broken(f"v{record['number']} names no stored version")
    need(sha256(version.data) == record["digest"], f"bytes of v{record['number']}")
    need(len(version.data) == record["size_bytes"], f"size of v{record['number']}")
    metadata = version.metadata
    if "nbvc-digest" not in metadata:
        return  # written by another tool, and adopted
    need(metadata["nbvc-digest"] == record["digest"], "nbvc-digest")
    need(metadata["nbvc-write-id"] == record["write_id"], "nbvc-write-id")
    need(metadata["nbvc-saved-at"] == record["saved_at"], "nbvc-saved-at")
    need(unquote(metadata.get("nbvc-author", "")) == record["author"], "nbvc-author")
    message = unquote(metadata.get("nbvc-message", ""))
    cut = message.removesuffix("...")
    need(message == record["message"] or record["message"].startswith(cut), "nbvc-message")
    source = record.get("source")
    is_copy = area == "workspace" and record["number"] == 1  # which its object does not say
    if source is not None and not is_copy:
        need(metadata["nbvc-source-version-id"] == source["version_id"], "nbvc-source-version-id")


def published_now(bucket: Bucket, key: str) -> str | None:
    """Return the version ID of the draft that is published now."""
    versions = bucket.get(f"published/{key}", [])
    if not versions or versions[-1].data is None:
        return None
    return versions[-1].metadata.get("nbvc-source-version-id")
