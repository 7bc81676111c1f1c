"""Another version that a record or a run names, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbvc.manifest.members import number, text, version_id
from nbvc.model import Area, NotebookKey, Source


def source_to_document(source: Source) -> dict[str, Any]:
    """Return *source* as plain values."""
    return {
        "area": source.area.value,
        "key": source.key,
        "number": source.number,
        "version_id": source.version_id,
    }


def source_from_document(document: Mapping[str, Any]) -> Source:
    """Return the source that :func:`source_to_document` described.

    Raises one of ``MALFORMED`` where *document* does not describe one.
    """
    known = document["number"]
    return Source(
        area=Area(document["area"]),
        key=NotebookKey(text(document["key"])),
        number=None if known is None else number(known),
        version_id=version_id(document["version_id"]),
    )
