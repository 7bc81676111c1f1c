"""nbvc: every save of a Jupyter notebook becomes an immutable version, in storage you own.

>>> import nbvc
>>> with nbvc.Workspace.open(".") as workspace:  # doctest: +SKIP
...     workspace.save("mine.ipynb", message="first results")
...     for version in workspace.log("mine.ipynb", limit=5):
...         print(version.name, version.saved_at, version.message)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbvc.lazy import lazy_names

__version__ = "0.1.0"

__all__ = [
    "Area",
    "Changes",
    "Digest",
    "Environment",
    "NbvcError",
    "NotebookKey",
    "Record",
    "Repository",
    "SaveResult",
    "Version",
    "VersionId",
    "Workspace",
    "__version__",
]

if TYPE_CHECKING:
    from nbvc.environment import Environment
    from nbvc.errors import NbvcError
    from nbvc.model import Area, Changes, Digest, NotebookKey, Record, Version, VersionId
    from nbvc.repository import Repository
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.results import SaveResult

_HOMES = {
    "Area": "nbvc.model",
    "Changes": "nbvc.model",
    "Digest": "nbvc.model",
    "Environment": "nbvc.environment",
    "NbvcError": "nbvc.errors",
    "NotebookKey": "nbvc.model",
    "Record": "nbvc.model",
    "Repository": "nbvc.repository",
    "SaveResult": "nbvc.workspace.results",
    "Version": "nbvc.model",
    "VersionId": "nbvc.model",
    "Workspace": "nbvc.workspace.core",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
