"""Which store a user has agreed to send the notebooks of a folder to.

A folder can come from a stranger, with a configuration that names the stranger's bucket. Whoever
types ``nbvc save`` there wants to. An editor saves without being told to, so it must know: ``init``
and ``clone`` leave a note that only the user's own key makes (:mod:`nbvc.workspace.owning`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbvc.errors import NbvcError
from nbvc.manifest.sealing import FORMAT, seal, unseal
from nbvc.workspace.files import write_file
from nbvc.workspace.owning import Owner
from nbvc.workspace.settings import CONTROL_FOLDER, EMBEDDED

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace

NOTE = "agreed.json"
_MAX_BYTES = 10_000


def agree(folder: Path, *, store: str, namespace: str, owner: Owner, token: str) -> None:
    """Note that the user bound *folder* to *store* and *namespace*. Never fails."""
    document = owner.sign(_document(store, namespace))
    with suppress(NbvcError):  # it can be given again with the same command
        write_file(folder / CONTROL_FOLDER / NOTE, seal(document), token=token)


def has_agreed(workspace: Workspace) -> bool:
    """Return whether the user chose the store of *workspace*: here, in a variable, or by a flag."""
    store = workspace.store_setting
    origin = workspace.session.settings.find("store").origin
    if store == EMBEDDED or not origin.startswith("workspace"):
        return True
    try:
        with (workspace.folder / CONTROL_FOLDER / NOTE).open("rb") as file:
            said = unseal(file.read(_MAX_BYTES), what="agreement")
    except (OSError, NbvcError):
        return False
    wanted = _document(store, workspace.namespace)
    return workspace.owner.made(said) and wanted.items() <= said.items()


def _document(store: str, namespace: str) -> dict[str, Any]:
    return {"format": FORMAT, "store": store, "namespace": namespace}
