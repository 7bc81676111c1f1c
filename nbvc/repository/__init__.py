"""Everything that can be done with a store alone, without a local folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbvc.lazy import lazy_names

if TYPE_CHECKING:
    from nbvc.repository.acts import Act, Draft, Known
    from nbvc.repository.core import Repository
    from nbvc.repository.listing import Listed
    from nbvc.repository.publishing import Publication

__all__ = [
    "Act",
    "Draft",
    "Known",
    "Listed",
    "Publication",
    "Repository",
]

_HOMES = {
    "Act": "nbvc.repository.acts",
    "Draft": "nbvc.repository.acts",
    "Known": "nbvc.repository.acts",
    "Listed": "nbvc.repository.listing",
    "Publication": "nbvc.repository.publishing",
    "Repository": "nbvc.repository.core",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _HOMES)
