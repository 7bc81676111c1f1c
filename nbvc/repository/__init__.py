"""Everything that can be done with a store alone, without a local folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbvc.lazy import lazy_names

if TYPE_CHECKING:
    from nbvc.repository.core import Repository
    from nbvc.repository.listing import Listed
    from nbvc.repository.publishing import Publication
    from nbvc.repository.saving import Act, Draft, Known

__all__ = [
    "Act",
    "Draft",
    "Known",
    "Listed",
    "Publication",
    "Repository",
]

_HOMES = {
    "Act": "nbvc.repository.saving",
    "Draft": "nbvc.repository.saving",
    "Known": "nbvc.repository.saving",
    "Listed": "nbvc.repository.listing",
    "Publication": "nbvc.repository.publishing",
    "Repository": "nbvc.repository.core",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _HOMES)
