"""What happened in a frozen store: one notebook of each kind that a reader must know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from nbvc import Workspace
from nbvc.environment import Environment
from nbvc.manifest.layout import entry_key
from nbvc.manifest.metadata import Provenance, to_metadata
from nbvc.manifest.records import RecordFile, encode, record_hash
from nbvc.model import (
    Area,
    Changes,
    Digest,
    NotebookKey,
    Record,
    Run,
    Source,
    VersionId,
    WriteId,
)
from nbvc.repository import Act, Draft, Repository
from nbvc.repository.lock import Lock
from nbvc.repository.settings import prepare, set_lock
from nbvc.repository.states import change_state
from nbvc.repository.thinning import KeepRules
from nbvc.stores.base import WRITE_ID, Create, LockMode, Overwrite, Store
from nbvc.workspace.accepting import capture, capture_found, note_move, note_removal
from nbvc.workspace.binding import init
from tests.notebook_samples import code, markdown, notebook, old_notebook, stream
from tests.stores.switching import SwitchedStore

NAMESPACE = "kylek/notebooks"
START = datetime(2026, 8, 1, 9, 30, tzinfo=UTC)
MESSAGES = (
    "first look",
    "",
    "Größe in 100 %, naïve",
    "雨の日だけ \U0001f327",
    'quotes "and" \\ back, a tab\tand\na second line',
    " a blank at either end ",
)
LONG = "a message that is too long for the metadata of an object, " * 16
FORGOTTEN = (("thinned.ipynb", 1), ("thinned.ipynb", 3))
USED_BEFORE = ("Untitled.ipynb", 1)
WAITING = ("weather.ipynb", "back.ipynb")
AUTHORS = ("Kyle Kelley", "Zoë & Co", "山田 花子", "O'Brien <o@example.org>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a save was told, and told its user."""

    path: str
    number: int | None
    data: bytes
    author: str
    message: str


class Story:
    """Writes it, in a folder of its own, with a clock that ticks once a minute."""

    def __init__(self, folder: Path) -> None:
        minutes = count()
        folder.mkdir(parents=True)
        self.folder = folder
        self.told: list[Told] = []
        self.environment = replace(
            Environment.current(),
            variables={},
            user_config_file=folder.parent / "no-config.toml",
            cache_dir=folder.parent / "no-cache",
            cwd=folder,
            login="kylek",
            now=lambda: START + timedelta(minutes=next(minutes), microseconds=42),
            sleep=lambda _: None,
        )

    def write(self) -> None:
        """Write all of it; each part stands for one thing that must stay readable."""
        init(
            self.folder,
            None,
            namespace=NAMESPACE,
            create=False,
            ask=lambda _: False,
            environment=self.environment,
            flags={},
        )
        self._long_history()
        self._fork()
        self._rename()
        self._published()
        self._removed()
        self._of_other_tools()
        self._old_notebook_and_a_large_one()
        self._mended()
        self._packed()
        self._unpacked()
        self._forgotten()
        self._packed_and_renamed()
        self._used_again()
        self._copied()
        self._run()
        self._waiting()
        self._captured()

    def save(self, path: str, data: bytes, message: str = "", author: str = AUTHORS[0]) -> None:
        """Write a file and save it."""
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        with self._workspace(author) as workspace:
            (saved,) = workspace.save(path, message=message)
        self._tell(path, saved.number, data, author, message)

    def _tell(self, path: str, number: int | None, data: bytes, author: str, message: str) -> None:
        self.told.append(Told(path=path, number=number, data=data, author=author, message=message))

    @contextmanager
    def _workspace(self, author: str = AUTHORS[0]) -> Iterator[Workspace]:
        with Workspace.open(environment=self.environment, flags={"author": author}) as workspace:
            yield workspace

    def _long_history(self) -> None:
        """17 versions, so that records carry 15 copies; tags, one of them moved, one taken away."""
        cells = [markdown("Rain")]
        for number in range(17):
            if number % 6 == 5:
                cells = [*cells, code("rain.sum()", outputs=[stream(f"{number}\n")])]
            message = MESSAGES[number % len(MESSAGES)] if number < 16 else LONG
            data = notebook(*cells, code(f"rain = [3, 0, {number}]"))
            self.save("weather.ipynb", data, message, AUTHORS[number % 4])
        with self._workspace() as workspace:
            workspace.tag("first-look", "weather.ipynb", "v1")
            workspace.tag("submitted", "weather.ipynb", "v7")
            workspace.tag("submitted", "weather.ipynb", "v12", move=True)
            workspace.tag("draft", "weather.ipynb", "v2")
            workspace.delete_tag("draft", "weather.ipynb")

    def _fork(self) -> None:
        """Two people saved from v1 at once: v2 and v3 have the same parent."""
        self.save("fork.ipynb", notebook(code("start")), "start")
        key = NotebookKey(f"{NAMESPACE}/fork.ipynb")
        with self._workspace() as workspace:
            for author in AUTHORS[:2]:
                data = notebook(code(f"by {author}"))
                changes = Changes(
                    cells_added=0, cells_removed=0, cells_changed=1, outputs_only=False
                )
                draft = Draft(data=data, digest=Digest.of(data), parent=1, changes=changes)
                known = workspace.repository.save(key, draft, self._act(author, "from v1"))
                number = known.file.record.number
                self._tell("fork.ipynb", number, data, author, "from v1")

    def _rename(self) -> None:
        """Three versions under one name, one more under the next, in a folder; a tag came along."""
        for number in range(3):
            self.save("rain.ipynb", notebook(code(f"r = {number}")), f"rain {number}")
        with self._workspace() as workspace:
            workspace.tag("kept", "rain.ipynb", "v2")
            (self.folder / "sub").mkdir()
            workspace.rename("rain.ipynb", "sub/日本.ipynb")
        self.save("sub/日本.ipynb", notebook(code("r = 9")), "after the rename", AUTHORS[2])

    def _published(self) -> None:
        """One notebook published twice; another one, published and taken back."""
        with self._workspace() as workspace:
            workspace.publish("weather.ipynb", "v3", message="for all")
            workspace.publish("weather.ipynb", "v11", message="better")
        self.save("back.ipynb", notebook(code("back")), "to be taken back")
        with self._workspace() as workspace:
            workspace.publish("back.ipynb")
            workspace.unpublish("back.ipynb")

    def _removed(self) -> None:
        for number in range(2):
            self.save("removed.ipynb", notebook(code(f"old {number}")), f"old {number}")
        with self._workspace() as workspace:
            workspace.remove("removed.ipynb")

    def _of_other_tools(self) -> None:
        """A version of another tool that was adopted, and one that has no record."""
        self.save("foreign.ipynb", notebook(code("ours")), "ours")
        self._put("foreign.ipynb", notebook(code("theirs")))
        self.save("foreign.ipynb", notebook(code("ours again")), "ours again")
        self.save("unindexed.ipynb", notebook(code("ours")), "ours")
        self._put("unindexed.ipynb", notebook(code("not recorded")))
        self._put("bookstore.ipynb", notebook(code("written before nbvc")))

    def _put(self, path: str, data: bytes) -> None:
        with self._workspace() as workspace:
            repository = workspace.repository
            data_key = repository.layout.data_key(Area.WORKSPACE, workspace.key_of(path))
            repository.store.put(
                data_key, data, mode=Overwrite(), metadata={}, content_type="binary/octet-stream"
            )

    def _old_notebook_and_a_large_one(self) -> None:
        """Format 3, with CRLF and no newline at its end; and one that lies in a file of its own."""
        old = old_notebook({"cell_type": "code", "input": "print 1", "outputs": []})
        self.save("format3.ipynb", old.replace(b", ", b",\r\n "), "of 2013")
        self.save("large.ipynb", notebook(markdown("0123456789abcdef" * 1_024)), "large")
        (self.folder / "large.ipynb").unlink()

    def _mended(self) -> None:
        """As a repair leaves it: v1 was rebuilt without its original, and v2 is lost for good."""
        key = NotebookKey(f"{NAMESPACE}/mended.ipynb")
        with self._workspace() as workspace:
            repository = workspace.repository
            records = _records_by_hand(repository, key, self.environment.now)
            data_key = repository.layout.data_key(Area.WORKSPACE, key)
            repository.store.delete_version(data_key, records[1].version_id)
            change_state(
                repository.backend,
                Area.WORKSPACE,
                key,
                lambda state: replace(state, gone=((2, 2),)),
                action="gone",
                author=AUTHORS[0],
                now=self.environment.now(),
                write_id=self.environment.new_write_id(),
            )

    def _packed(self) -> None:
        """Two versions in a pack, one of them of another tool; one is tagged."""
        self._several("packed.ipynb", 1)
        self._put("packed.ipynb", notebook(code("theirs, packed")))
        self._several("packed.ipynb", 1, first=3)
        self._pack("packed.ipynb")
        with self._workspace() as workspace:
            workspace.tag("in-a-pack", "packed.ipynb", "v2")

    def _unpacked(self) -> None:
        """Two versions were packed and are plain again; one is tagged."""
        self._several("unpacked.ipynb", 3)
        self._pack("unpacked.ipynb")
        with self._workspace() as workspace:
            list(workspace.unpack("unpacked.ipynb", apply=True))
            workspace.tag("plain-again", "unpacked.ipynb", "v2")

    def _forgotten(self) -> None:
        """A packed version and a plain one were let go of; a packed and a plain one stay."""
        self._several("thinned.ipynb", 3)
        self._pack("thinned.ipynb")
        with self._workspace() as workspace:
            workspace.tag("to-keep", "thinned.ipynb", "v2")
        self._several("thinned.ipynb", 1, first=4)
        rules = KeepRules(last=1, zone=UTC)
        with self._workspace() as workspace:
            (report,) = workspace.forget("thinned.ipynb", rules=rules, apply=True)
        assert report.forgotten == ((1, 1), (3, 3))
        self.told = [told for told in self.told if (told.path, told.number) not in FORGOTTEN]

    def _packed_and_renamed(self) -> None:
        """The pack lies under the first name."""
        self._several("cold.ipynb", 2)
        self._pack("cold.ipynb")
        with self._workspace() as workspace:
            workspace.rename("cold.ipynb", "sub/cold.ipynb")

    def _used_again(self) -> None:
        """A name that another notebook had before it was renamed, as Jupyter's Untitled.ipynb."""
        for name in ("named-1.ipynb", "named-2.ipynb"):
            self.save("Untitled.ipynb", notebook(code(name)), f"before it was {name}")
            with self._workspace() as workspace:
                workspace.rename("Untitled.ipynb", name)
        # Its log is that of the second one alone.
        self.told = [each for each in self.told if (each.path, each.number) != USED_BEFORE]

    def _copied(self) -> None:
        """A copy, which names its origin."""
        data = notebook(code("back"))
        (self.folder / "back-Copy1.ipynb").write_bytes(data)
        with self._workspace() as workspace:
            capture(workspace, "back-Copy1.ipynb", copy_of="back.ipynb", message="a copy")
            (delivered,) = workspace.deliver().delivered
        assert delivered.record.source is not None
        self._tell("back-Copy1.ipynb", 1, data, AUTHORS[0], "a copy")

    def _run(self) -> None:
        """What a run made: its input, its parameters, and the cell in which it failed."""
        self.save("nightly.ipynb", notebook(code("day = 1")), "to be run")
        with self._workspace() as workspace:
            version = workspace.resolve("nightly.ipynb", "v1")
            data = notebook(code("day = 7"), code("1 / 0"))
            run = Run(
                outcome="failed",
                input=Source(
                    area=version.area, key=version.key, number=1, version_id=version.version_id
                ),
                started_at=self.environment.now(),
                asked="latest",
                parameters={"day": 7, "name": "雨", "list": [1.5, None, True]},
                left_out=("api_token",),
                error="ZeroDivisionError",
                failed_cell=2,
            )
            draft = Draft(data=data, digest=Digest.of(data), parent=None, changes=None, run=run)
            act = self._act(AUTHORS[2], "run of nightly.ipynb")
            known = workspace.repository.save(workspace.key("runs/nightly.ipynb"), draft, act)
        number = known.file.record.number
        self._tell("runs/nightly.ipynb", number, data, AUTHORS[2], "run of nightly.ipynb")

    def _captured(self) -> None:
        """What Jupyter saved, found, renamed and removed, and nobody has looked at."""
        with self._workspace(AUTHORS[3]) as workspace:
            for name, take in (("fork.ipynb", capture), ("foreign.ipynb", capture_found)):
                data = notebook(code(f"# in Jupyter: {name}"))
                (self.folder / name).write_bytes(data)
                take(workspace, name)
                self._tell(name, None, data, AUTHORS[3], "")
            note_move(workspace, "never-saved.ipynb", "still-not-saved.ipynb")
            note_removal(workspace, "removed.ipynb")

    def _several(self, path: str, number: int, first: int = 1) -> None:
        """Save so many versions, which differ little."""
        cells = [markdown(f"## {path}")]
        for n in range(first, first + number):
            self.save(path, notebook(*cells, code(f"n = {n}")), f"run {n}", AUTHORS[n % 4])

    def _pack(self, path: str) -> None:
        with self._workspace() as workspace:
            reports = list(workspace.pack(path, older_than_days=0, keep_newest=1, apply=True))
        assert any(report.versions for report in reports)

    def _waiting(self) -> None:
        """Two versions that were saved while the store was not reached, and wait: one was sent."""
        message = "saved on the train, 電車"
        notebooks = {name: notebook(code(f"# offline: {name}")) for name in WAITING}
        for name, data in notebooks.items():
            (self.folder / name).write_bytes(data)
            self._tell(name, None, data, AUTHORS[1], message)
        with self._workspace(AUTHORS[1]) as workspace:
            backend = workspace.repository.backend
            switched = SwitchedStore(backend.store)
            workspace.repository._backend = replace(backend, store=switched)
            switched.off()
            assert all(saved.waiting for saved in workspace.save([*WAITING], message=message))

    def _act(self, author: str, message: str) -> Act:
        now, write_id = self.environment.now(), self.environment.new_write_id()
        return Act(author=author, message=message, now=now, write_id=write_id)


def _records_by_hand(
    repository: Repository, key: NotebookKey, now: Callable[[], datetime]
) -> list[Record]:
    """Write three versions, of which the second names a first record that nobody has any more."""
    made: list[Record] = []
    layout, store = repository.layout, repository.store
    original = Digest.of(b"the record that was lost")
    for number in (1, 2, 3):
        data = notebook(code(f"mended {number}"))
        provenance = Provenance(
            digest=Digest.of(data),
            write_id=WriteId(f"mended-{number:015}"),
            saved_at=now(),
            author=AUTHORS[0],
            message=f"mended {number}",
            parent=number - 1 or None,
        )
        stored = store.put(
            layout.data_key(Area.WORKSPACE, key),
            data,
            mode=Overwrite(),
            metadata=to_metadata(provenance),
            content_type="application/x-ipynb+json",
        )
        record = Record(
            number=number,
            version_id=stored.version_id,
            size_bytes=len(data),
            prev={1: None, 2: original}.get(number) if number < 3 else record_hash(made[-1]),
            stands_for=original if number == 1 else None,
            digest=Digest.of(data),
            saved_at=provenance.saved_at or START,
            author=AUTHORS[0],
            message=f"mended {number}",
            parent=number - 1 or None,
            write_id=WriteId(f"mended-{number:015}"),
        )
        file = RecordFile(record=record, recent=tuple(reversed(made)))
        store.put(
            entry_key(layout.records(Area.WORKSPACE, key), number),
            encode(file),
            mode=Create(),
            metadata={WRITE_ID: record.write_id},
            content_type="application/json",
        )
        made.append(record)
    return made


def write_locked(store: Store) -> VersionId:
    """Write a store whose versions are locked for 30 days; return the version that it has."""
    settings = prepare(store, token="frozen-locked-store-22", now=START)
    lock = Lock(days=30, mode=LockMode.GOVERNANCE)
    settings = set_lock(store, lock, token="frozen-lock-token-2222")
    repository = Repository(
        store, settings=settings, sleep=lambda _: None, jitter=lambda: 0.0, now=lambda: START
    )
    data = notebook(code("locked"))
    known = repository.save(
        NotebookKey("kylek/locked.ipynb"),
        Draft(data=data, digest=Digest.of(data), parent=None, changes=None),
        Act(author=AUTHORS[0], message="locked", now=START, write_id=WriteId("frozen-save")),
    )
    return known.file.record.version_id
