"""The outline of a notebook: one short line of hashes for each cell.

It is small enough to keep beside a working copy, and says what changed without the old bytes.
"""

from __future__ import annotations

import hashlib
import json
from itertools import chain
from typing import TYPE_CHECKING, Self

from nbvc.model import Data
from nbvc.notebook.reading import DEFAULT_NAME, read_cells
from nbvc.values import dataclass

if TYPE_CHECKING:
    from msgspec import Raw

    from nbvc.notebook import wire

_FORMAT = 1
_HASH_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutline:
    """What is remembered of a cell. The hashes are 16 hexadecimal digits.

    Attributes:
        id: The cell's id, where it has one.
        cell_type: ``code``, ``markdown``, ``raw`` or ``heading``, as the notebook says.
        source_hash: Of type, source and attachments; text and list of lines are the same.
        outputs_hash: Of outputs and execution count.
        metadata_hash: Of the cell's metadata.
    """

    id: str | None
    cell_type: str
    source_hash: str
    outputs_hash: str
    metadata_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What is remembered of a notebook.

    Attributes:
        nbformat: Major version of the file's format.
        nbformat_minor: Minor version, 0 where the file does not say.
        language: Programming language, where the file says.
        cells: One entry a cell, in order.
    """

    nbformat: int
    nbformat_minor: int
    language: str | None
    cells: tuple[CellOutline, ...]

    def to_bytes(self) -> bytes:
        """Return the outline as compact JSON, about 100 bytes a cell."""
        rows = [
            [cell.id, cell.cell_type, cell.source_hash, cell.outputs_hash, cell.metadata_hash]
            for cell in self.cells
        ]
        fields = [_FORMAT, self.nbformat, self.nbformat_minor, self.language, rows]
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote.

        Raises:
            ValueError: *data* is damaged, or was written by a release with another format.
        """
        try:
            version, nbformat, minor, language, rows = json.loads(data)
            if version != _FORMAT:
                raise ValueError(f"unknown format {version!r} of a notebook outline")
            return cls(
                nbformat=nbformat,
                nbformat_minor=minor,
                language=language,
                cells=tuple(_cell_from_row(row) for row in rows),
            )
        except (TypeError, RecursionError) as error:
            raise ValueError("not a notebook outline") from error


def _cell_from_row(row: object) -> CellOutline:
    if not isinstance(row, list):
        raise TypeError
    cell_id, cell_type, source, outputs, metadata = row
    if not all(isinstance(value, str) for value in (cell_type, source, outputs, metadata)):
        raise TypeError
    return CellOutline(
        id=cell_id,
        cell_type=cell_type,
        source_hash=source,
        outputs_hash=outputs,
        metadata_hash=metadata,
    )


def read_outline(data: Data, *, name: str = DEFAULT_NAME) -> Outline:
    """Return the outline of a notebook of format 2, 3 or 4.

    Reads *data* once and copies no large part of it.

    Args:
        data: The bytes of the notebook.
        name: What to call it in an error.

    Raises:
        InvalidNotebook: *data* is empty, not UTF-8, not JSON, nested too deeply, or no notebook.
    """
    return outline_of(read_cells(data, name=name))


def outline_of(notebook: wire.Notebook) -> Outline:
    """Return the outline of a notebook whose cells have been found."""
    from nbvc.notebook import wire

    minor = wire.short_value(notebook.nbformat_minor)
    cells = notebook.cells or []
    return Outline(
        nbformat=notebook.nbformat,
        nbformat_minor=minor if isinstance(minor, int) else 0,
        language=_language(notebook.metadata, cells),
        cells=tuple(_outline_cell(cell, notebook.nbformat) for cell in cells),
    )


def _outline_cell(cell: wire.Cell, nbformat: int) -> CellOutline:
    from nbvc.notebook import wire

    cell_id = wire.short_value(cell.id)
    cell_type = wire.short_value(cell.cell_type)
    kind = cell_type if isinstance(cell_type, str) else "unknown"
    text = wire.source_text(cell, nbformat=nbformat)
    return CellOutline(
        id=cell_id if isinstance(cell_id, str) else None,
        cell_type=kind,
        source_hash=_hash(
            kind.encode(),
            memoryview(wire.source_of(cell)) if text is None else text.encode(),
            wire.normalised(cell.attachments),
            wire.normalised(cell.level),
        ),
        outputs_hash=_hash(
            wire.normalised(cell.outputs),
            wire.normalised(cell.execution_count),
            wire.normalised(cell.prompt_number),
        ),
        metadata_hash=_hash(wire.normalised(cell.metadata)),
    )


def _hash(*parts: bytes | memoryview) -> str:
    digest = hashlib.blake2b(digest_size=_HASH_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _language(metadata: Raw, cells: list[wire.Cell]) -> str | None:
    from nbvc.notebook import wire

    value = None
    if len(memoryview(metadata)) <= wire.MAX_NORMALISED_BYTES:
        value = wire.value_of(metadata)
    candidates = chain(
        (_member(value, "language_info", "name"), _member(value, "kernelspec", "language")),
        (wire.short_value(cell.language) for cell in cells),
    )
    return next((found for found in candidates if isinstance(found, str)), None)


def _member(value: object, *keys: str) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
