"""Publish from a workspace."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbvc.model import Area, Digest, Version
from nbvc.refs import LATEST, Selector, parse_selector
from nbvc.repository.history import version_of
from nbvc.workspace.files import read_file, stamp
from nbvc.workspace.index import Entry
from nbvc.workspace.results import PublishResult

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace


def publish(
    workspace: Workspace,
    path: str,
    version: str | Selector | None,
    *,
    message: str,
    author: str | None = None,
) -> PublishResult:
    """Publish a version of the notebook at *path*; see :meth:`nbvc.Workspace.publish`."""
    repository = workspace.repository  # delivers what waits: that may be the latest version
    key = workspace.key_of(path)
    entry = workspace.index.get(path)
    selector = parse_selector(version) if isinstance(version, str) else version
    source = _source(workspace, path, entry, selector)
    act = workspace.session.act(message, author=author)
    publication = repository.publish(source, key, act, entry.published)
    record = publication.file.record
    workspace.index.change(path, lambda entry: replace(entry, published=publication.file))
    data_key = repository.layout.data_key(Area.PUBLISHED, key)
    return PublishResult(
        key=key,
        number=record.number,
        version_id=record.version_id,
        source=source,
        digest=record.digest,
        url=repository.store.locate(data_key),
        unsaved_changes=_differs(workspace, path, source),
    )


def _source(workspace: Workspace, path: str, entry: Entry, selector: Selector | None) -> Version:
    """Return the version to promote; the one saved last from here needs no request."""
    if selector is None and entry.known is not None:
        return version_of(Area.WORKSPACE, workspace.key_of(path), entry.known.file.record)
    return workspace.resolve(workspace.folder / path, selector or LATEST)


def _differs(workspace: Workspace, path: str, source: Version) -> bool:
    file = workspace.folder / path
    if stamp(file) is None:
        return False
    return Digest.of(read_file(file, shown=path)[0]) != source.digest
