"""One real system: a store, the folders of those who use it, and a line between them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from nbvc.environment import Environment
from nbvc.errors import NbvcError, NotebookNotFound
from nbvc.manifest.runs import merged
from nbvc.model import Area, Digest, NotebookKey, Version, WriteId
from nbvc.refs import parse_selector
from nbvc.repository import Repository
from nbvc.repository.findings import Kind
from nbvc.repository.packing import PackRules
from nbvc.repository.settings import StoreSettings, read_settings
from nbvc.repository.states import read_state
from nbvc.repository.thinning import KeepRules
from nbvc.stores.base import Overwrite, Store
from nbvc.workspace.cloning import clone
from nbvc.workspace.core import Workspace
from nbvc.workspace.migrating import migrate_workspace
from nbvc.workspace.session import Session
from nbvc.workspace.shrinking import in_workspace
from tests.conftest import make_workspace
from tests.faults.machine.commands import Ref
from tests.faults.machine.line import Crash, Line, Strike
from tests.faults.machine.model import PATHS
from tests.repository.support import DictCache

NAMESPACE = "team/notebooks"
ANY_AGE = timedelta(days=-100_000)
LEFT_BEHIND = {Kind.UNUSED_PACK, Kind.FORGOTTEN_VERSION}
Outcome = tuple[Any, ...]
"""What a command said: ``("ok", ...)``, ``("error", name of the class)`` or ``("crash",)``."""


class System:
    """A store with its users.

    Args:
        name: What to call it.
        root: An empty folder for the folders of the users.
        new_store: Makes a fresh store, the n-th one.
        owners: Which system has which store, by its URL; added to.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        new_store: Callable[[int], Store],
        owners: dict[str, System],
    ) -> None:
        self.name = name
        self.line = Line()
        self.now = datetime(2026, 8, 1, 12, tzinfo=UTC)
        self._root = root
        self._new_store = new_store
        self._numbers, self._ids = count(1), count(1)
        self._stores: dict[str, Store] = {}
        self._owners = owners
        self._read: dict[str, list[Any]] = {}
        self._shown_last: dict[str, dict[str, Any]] = {}
        self.ids: dict[str, list[str]] = {}
        self._caches: dict[str, DictCache] = {}
        self._known_settings: dict[str, StoreSettings | None] = {}
        self._has_renamed = False
        self.store = self._fresh_store()
        self._folder("ada").mkdir(parents=True)
        make_workspace(self.environment("ada"), self.store.url, namespace=NAMESPACE)

    def close(self) -> None:
        """Let go of the stores."""
        for store in self._stores.values():
            store.close()

    def open_store(self, url: str, **options: Any) -> Store:
        """Open a store of this system, as :func:`nbvc.stores.opening.open_store` would."""
        return self.line.to(self._stores[url], options["sleep"], options["jitter"])

    def environment(self, who: str) -> Environment:
        """Return the surroundings of *who*."""
        home = self._root / "home"
        return Environment(
            variables={"NBVC_AUTHOR": who},
            user_config_file=home / "config.toml",
            cache_dir=home / "cache",
            cwd=self._folder(who),
            login=who,
            now=lambda: self.now,
            timezone=UTC,
            new_write_id=lambda: WriteId(f"{next(self._ids):022}"),
            sleep=lambda _: None,
            jitter=lambda: 0.5,
        )

    # Act

    def run(self, strike: Strike | None, command: Callable[[], Any]) -> Outcome:
        """Run one command, and return what it said."""
        self.line.begin(strike)
        try:
            return ("ok", *command())
        except Crash:
            return ("crash",)
        except NbvcError as error:
            return ("error", type(error).__name__)
        finally:
            self.line.strike = None

    def write(self, who: str, path: str, data: bytes | None) -> None:
        """Write a file, or remove it, as an editor would."""
        file = self._folder(who) / path
        if data is None:
            file.unlink()
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def save(self, who: str, path: str, message: str) -> Outcome:
        """``nbvc save``."""
        with self._open(who) as workspace:
            (result,) = workspace.save(path, message=message)
        return (result.saved, "waits" if result.waiting else result.number)

    def push(self, who: str) -> Outcome:
        """``nbvc push``."""
        with self._open(who) as workspace:
            return (len(workspace.push().waiting),)

    def checkout(self, who: str, path: str, ref: Ref, *, force: bool) -> Outcome:
        """``nbvc checkout``."""
        with self._open(who) as workspace:
            return (workspace.checkout(path, ref.text, force=force).version.name,)

    def publish(self, who: str, path: str, ref: Ref | None, message: str) -> Outcome:
        """``nbvc publish``."""
        with self._open(who) as workspace:
            result = workspace.publish(path, ref.text if ref else None, message=message)
        return (result.number, result.source.name)

    def unpublish(self, who: str, path: str) -> Outcome:
        """``nbvc unpublish``."""
        with self._open(who) as workspace:
            workspace.unpublish(path)
        return ()

    def tag(self, who: str, path: str, name: str, ref: Ref, *, move: bool) -> Outcome:
        """``nbvc tag``."""
        with self._open(who) as workspace:
            return (workspace.tag(name, path, ref.text, move=move).name,)

    def delete_tag(self, who: str, path: str, name: str) -> Outcome:
        """``nbvc tag --delete``."""
        with self._open(who) as workspace:
            return (workspace.delete_tag(name, path),)

    def remove(self, who: str, path: str, *, keep_file: bool) -> Outcome:
        """``nbvc rm``."""
        with self._open(who) as workspace:
            workspace.remove(path, keep_file=keep_file)
        return ()

    def rename(self, who: str, old: str, new: str) -> Outcome:
        """``nbvc mv``."""
        self._has_renamed = True
        with self._open(who) as workspace:
            return (workspace.rename(old, new).name,)

    def repair(self, who: str) -> Outcome:
        """``nbvc repair --apply``."""
        with self._open(who) as workspace:
            repair = workspace.repair(apply=True)
            for _ in repair:
                pass
        return (repair.report.mended, len(repair.report.remaining))

    def pack(self, who: str, path: str, keep_newest: int) -> Outcome:
        """``nbvc pack --apply``, of versions of any age, whatever the clocks say."""
        rules = PackRules(older_than=ANY_AGE, keep_newest=keep_newest, now=self.now)
        with self._open(who) as workspace:
            place = in_workspace(workspace, path, everything=False)
            reports = list(place.pack(rules, apply=True))
        assert not any(report.locked or report.skipped for report in reports)
        return (sum(report.versions for report in reports),)

    def unpack(self, who: str, path: str) -> Outcome:
        """``nbvc unpack --apply``."""
        with self._open(who) as workspace:
            return (sum(report.versions for report in workspace.unpack(path, apply=True)),)

    def forget(self, who: str, path: str, last: int) -> Outcome:
        """``nbvc forget --apply``."""
        rules = KeepRules(last=last, tagged=not last, zone=UTC)
        with self._open(who) as workspace:
            (report,) = workspace.forget(path, rules=rules, apply=True)
        return (report.versions,)

    def foreign(self, path: str, data: bytes) -> Outcome:
        """Write as another tool would: the bytes, and nothing else."""
        self.store.put(
            f"workspace/{NAMESPACE}/{path}",
            data,
            mode=Overwrite(),
            metadata={},
            content_type="application/json",
        )
        return ()

    def clone(self, who: str) -> Outcome:
        """``nbvc clone`` of everything into a new folder for *who*."""
        self.drop(who)
        environment = replace(self.environment(who), cwd=self._root)
        result = clone(
            Session(environment), f"{self.store.url}/workspace/{NAMESPACE}", str(self._folder(who))
        )
        assert not result.skipped
        return (len(result.files),)

    def drop(self, who: str) -> None:
        """Throw the folder of *who* away."""
        shutil.rmtree(self._folder(who), ignore_errors=True)

    def fresh_store(self) -> str:
        """Make a fresh store to migrate to; return its URL."""
        return self._fresh_store().url

    def migrate(self, who: str, url: str) -> Outcome:
        """``nbvc migrate``."""
        session = Session(self.environment(who), self._folder(who))
        migrate_workspace(session, url, create=True, ask=lambda _: False, dry_run=False, flags={})
        self.store = self._stores[url]
        self._read.clear()
        return ()

    # Look

    def listed(self) -> tuple[list[str], list[str]]:
        """Return what ``nbvc ls`` and ``nbvc ls --removed`` list."""
        with self.reader() as repository:
            listings = repository.list_notebooks(NAMESPACE), repository.list_removed(NAMESPACE)
            there, removed = (
                [each.key.removeprefix(f"{NAMESPACE}/") for each in listing] for listing in listings
            )
        return there, removed

    def seen_in_store(self) -> dict[str, Any]:
        """Return what a reader sees who comes anew, in the words of the model.

        A notebook is read again only where something was written that it may be made of.
        """
        entries = [
            (entry.key, entry.version_id, entry.is_latest, entry.is_delete_marker, entry.etag)
            for entry in self.store.list_versions("")
        ]
        with self.reader() as repository:
            for path in PATHS:
                # What was renamed is read from under several keys.
                own = [each for each in entries if self._has_renamed or path in each[0]]
                if self._read.get(path) != own or path not in self._shown_last:
                    key = NotebookKey(f"{NAMESPACE}/{path}")
                    self._shown_last[path] = self._notebook(repository, path, key, entries)
                    self._read[path] = own
        return {path: dict(self._shown_last[path]) for path in PATHS}

    def seen_in_folder(self, who: str) -> dict[str, Any]:
        """Return what lies on the disk of *who*, in the words of the model."""
        folder = self._folder(who)
        with self._open(who) as workspace:
            assert workspace.outbox.damaged() == []
            return {
                "files": {
                    path: Digest.of((folder / path).read_bytes()).short
                    for path in sorted(workspace.notebooks())
                },
                "waiting": [
                    (each.path, each.digest.short, each.author, each.message, each.saved_at)
                    for each in workspace.outbox.waiting()
                ],
            }

    def seen_in_status(self, who: str) -> dict[str, Any]:
        """Return what ``nbvc status`` says, in the words of the model."""
        with self._open(who) as workspace:
            status = workspace.status()
        assert status.unreachable is None
        return {each.path: (each.state, each.number, each.latest) for each in status.notebooks}

    def findings(self, who: str) -> list[tuple[str, str]]:
        """Run ``nbvc check --read-data``; return the kinds of the findings and their notebooks.

        But for what a command that was cut off left, and a later one removes.
        """
        with self._open(who) as workspace:
            return sorted(
                (str(found.kind), (found.key or "").removeprefix(f"{NAMESPACE}/"))
                for found in workspace.check(read_data=True)
                if found.kind not in LEFT_BEHIND
            )

    @contextmanager
    def reader(self) -> Iterator[Repository]:
        """Open the repository as somebody whose line is never struck, and who has a good memory."""
        repository = Repository(
            self.store,
            settings=self._settings(),
            cache=self._caches.setdefault(self.store.url, DictCache()),
            sleep=lambda _: None,
            jitter=lambda: 0.5,
        )
        try:
            yield repository
        finally:
            repository.backend.parallel.close()

    def _settings(self) -> StoreSettings | None:
        url = self.store.url
        if url not in self._known_settings:
            self._known_settings[url] = read_settings(self.store)
        return self._known_settings[url]

    def workspace(self, who: str) -> Workspace:
        """Open the folder of *who*, as every command does."""
        return self._open(who)

    def _notebook(
        self, repository: Repository, path: str, key: NotebookKey, entries: list[Any]
    ) -> dict[str, Any]:
        log = self._log(repository, key, Area.WORKSPACE)
        was_published = any(entry[0] == f"published/{key}" for entry in entries)
        published = self._log(repository, key, Area.PUBLISHED) if was_published else []
        state = read_state(repository.backend, Area.WORKSPACE, key)
        moved_to = state.moved_to if state else None
        current = {name for name, _, is_latest, is_marker, _ in entries if is_latest > is_marker}
        self._check_refs(repository, key, log)
        self.ids[path] = [version.version_id for version in (*log, *published)]
        return {
            "log": [self._shown(repository, version) for version in log],
            "published": [self._shown(repository, version) for version in published],
            "tags": dict(sorted(state.tags.items())) if state else {},
            "packed": [
                number
                for first, last in merged(
                    run
                    for pack in (state.packs if state else ())
                    for run in pack.numbers
                    if not pack.is_plain
                )
                for number in range(first, last + 1)
            ],
            "listed": f"workspace/{key}" in current,
            "published now": f"published/{key}" in current,
            "moved to": moved_to.removeprefix(f"{NAMESPACE}/") if moved_to else None,
            "said to be removed": bool(state and state.removed),
        }

    def _log(self, repository: Repository, key: NotebookKey, area: Area) -> list[Version]:
        """Return the versions of a notebook, newest first; none where there is no notebook."""
        try:
            repository.log(key, area=area)
        except NotebookNotFound:
            return []
        # Also what it leaves out, because it belongs to a notebook that had this name before.
        return list(repository.open_history(key, area=area).versions())

    def _shown(self, repository: Repository, version: Version) -> dict[str, Any]:
        data = repository.read(version)
        digest = Digest.of(data)
        assert version.digest in {None, digest}, f"{version} has other bytes"
        assert version.size_bytes == len(data)
        return {
            "number": version.number,
            "digest": digest.short,
            "parent": version.parent,
            "author": version.author,
            "message": version.message or "",
            "saved at": version.saved_at if version.author else None,
            "missing": version.missing,
            "published": version.published,
            "tags": version.tags,
        }

    def _check_refs(self, repository: Repository, key: NotebookKey, log: list[Version]) -> None:
        """Check that each name of a version leads to it."""
        if not log:
            return
        names = {"latest": log[0]}
        for version in log:
            if version.number is not None:
                names[f"v{version.number}"] = version
            names.update(dict.fromkeys(version.tags, version))
        for name, version in names.items():
            found = repository.resolve(key, parse_selector(name))
            assert found.version_id == version.version_id, f"{name} of {key} is {found}"

    def _open(self, who: str) -> Workspace:
        return Workspace.open(environment=self.environment(who))

    def _folder(self, who: str) -> Path:
        return self._root / who

    def _fresh_store(self) -> Store:
        store = self._new_store(next(self._numbers))
        self._stores[store.url] = store
        self._owners[store.url] = self
        return store
