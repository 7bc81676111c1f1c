"""``Repository``: everything that can be done with a store alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Self

from nbvc.errors import StoreNotFound
from nbvc.manifest.layout import Layout
from nbvc.model import Area, Data, NotebookKey, Version
from nbvc.repository.backend import Backend, Cache, NoCache
from nbvc.repository.history import History
from nbvc.repository.packed_store import PackedStore
from nbvc.repository.parallel import Parallel
from nbvc.repository.settings import StoreSettings
from nbvc.stores.base import Store
from nbvc.text import typed

if TYPE_CHECKING:
    from nbvc.manifest.records import RecordFile
    from nbvc.refs import Selector
    from nbvc.repository.acts import Act, Draft, Known
    from nbvc.repository.forgetting import ForgetReport
    from nbvc.repository.listing import Listed
    from nbvc.repository.packing import PackReport, PackRules
    from nbvc.repository.publishing import Publication
    from nbvc.repository.thinning import KeepRules
    from nbvc.repository.unpacking import UnpackReport

REMOTE_WORKERS = 16


class Repository:
    """The versions of the notebooks in one store. Safe for use from several threads.

    Errors: those of :mod:`nbvc.errors`. Every method that reads may raise ``IntegrityError``, and
    every method may raise what :class:`nbvc.stores.base.Store` may.

    Args:
        store: Where versions live.
        settings: What the store says of itself; ``None`` for one that nbvc never prepared, which
            can be read.
        cache: Keeps what never changes. Leave it out for a store on this machine.
        sleep: Waits for so many seconds.
        jitter: Returns a random number from 0 up to 1.
        now: Returns the present time; needed where the settings ask for locks.

    Raises:
        ValueError: They do, and it was left out.
    """

    def __init__(
        self,
        store: Store,
        *,
        settings: StoreSettings | None,
        cache: Cache | None = None,
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
        now: Callable[[], datetime] | None = None,
    ) -> None:
        local = store.url.startswith("file:")
        self._cache = cache or NoCache()
        backend = Backend(
            store=store,
            layout=settings.layout if settings else Layout(),
            capabilities=settings.capabilities if settings else store.capabilities,
            store_id=settings.store_id if settings else None,
            cache=self._cache,
            parallel=Parallel(1 if local else REMOTE_WORKERS),
            sleep=sleep,
            jitter=jitter,
            lock=settings.lock if settings else None,
            now=now,
        )
        self._packed = PackedStore(backend)
        self._backend = replace(backend, store=self._packed)

    def __enter__(self) -> Self:
        """Return the repository; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the repository."""
        self.close()

    def close(self) -> None:
        """Let go of threads, connections and files. Idempotent."""
        self._backend.parallel.close()
        self._backend.store.close()

    @property
    def backend(self) -> Backend:
        """What the operations work with, for operations in modules of their own."""
        return self._backend

    @property
    def store(self) -> Store:
        """The store."""
        return self._backend.store

    @property
    def layout(self) -> Layout:
        """Which prefixes hold what."""
        return self._backend.layout

    @property
    def prepared(self) -> bool:
        """Whether nbvc was told to use this store; only then it is written to."""
        return self._backend.store_id is not None

    def require_prepared(self) -> None:
        """Check that the store may be written to.

        Raises:
            StoreNotFound: Nobody ran ``nbvc init`` on it.
        """
        if not self.prepared:
            raise StoreNotFound(
                f"{self.store.url} was never prepared for nbvc.",
                hint=f"nbvc init {typed(self.store.url)}",
            )

    # Read

    def open_history(
        self, key: NotebookKey, *, area: Area = Area.WORKSPACE, limit: int | None = None
    ) -> History:
        """Open the history of a notebook; :meth:`log` does this and checks that there is one."""
        return History(self._backend, area, key, limit=limit)

    def log(
        self, key: NotebookKey, *, area: Area = Area.WORKSPACE, limit: int | None = None
    ) -> Iterator[Version]:
        """Return the versions of a notebook, newest first, as a stream.

        Without those of another notebook that had this name before it was renamed. The first page
        costs 4 requests with a warm cache and 7 without, at any length of history.

        Args:
            key: The notebook.
            area: Workspace or published.
            limit: How many versions at most.

        Raises:
            NotebookNotFound: The store never had such a notebook.
        """
        history = self.open_history(key, area=area, limit=limit)
        if not history.exists:
            from nbvc.repository import resolving

            raise resolving.no_notebook(key, area)
        return history.own_versions()

    def resolve(
        self,
        key: NotebookKey,
        selector: Selector,
        *,
        area: Area = Area.WORKSPACE,
        as_of: datetime | None = None,
    ) -> Version:
        """Return the one version that *selector* means; its tags and marks are not filled in.

        A number costs 1 request, whatever the length of the history.

        Args:
            key: The notebook.
            selector: As :func:`nbvc.refs.parse_selector` reads it.
            area: Workspace or published.
            as_of: The moment that a selector like ``{2 days ago}`` means.

        Raises:
            NotebookNotFound: There is no such notebook.
            VersionNotFound: There is no such version.
            Ambiguous: A digest prefix fits several.
        """
        from nbvc.repository import resolving

        return resolving.resolve(self._backend, area, key, selector, as_of=as_of)

    def read(self, version: Version) -> bytes:
        """Return the exact bytes of *version*, in memory; see :meth:`view`."""
        return bytes(self.view(version))

    def view(self, version: Version) -> Data:
        """Return the exact bytes of *version*; large ones stay on disk, and are read as needed.

        1 request; none when cached.

        Raises:
            IntegrityError: The bytes are not the ones that were recorded, at the second try either.
            VersionNotFound: The store does not have them any more.
        """
        from nbvc.repository import reading

        return reading.read(self._backend, version)

    def locate(self, version: Version) -> str:
        """Return the URL of *version*, which S3 tools understand."""
        data_key = self.layout.data_key(version.area, version.key)
        return self.store.locate(data_key, version.version_id)

    def list_notebooks(
        self,
        prefix: str = "",
        *,
        area: Area = Area.WORKSPACE,
        with_versions: bool = True,
        after: str = "",
        limit: int | None = None,
    ) -> Iterator[Listed]:
        """Return the notebooks whose keys begin with *prefix*, as a stream in key order.

        See :func:`nbvc.repository.listing.list_notebooks`.
        """
        from nbvc.repository import listing

        return listing.list_notebooks(
            self._backend, area, prefix, with_versions=with_versions, after=after, limit=limit
        )

    def list_removed(self, prefix: str = "") -> Iterator[Listed]:
        """Return the removed notebooks whose keys begin with *prefix*, as a stream."""
        from nbvc.repository import listing

        return listing.list_removed(self._backend, prefix)

    def tags(self, key: NotebookKey) -> Mapping[str, int]:
        """Return the tags of a notebook: name to number."""
        from nbvc.repository import naming

        return naming.read_tags(self._backend, key)

    # Write

    def save(
        self,
        key: NotebookKey,
        draft: Draft,
        act: Act,
        known: Known | None = None,
    ) -> Known:
        """Store *draft* as a new version; see :func:`nbvc.repository.saving.save`."""
        from nbvc.repository import saving

        self.require_prepared()
        saved = saving.save(self._backend, key, draft, act, known)
        self._cache.put(f"blobs/{draft.digest}", draft.data)
        return saved

    def resume(
        self,
        key: NotebookKey,
        draft: Draft,
        act: Act,
        known: Known | None = None,
        *,
        before: int = 0,
    ) -> Known:
        """Finish a save that was begun earlier; see :func:`nbvc.repository.saving.resume`."""
        from nbvc.repository import saving

        self.require_prepared()
        saved = saving.resume(self._backend, key, draft, act, known, before=before)
        self._cache.put(f"blobs/{draft.digest}", draft.data)
        return saved

    def publish(
        self,
        version: Version,
        key: NotebookKey,
        act: Act,
        known: RecordFile | None = None,
    ) -> Publication:
        """Promote a version; see :func:`nbvc.repository.publishing.publish`."""
        from nbvc.repository import publishing

        self.require_prepared()
        return publishing.publish(self._backend, version, key, act, known)

    def unpublish(self, key: NotebookKey, act: Act) -> None:
        """Take the published copy back; see :func:`nbvc.repository.publishing.unpublish`."""
        from nbvc.repository import publishing

        self.require_prepared()
        publishing.unpublish(self._backend, key, act)

    def pack(
        self, keys: Iterable[NotebookKey], rules: PackRules, act: Act, *, apply: bool
    ) -> Iterator[PackReport]:
        """Move cold versions into packs; see :mod:`nbvc.repository.packing`.

        Yields:
            What was done, or without *apply* what would be, for each name that holds some.
        """
        from nbvc.repository import packing

        self.require_prepared()
        find = partial(packing.find_cold, self._backend, rules=rules)

        def pack(cold: packing.Cold) -> PackReport:
            work = packing.Packing(self._backend, self._packed.packs, cold, act)
            return work.run() if apply else work.preview()

        cold = chain.from_iterable(self._backend.parallel.map(find, keys))
        first = list(islice(cold, packing.AT_ONCE))
        # For a single one, a thread would only be in the way.
        with closing(Parallel(len(first))) as pool:
            yield from pool.map(pack, chain(first, cold))

    def unpack(
        self, keys: Iterable[NotebookKey], act: Act, *, apply: bool
    ) -> Iterator[UnpackReport]:
        """Make packed versions plain again; see :mod:`nbvc.repository.unpacking`.

        Yields:
            What was done, or without *apply* what would be, for each name that has some.
        """
        from nbvc.repository import unpacking

        self.require_prepared()
        find = partial(unpacking.packed_names, self._backend)
        for names in self._backend.parallel.map(find, keys):
            for name in names:
                work = unpacking.Unpacking(self._backend, self._packed.packs, name, act)
                yield work.run() if apply else work.preview()

    def forget(
        self, keys: Iterable[NotebookKey], rules: KeepRules, act: Act, *, apply: bool
    ) -> Iterator[ForgetReport]:
        """Let go of versions for good; see :mod:`nbvc.repository.forgetting`.

        A name that a notebook had before is passed over: it is thinned under its present one.

        Yields:
            What was done, or without *apply* what would be, for each notebook.
        """
        from nbvc.repository import forgetting

        self.require_prepared()

        def look(key: NotebookKey) -> forgetting.Forgetting:
            return forgetting.Forgetting(self._backend, self._packed.packs, key, rules, act)

        for work in self._backend.parallel.map(look, keys):
            if not work.is_moved:
                yield work.run() if apply else work.preview()

    def set_tag(
        self, key: NotebookKey, name: str, number: int, act: Act, *, move: bool = False
    ) -> int | None:
        """Name a version; see :func:`nbvc.repository.naming.set_tag`."""
        from nbvc.repository import naming

        self.require_prepared()
        return naming.set_tag(self._backend, key, name, number, act, move=move)

    def delete_tag(self, key: NotebookKey, name: str, act: Act) -> int:
        """Take a name away; see :func:`nbvc.repository.naming.delete_tag`."""
        from nbvc.repository import naming

        self.require_prepared()
        return naming.delete_tag(self._backend, key, name, act)

    def remove(self, key: NotebookKey, act: Act) -> None:
        """Hide a notebook; see :func:`nbvc.repository.naming.remove`."""
        from nbvc.repository import naming

        self.require_prepared()
        naming.remove(self._backend, key, act)

    def rename(self, old: NotebookKey, new: NotebookKey, act: Act) -> Known:
        """Give a notebook another name; see :func:`nbvc.repository.naming.rename`."""
        from nbvc.repository import naming

        self.require_prepared()
        return naming.rename(self._backend, old, new, act)
