"""Clone: copy a notebook, or a folder of them, from a store to a local folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath

from nbvc import looking
from nbvc.errors import (
    AlreadyExists,
    Conflict,
    IntegrityError,
    InvalidInput,
    InvalidKey,
    NbvcError,
    NotebookNotFound,
    NotFound,
)
from nbvc.manifest.metadata import from_metadata
from nbvc.model import NOTEBOOK_SUFFIX, Area, Data, Digest, NotebookKey, Version
from nbvc.refs import LATEST, AsOf, Selector, parse_ref
from nbvc.repository import Repository
from nbvc.repository.settings import read_settings
from nbvc.stores.base import Blob
from nbvc.values import dataclass
from nbvc.workspace.binding import bind, check_binding, default_namespace, usable_folder
from nbvc.workspace.checkout import base_of
from nbvc.workspace.choosing import find_workspace
from nbvc.workspace.core import Workspace
from nbvc.workspace.files import (
    FileRefused,
    create_file,
    digest_file,
    inside,
    make_folder,
    stamp,
    sweep,
)
from nbvc.workspace.index import Entry
from nbvc.workspace.results import CloneResult
from nbvc.workspace.saving import stamped
from nbvc.workspace.session import Session
from nbvc.workspace.targets import Location, is_url

MAX_NAMES_TRIED = 10_000

Skipped = tuple[str, NbvcError]
"""A notebook that was left out, by its key in the store, and why."""

Progress = Callable[[int, int], None]
"""Called after each notebook with the number of notebooks and of bytes so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    file: Path
    version: Version
    present: bool


def clone(
    session: Session,
    source: str,
    destination: str | None,
    *,
    progress: Progress = lambda _notebooks, _bytes: None,
) -> CloneResult:
    """Copy what *source* names to a local folder. An existing file is never overwritten.

    A folder becomes a workspace of its own: bound to the same namespace when it holds drafts, to a
    new one when it holds published notebooks. Run again after an interruption, it goes on: files
    that have the wanted bytes already are left.

    Args:
        session: Surroundings; its folder, if any, decides which store a plain key is looked up in.
        source: A URL of a notebook or folder, a notebook key or folder of keys in the store of the
            present workspace, or the path of another workspace.
        destination: Folder to write to (or file, for one notebook); by default the working
            directory for a notebook, and the folder's name for a folder.
        progress: Called after each notebook.

    Raises:
        NotebookNotFound: There is nothing of that name.
        InvalidInput: *source* cannot be read.
    """
    location = locate(session, source)
    with session.open_repository(location.store_url) as repository:
        if location.is_notebook:
            return clone_notebook(session, repository, location, destination)
        return _clone_folder(session, repository, location, destination, progress)


def locate(session: Session, source: str) -> Location:
    """Return the place in a store that *source* names.

    Raises:
        InvalidInput: It names none.
    """
    if is_url(source):
        return session.locate(source)
    folder = session.environment.cwd / source
    if looking.is_folder(folder) and (found := find_workspace(folder)) == folder.resolve():
        with Workspace(Session(session.environment, found)) as other:
            return Location(
                store_url=other.store_url,
                area=Area.WORKSPACE,
                path=other.namespace,
                selector=None,
            )
    if session.folder is None:
        raise InvalidInput(
            f"{source} is neither a URL nor a folder with an nbvc workspace.",
            hint="nbvc clone s3://bucket/workspace/kylek/notebooks",
        )
    with Workspace(session) as workspace:
        ref = parse_ref(source)
        return Location(
            store_url=workspace.store_url,
            area=Area.WORKSPACE,
            path=(ref.path or source).strip("/"),
            selector=ref.selector if ref.path else None,
        )


def clone_notebook(
    session: Session, repository: Repository, location: Location, destination: str | None
) -> CloneResult:
    """Copy the notebook at *location*, which lies in the store of *repository*; see :func:`clone`.

    Raises:
        NotebookNotFound: There is none.
        VersionNotFound: It has no such version.
    """
    selector = location.selector or LATEST
    version = repository.resolve(
        location.key, selector, area=location.area, as_of=_as_of(session, selector)
    )
    data = repository.view(version)
    target = session.environment.cwd / (destination or ".")
    if looking.is_folder(target) or not target.name.endswith(NOTEBOOK_SUFFIX):
        target = target / PurePosixPath(location.path).name
    written = _write(session, target, version, data)
    sweep(written.file.parent, session.environment.now())
    return CloneResult(
        folder=written.file.parent,
        bound=False,
        store=location.store_url,
        namespace=None,
        files=((written.file, version),),
        present=int(written.present),
    )


def _as_of(session: Session, selector: Selector) -> datetime | None:
    if not isinstance(selector.base, AsOf):
        return None
    return session.moment(selector.base.text, end_of_day=True)


def _clone_folder(
    session: Session,
    repository: Repository,
    location: Location,
    destination: str | None,
    progress: Progress,
) -> CloneResult:
    prefix = f"{location.path}/" if location.path else ""
    skipped: list[Skipped] = []
    listed = _keys(repository, location.area, prefix, skipped)
    first = next(listed, None)
    if first is None:
        raise skipped[0][1] if skipped else _nothing_there(repository, location.area, prefix)
    folder, namespace = _bind(session, repository, location, destination)
    drafts = namespace == location.path
    files: list[_Written] = []
    total_bytes = 0
    with Workspace(Session(session.environment, folder)) as workspace:
        fetch = partial(_try, workspace, repository, location.area, prefix, based=drafts)
        for found in repository.backend.parallel.map(fetch, chain([first], listed)):
            if not isinstance(found, _Written):
                skipped.append(found)
                continue
            files.append(found)
            total_bytes += found.version.size_bytes
            progress(len(files), total_bytes)
    for place in {written.file.parent for written in files}:
        sweep(place, session.environment.now())
    return CloneResult(
        folder=folder,
        bound=True,
        store=location.store_url,
        namespace=namespace,
        files=tuple((written.file, written.version) for written in files),
        present=sum(written.present for written in files),
        skipped=tuple(skipped),
    )


def _keys(
    repository: Repository, area: Area, prefix: str, skipped: list[Skipped]
) -> Iterator[NotebookKey]:
    """Yield the keys of the notebooks; what is no key of ours is added to *skipped*."""
    root = f"{repository.layout.prefix(area)}/"
    for entry in repository.store.list_keys(root + prefix):
        if entry.key.endswith(NOTEBOOK_SUFFIX):
            key = entry.key.removeprefix(root)
            try:
                yield NotebookKey(key)
            except InvalidKey as error:
                skipped.append((key, error))


def _nothing_there(repository: Repository, area: Area, prefix: str) -> NotebookNotFound:
    where = f"{repository.store.url} under {repository.layout.prefix(area)}/{prefix}"
    return NotebookNotFound(
        f"There are no notebooks in {where}.", hint="nbvc ls URL lists what there is."
    )


def _bind(
    session: Session, repository: Repository, location: Location, destination: str | None
) -> tuple[Path, str]:
    """Make the folder that is cloned to a workspace; return it and its namespace.

    Raises:
        Conflict: It is a workspace already, of something else.
    """
    environment = session.environment
    name = PurePosixPath(location.path).name or "notebooks"
    folder = usable_folder(environment.cwd, destination or name)
    drafts = location.area is Area.WORKSPACE and bool(location.path)
    namespace = location.path if drafts else default_namespace(environment.login, folder)
    make_folder(folder)
    check_binding(folder, location.store_url, namespace, environment)
    bind(
        folder,
        store=location.store_url,
        namespace=namespace,
        settings=read_settings(repository.store),
        environment=environment,
    )
    return folder, namespace


def _try(
    workspace: Workspace,
    repository: Repository,
    area: Area,
    prefix: str,
    key: NotebookKey,
    *,
    based: bool,
) -> _Written | Skipped:
    """Download one notebook; one that cannot be had must not keep the others away."""
    try:
        return _fetch(workspace, repository, area, prefix, key, based=based)
    except (Conflict, FileRefused, IntegrityError, InvalidInput, NotFound) as error:
        return key, error


def _fetch(
    workspace: Workspace,
    repository: Repository,
    area: Area,
    prefix: str,
    key: NotebookKey,
    *,
    based: bool,
) -> _Written:
    """Download the current version of one notebook. 1 request."""
    blob = repository.store.get(repository.layout.data_key(area, key))
    version = _version(area, key, blob)
    target = workspace.folder / key.removeprefix(prefix)
    if str(inside(workspace.folder, target)) != key.removeprefix(prefix):
        raise InvalidKey(f"{target} is below a link, which a clone does not follow.")
    written = _write(workspace.session, target, version, blob.data)
    relative = str(inside(workspace.folder, written.file))
    if based and written.file == target:
        base = base_of(version, blob.data, etag=blob.etag)
        found = stamp(target)
        entry = workspace.index.get(relative).based_on(base)
        if found is not None:
            now = workspace.session.environment.now()
            entry = stamped(entry, found, base.digest, now)
        workspace.index.put(entry)
    else:
        workspace.index.put(Entry(path=relative))
    return written


def _version(area: Area, key: NotebookKey, blob: Blob) -> Version:
    if blob.version_id is None:
        raise InvalidKey(f"{key} has no version ID.")
    digest = Digest.of(blob.data)
    provenance = from_metadata(blob.metadata)
    if provenance.digest not in {None, digest}:
        raise IntegrityError(
            f"{key} is damaged in the store: its digest is {digest.short}, "
            f"recorded was {provenance.digest}.",
            hint="Its other versions are not affected: nbvc log lists them.",
        )
    return Version(
        key=key,
        area=area,
        number=None,
        digest=digest,
        version_id=provenance.again or blob.version_id,
        size_bytes=len(blob.data),
        saved_at=provenance.saved_at or blob.modified_at,
    )


def _write(session: Session, target: Path, version: Version, data: Data) -> _Written:
    """Write *data* to *target*, or beside it as ``name-1.ipynb`` where there are other bytes."""
    token = session.environment.new_write_id()
    for number in range(MAX_NAMES_TRIED):
        file = target if number == 0 else target.with_stem(f"{target.stem}-{number}")
        if _holds(file, data):
            return _Written(file=file, version=version, present=True)
        if not os.path.lexists(file):
            make_folder(file.parent)
            with suppress(AlreadyExists):  # another notebook of this clone was quicker
                create_file(file, data, token=token)
                return _Written(file=file, version=version, present=False)
    raise InvalidInput(f"There are {MAX_NAMES_TRIED} files like {target.name} already.")


def _holds(file: Path, data: Data) -> bool:
    """Tell whether there is a file with these bytes."""
    found = stamp(file)
    if found is None or found.size_bytes != len(data):
        return False
    return digest_file(file, shown=file.name) == Digest.of(data)
