"""From a selector to the one version it means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice

from nbvc.errors import Ambiguous, NbvcError, NotebookNotFound, VersionNotFound
from nbvc.manifest.metadata import from_metadata
from nbvc.manifest.sealing import format_time
from nbvc.model import MIN_DIGEST_PREFIX, Area, NotebookKey, Version
from nbvc.refs import AsOf, Latest, Name, Number, Published, Selector
from nbvc.repository.backend import Backend
from nbvc.repository.history import (
    History,
    enrich,
    find_record,
    read_published,
    version_of,
)
from nbvc.repository.states import read_state
from nbvc.text import typed

MAX_CANDIDATES = 20


def resolve(
    backend: Backend, area: Area, key: NotebookKey, selector: Selector, *, as_of: datetime | None
) -> Version:
    """Return the version that *selector* means.

    Args:
        backend: The store to work on.
        area: Workspace or published.
        key: The notebook.
        selector: What the user typed.
        as_of: The moment that an ``AsOf`` selector means.

    Raises:
        NotebookNotFound: There is no such notebook.
        VersionNotFound: There is no such version.
        Ambiguous: A digest prefix fits versions with different bytes.
    """
    base = selector.base
    if isinstance(base, Number):
        return _numbered_back(backend, area, key, base.number, selector)
    if isinstance(base, Published):
        found = _published(backend, key)
        return _step_back(backend, area, key, found, selector)
    limit = selector.back + 1 if isinstance(base, Latest) else None
    history = History(backend, area, key, limit=limit)
    if not history.exists:
        raise no_notebook(key, area)
    versions = history.own_versions()
    if isinstance(base, AsOf):
        versions = _as_of(versions, as_of)
    elif isinstance(base, Name):
        tagged = history.state.tags.get(base.text) if history.state else None
        if tagged is not None:
            return _numbered_back(backend, area, key, tagged, selector)
        versions = _named(history, base, selector, key)
    version = next(islice(versions, selector.back, None), None)
    if version is None:
        raise _not_found(backend, area, key, selector)
    return version


def no_notebook(key: NotebookKey, area: Area) -> NotebookNotFound:
    """Return the error for a notebook that does not exist."""
    if area is Area.PUBLISHED:
        return NotebookNotFound(f"{key} was never published.", hint="nbvc ls --published")
    return NotebookNotFound(
        f"The store has no notebook {key}.", hint="nbvc ls lists the notebooks that it has."
    )


def no_bytes(backend: Backend, version: Version) -> VersionNotFound:
    """Return the error for a version that is recorded, and whose bytes the store has no more.

    1 or 2 requests, to say why.
    """
    name = typed(version.key.rpartition("/")[2])
    if _is_forgotten(backend, version):
        return VersionNotFound(
            f"{version.name} of {version.key} was deleted with nbvc forget.",
            hint=f"nbvc log {name} shows which versions were kept.",
        )
    return VersionNotFound(
        f"{version.name} of {version.key} is missing: the store no longer has its bytes. "
        "A lifecycle rule of the bucket expired it, or somebody deleted it there.",
        hint=f"nbvc log {name} shows which versions are still there.",
    )


def _is_forgotten(backend: Backend, version: Version) -> bool:
    with suppress(NbvcError):  # what is the matter is known already; this only tells more
        state = read_state(backend, version.area, version.key)
        return state is not None and state.is_forgotten(version.number or 0)
    return False


def _numbered_back(
    backend: Backend, area: Area, key: NotebookKey, number: int, selector: Selector
) -> Version:
    wanted = number - selector.back
    found = find_record(backend, area, key, wanted) if wanted >= 1 else None
    if found is None:
        raise _not_found(backend, area, key, selector)
    return version_of(area, *found)


def _published(backend: Backend, key: NotebookKey) -> Version:
    """Return the source of what is published; the copy itself where its source is not known."""
    provenance = read_published(backend, key)
    if provenance is None:
        raise VersionNotFound(
            f"{key} is not published.", hint=f"nbvc publish {typed(key.rpartition('/')[2])}"
        )
    if provenance.source_number is not None:
        source = find_record(backend, Area.WORKSPACE, key, provenance.source_number)
        if source is not None and source[1].version_id == provenance.source_version_id:
            return version_of(Area.WORKSPACE, *source)
    head = backend.store.head(backend.layout.data_key(Area.PUBLISHED, key))
    if head.version_id is None:
        raise VersionNotFound(f"The published {key} has no version ID.")
    copy = Version(
        key=key,
        area=Area.PUBLISHED,
        number=None,
        digest=None,
        version_id=head.version_id,
        size_bytes=head.size_bytes,
        saved_at=head.modified_at,
        published=True,
    )
    return enrich(copy, from_metadata(head.metadata))


def _step_back(
    backend: Backend, area: Area, key: NotebookKey, found: Version, selector: Selector
) -> Version:
    if selector.back == 0:
        return found
    if found.number is None:
        raise _not_found(backend, area, key, selector)
    return _numbered_back(backend, area, key, found.number, selector)


def _as_of(versions: Iterator[Version], moment: datetime | None) -> Iterator[Version]:
    reached = False
    for version in versions:
        reached = reached or moment is None or version.saved_at <= moment
        if reached:
            yield version


def _named(history: History, name: Name, selector: Selector, key: NotebookKey) -> Iterator[Version]:
    """Find a digest prefix or a version ID; yield from there on."""
    prefix = name.text.lower() if name.is_digest_prefix else None
    everything = list(history.versions())
    matches = [
        index
        for index, version in enumerate(everything)
        if (prefix and version.digest and version.digest.startswith(prefix))
        or version.version_id == name.text
    ]
    if len({everything[index].digest or index for index in matches}) > 1:
        raise _ambiguous(name, [everything[index] for index in matches], selector, key)
    if matches:
        there = [index for index in matches if not everything[index].missing]
        yield from everything[(there or matches)[0] :]


def _ambiguous(
    name: Name, matches: list[Version], selector: Selector, key: NotebookKey
) -> Ambiguous:
    return Ambiguous(
        f"{selector.text} fits {len(matches)} versions of {key}.",
        candidates=[
            {
                "ref": version.name,
                "digest": version.digest,
                "saved_at": format_time(version.saved_at),
                "author": version.author,
                "message": version.message,
            }
            for version in matches[:MAX_CANDIDATES]
        ],
        hint=f"Type more of the digest (at least {len(name.text) + 1} digits), or the number.",
    )


def _not_found(
    backend: Backend, area: Area, key: NotebookKey, selector: Selector
) -> NotebookNotFound | VersionNotFound:
    history = History(backend, area, key, limit=1)
    if not history.exists:
        return no_notebook(key, area)
    newest = next(history.versions(), None)
    known = f" Its latest version is {newest.name}." if newest else ""
    short = isinstance(selector.base, Name) and not selector.base.is_digest_prefix
    what = "tag, digest or version ID" if short else "version"
    return VersionNotFound(
        f"{key} has no {what} {selector.text}.{known}",
        hint=f"nbvc log {typed(key.rpartition('/')[2])} lists its versions "
        f"(a digest needs {MIN_DIGEST_PREFIX} digits).",
    )
