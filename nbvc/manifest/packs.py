"""Packs: many versions of one notebook in one object, compressed together.

A pack is a file that ``zstd -d`` reads: frames that hold the bytes of versions one after another,
then a frame with the table that says what lies where, last a skippable frame of 16 bytes with the
length of that table. So a pack can be read without the state that names it (see docs/format.md).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from nbvc.errors import IntegrityError
from nbvc.manifest.members import integer, malformed, number, text, version_id
from nbvc.manifest.runs import runs_of
from nbvc.manifest.sealing import (
    FORMAT_WITH_PACKS,
    MALFORMED,
    format_time,
    parse_time,
    seal,
    unseal,
)
from nbvc.manifest.states import Pack
from nbvc.model import Area, Data, Digest, NotebookKey, VersionId, WriteId
from nbvc.values import dataclass

MIB = 1024 * 1024
MAX_PLAIN_FRAME_BYTES = 64 * MIB
"""Of a frame, unpacked: what a reader must be ready for."""

FULL_FRAME_BYTES = 48 * MIB
"""Of a frame, unpacked, as they are made here: what is unpacked in less than 50 ms."""

MAX_FRAME_BYTES = 16 * MIB
"""Of a frame as it is stored: what reading any version costs at most."""

MAX_VERSION_BYTES = 32 * MIB
"""A larger version stays plain: hashing alone would take longer than unpacking may."""

MAX_PACK_BYTES = 64 * MIB
"""From here on a pack is full, so that one can be held in memory."""

MAX_PACKED_VERSIONS = 2_048
"""In one pack, so that its table is read in milliseconds."""

TRAILER_BYTES = 16
_LEVEL = 10
_SKIPPABLE = 0x184D2A50
"""The first of the magic numbers of skippable frames (RFC 8878, section 3.1.2)."""
_TRAILER = struct.Struct("<IIQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One version in a pack, with all that the store's listing and its object said of it.

    Attributes:
        number: Its number.
        digest: SHA-256 of its bytes.
        version_id: The version ID by which its record names it.
        size_bytes: Its length.
        modified_at: When the store got it, by its clock.
        etag: Its ETag there.
        metadata: Its user metadata, from which its record can be made again.
        frame: Index of the frame that holds it.
        start: Where its bytes begin in that frame, unpacked.
        plain_as: The version ID under which it is plain again, in a pack that is only a table.
    """

    number: int
    digest: Digest
    version_id: VersionId
    size_bytes: int
    modified_at: datetime
    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    frame: int = 0
    start: int = 0
    plain_as: VersionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A part of a pack that is unpacked by itself.

    Attributes:
        offset: Where it begins in the pack.
        size_bytes: Its length there.
        plain_bytes: Its length, unpacked.
    """

    offset: int
    size_bytes: int
    plain_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What lies where in a pack.

    Attributes:
        area: The area of the notebook.
        key: The notebook.
        frames: In order.
        versions: By number, lowest first.
    """

    area: Area
    key: NotebookKey
    frames: tuple[Frame, ...]
    versions: tuple[Packed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFile:
    """A pack as it is to be stored.

    Attributes:
        pack: How a state names it.
        table: What lies where.
        data: Its bytes.
    """

    pack: Pack
    table: Table
    data: bytes = field(repr=False)


Loaded = tuple[Packed, Data]
"""A version and its bytes; where it will lie is not yet known."""


class Packer:
    """Puts versions of one notebook into packs. The same versions make the same bytes in one act.

    Holds one frame unpacked and one pack at a time, whatever the number of versions.

    Args:
        area: The area of the notebook.
        key: The notebook.
        write_id: Of the act: no other one makes packs of the same name.
    """

    def __init__(self, area: Area, key: NotebookKey, write_id: WriteId) -> None:
        self._area, self._key = area, key
        self._write_id = write_id

    def pack(self, versions: Iterable[Loaded]) -> Iterator[PackFile]:
        """Yield packs that hold *versions*, which come lowest first.

        Left out is what cannot be made small enough to be read at the promised cost.
        """
        body = bytearray()
        frames: list[Frame] = []
        placed: list[Packed] = []
        for compressed, plain_bytes, members in self._frames(versions):
            full = len(body) + len(compressed) > MAX_PACK_BYTES
            if placed and (full or len(placed) + len(members) > MAX_PACKED_VERSIONS):
                yield self._file(body, frames, placed)
                body, frames, placed = bytearray(), [], []
            placed += _placed(members, frame=len(frames))
            frames.append(
                Frame(offset=len(body), size_bytes=len(compressed), plain_bytes=plain_bytes)
            )
            body += compressed
        if placed:
            yield self._file(body, frames, placed)

    def table_of(self, versions: Iterable[Packed]) -> PackFile:
        """Return what tells under which version IDs *versions* are plain again."""
        return self._file(b"", [], sorted(versions, key=lambda version: version.number))

    def _frames(self, versions: Iterable[Loaded]) -> Iterator[tuple[bytes, int, list[Packed]]]:
        waiting: list[Loaded] = []
        plain_bytes = 0
        for version in versions:
            size = len(version[1])
            if size > MAX_VERSION_BYTES:
                continue
            full = plain_bytes + size > FULL_FRAME_BYTES
            if waiting and (full or len(waiting) == MAX_PACKED_VERSIONS):
                yield from self._compressed(waiting)
                waiting, plain_bytes = [], 0
            waiting.append(version)
            plain_bytes += size
        yield from self._compressed(waiting)

    def _compressed(self, versions: Sequence[Loaded]) -> Iterator[tuple[bytes, int, list[Packed]]]:
        """Yield *versions* as one frame, or as several where that would be too large to read."""
        if not versions:
            return
        compressed = compress(*(data for _, data in versions))
        if len(compressed) <= MAX_FRAME_BYTES:
            plain_bytes = sum(len(data) for _, data in versions)
            yield compressed, plain_bytes, [packed for packed, _ in versions]
        elif len(versions) > 1:
            middle = len(versions) // 2
            yield from self._compressed(versions[:middle])
            yield from self._compressed(versions[middle:])

    def _file(
        self, body: bytes | bytearray, frames: list[Frame], versions: list[Packed]
    ) -> PackFile:
        table = Table(
            area=self._area, key=self._key, frames=tuple(frames), versions=tuple(versions)
        )
        encoded = compress(_encode(table, self._write_id))
        data = b"".join((body, encoded, _TRAILER.pack(_SKIPPABLE, 8, len(encoded))))
        pack = Pack(
            digest=Digest.of(data),
            size_bytes=len(data),
            table_bytes=len(encoded),
            numbers=runs_of(version.number for version in versions),
            is_plain=not frames,
        )
        return PackFile(pack=pack, table=table, data=data)


def compress(*plain: Data) -> bytes:
    """Return the parts of *plain* as one frame, with matches over all of its length."""
    import zstandard

    size = sum(map(len, plain))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, source_size=size, window_log=26, enable_ldm=True
    )
    packing = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size)
    return b"".join([*map(packing.compress, plain), packing.flush()])


def decompress(data: bytes, limit_bytes: int, *, what: str) -> bytes:
    """Return what is in the frame *data*, at most *limit_bytes*.

    Raises:
        IntegrityError: It is no such frame, or says that it holds more.
    """
    import zstandard

    try:
        if zstandard.frame_content_size(data) > limit_bytes:
            raise IntegrityError(f"The {what} holds more than it may.")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit_bytes)
    except (zstandard.ZstdError, MemoryError) as error:
        raise IntegrityError(f"The {what} is damaged: it cannot be unpacked.") from error


def table_range(size_bytes: int, table_bytes: int) -> tuple[int, int]:
    """Return where the table of a pack begins and ends."""
    stop = size_bytes - TRAILER_BYTES
    return stop - table_bytes, stop


def read_trailer(data: bytes, size_bytes: int, *, what: str) -> int:
    """Return the length of the table, as the last bytes of a pack tell it.

    Args:
        data: Those bytes.
        size_bytes: Length of the pack.
        what: How to name the pack in an error.

    Raises:
        IntegrityError: They are not the end of a pack.
    """
    if len(data) == TRAILER_BYTES:
        magic, size, table_bytes = _TRAILER.unpack(data)
        if (magic, size) == (_SKIPPABLE, 8) and 0 < table_bytes <= size_bytes - TRAILER_BYTES:
            return int(table_bytes)
    raise IntegrityError(f"The {what} does not end as a pack does.")


def decode_table(data: bytes, *, what: str, size_bytes: int) -> Table:
    """Return the table in *data*, its frame in a pack.

    Args:
        data: Its bytes.
        what: How to name the pack in an error, as in "pack 3f9a1c2 of mine.ipynb".
        size_bytes: Length of the pack.

    Raises:
        IntegrityError: It is damaged, or not such a table.
        StoreMisconfigured: A newer release of nbvc wrote it.
    """
    plain = decompress(data, _MAX_TABLE_BYTES, what=what)
    document = unseal(plain, what=what, newest=FORMAT_WITH_PACKS)
    try:
        frames = tuple(_frame(value, size_bytes) for value in document["frames"])
        versions = tuple(_packed(value, frames) for value in document["versions"])
        if len(versions) > MAX_PACKED_VERSIONS:
            raise ValueError(f"more than {MAX_PACKED_VERSIONS} versions")
        return Table(
            area=Area(document["area"]),
            key=NotebookKey(text(document["key"])),
            frames=frames,
            versions=versions,
        )
    except MALFORMED as error:
        raise malformed(what, "pack", error) from error


_MAX_TABLE_BYTES = MAX_PACKED_VERSIONS * 8 * 1024
"""A version has at most 2 KB of metadata, an ID of 1 KB and an ETag; JSON may double them."""


def _placed(members: Sequence[Packed], *, frame: int) -> Iterator[Packed]:
    start = 0
    for packed in members:
        yield replace(packed, frame=frame, start=start)
        start += packed.size_bytes


def _encode(table: Table, write_id: WriteId) -> bytes:
    return seal(
        {
            "format": FORMAT_WITH_PACKS,
            "area": table.area.value,
            "key": table.key,
            "write_id": write_id,
            "frames": [[f.offset, f.size_bytes, f.plain_bytes] for f in table.frames],
            "versions": [_document(version) for version in table.versions],
        }
    )


def _document(packed: Packed) -> dict[str, Any]:
    document: dict[str, Any] = {
        "number": packed.number,
        "digest": packed.digest,
        "version_id": packed.version_id,
        "size_bytes": packed.size_bytes,
        "modified_at": format_time(packed.modified_at),
        "etag": packed.etag,
        "metadata": dict(packed.metadata),
    }
    if packed.plain_as is None:
        document.update(frame=packed.frame, start=packed.start)
    else:
        document["plain_as"] = packed.plain_as
    return document


def _frame(value: Sequence[object], pack_bytes: int) -> Frame:
    offset, size_bytes, plain_bytes = value
    start = integer(offset, 0, pack_bytes)
    return Frame(
        offset=start,
        size_bytes=integer(size_bytes, 1, min(MAX_FRAME_BYTES, pack_bytes - start)),
        plain_bytes=integer(plain_bytes, 0, MAX_PLAIN_FRAME_BYTES),
    )


def _packed(value: Mapping[str, Any], frames: Sequence[Frame]) -> Packed:
    size_bytes = integer(value["size_bytes"])
    frame = start = 0
    plain_as = value.get("plain_as")
    if plain_as is None:
        frame = integer(value["frame"], 0, len(frames) - 1)
        start = integer(value["start"], 0, frames[frame].plain_bytes - size_bytes)
    return Packed(
        number=number(value["number"]),
        digest=Digest(text(value["digest"])),
        version_id=version_id(value["version_id"]),
        size_bytes=size_bytes,
        modified_at=parse_time(value["modified_at"]),
        etag=text(value["etag"]),
        metadata={text(name): text(said) for name, said in value["metadata"].items()},
        frame=frame,
        start=start,
        plain_as=None if plain_as is None else version_id(plain_as),
    )
