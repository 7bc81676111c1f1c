"""The commands that are struck, as a table. To add one, add a scene to ``SCENES``."""

from __future__ import annotations

from collections.abc import Callable

from nbvc.manifest.layout import Layout
from nbvc.model import Area, NotebookKey
from nbvc.stores.base import Overwrite
from nbvc.workspace.accepting import capture, note_move, note_removal
from nbvc.workspace.core import Workspace
from tests.faults.disk.world import EMBEDDED, NAMESPACE, SHARED, TARGET, Scene, World, small
from tests.faults.ledger import Ledger
from tests.notebook_samples import code, markdown, notebook


def large(text: str) -> bytes:
    """Return a notebook that is too large to lie in the index of the embedded store."""
    return notebook(code(text), markdown("long " * 6_000))


ONE, TWO, TYPED = (large(text) for text in ("one", "two", "typed"))
RUNS = (*(small(f"run {number}") for number in (1, 2, 3)), large("run 4"))
PACK = ("pack", "--older-than", "0", "--keep-newest", "1", "--apply")


def _bound(world: World) -> None:
    world.bind()


def _unsaved(world: World) -> None:
    _bound(world)
    _fresh(world)


def _saved(world: World) -> None:
    _bound(world)
    world.save("a.ipynb", ONE)


def _twice_saved(world: World) -> None:
    _saved(world)
    world.save("a.ipynb", TWO)


def _typed(world: World) -> None:
    _twice_saved(world)
    world.cli.write("a.ipynb", TYPED)


def _several(world: World) -> None:
    _saved(world)
    world.save("c.ipynb", small("c"))
    world.cli.write("a.ipynb", TWO)
    world.cli.write("b.ipynb", small("b"))
    world.cli.write("sub/d.ipynb", large("d"))


def _published(world: World) -> None:
    _twice_saved(world)
    world.cli("publish", "a.ipynb@v1")
    world.told.acknowledge(f"{NAMESPACE}/a.ipynb", ONE, area=Area.PUBLISHED)
    world.cli("tag", "a.ipynb@v2", "good")
    world.told.tag(f"{NAMESPACE}/a.ipynb", "good", 2)


def _rich(world: World) -> None:
    _published(world)
    world.save("sub/b.ipynb", small("b"))


def _packed(world: World) -> None:
    """Five versions: three are packed, one of which has been tagged since."""
    _bound(world)
    for data in RUNS:
        world.save("a.ipynb", data)
    world.cli(*PACK)
    world.cli("tag", "a.ipynb@v2", "good")
    world.told.tag(f"{NAMESPACE}/a.ipynb", "good", 2)
    world.save("a.ipynb", TYPED)


def _shared(world: World) -> None:
    world.bind(SHARED)
    world.save("a.ipynb", ONE)
    world.save("a.ipynb", TWO)
    world.save("sub/b.ipynb", small("b"))
    world.cli.folder.rename(world.root / "other")
    world.cli.folder.mkdir()


def _waiting(world: World) -> None:
    """Two versions of one notebook and one of another wait, and more was typed."""
    _saved(world)
    for path, data in (("a.ipynb", TWO), ("b.ipynb", small("b")), ("a.ipynb", small("three"))):
        world.cli.write(path, data)
        outcome = world.run(("save", path), offline=True)
        assert outcome.exit_code == 0, outcome.said
        world.told.wait(f"{NAMESPACE}/{path}", data)
    world.cli.write("a.ipynb", TYPED)


def _captured(world: World) -> None:
    """What an editor saved lies in the outbox, and nobody has looked at it."""
    _saved(world)
    for path, data in (("a.ipynb", TWO), ("b.ipynb", small("b")), ("a.ipynb", TYPED)):
        world.cli.write(path, data)
        _edit(world, lambda workspace, path=path: capture(workspace, path))
        world.told.wait(f"{NAMESPACE}/{path}", data)


def _captured_moves(world: World) -> None:
    """An editor moved a notebook, saved it under its new name, and removed another one."""
    _twice_saved(world)
    world.save("c.ipynb", small("c"))
    (world.cli.folder / "sub").mkdir()
    (world.cli.folder / "a.ipynb").rename(world.cli.folder / "sub/z.ipynb")
    (world.cli.folder / "c.ipynb").unlink()
    _edit(world, lambda workspace: note_move(workspace, "a.ipynb", "sub/z.ipynb"))
    _edit(world, lambda workspace: note_removal(workspace, "c.ipynb"))
    world.cli.write("sub/z.ipynb", TYPED)
    _edit(world, lambda workspace: capture(workspace, "sub/z.ipynb"))
    world.told.wait(f"{NAMESPACE}/sub/z.ipynb", TYPED)


def _edit(world: World, act: Callable[[Workspace], object]) -> None:
    with Workspace.open(world.cli.folder) as workspace:
        act(workspace)


def _without_records(world: World) -> None:
    """One notebook has a version of another tool on top, another one has lost its only record."""
    _twice_saved(world)
    world.save("c.ipynb", small("c"))
    layout = Layout()
    foreign, lost = NotebookKey(f"{NAMESPACE}/a.ipynb"), NotebookKey(f"{NAMESPACE}/c.ipynb")
    with world.store(EMBEDDED) as store:
        store.put(
            layout.data_key(Area.WORKSPACE, foreign),
            small("from elsewhere"),
            mode=Overwrite(),
            metadata={},
            content_type="application/json",
        )
        for entry in list(store.list_versions(layout.records(Area.WORKSPACE, lost))):
            store.delete_version(entry.key, entry.version_id)
    world.told.acknowledge(foreign, small("from elsewhere"))


def _fresh(world: World) -> None:
    world.cli.write("a.ipynb", ONE)


def _saves(*saves: tuple[str, bytes], area: Area = Area.WORKSPACE) -> Callable[..., None]:
    def tell(ledger: Ledger, done: bool) -> None:
        for path, data in saves:
            act = ledger.acknowledge if done else ledger.attempt
            act(f"{NAMESPACE}/{path}", data, area=area)

    return tell


def _waits(ledger: Ledger, done: bool) -> None:
    (ledger.wait if done else ledger.attempt)(f"{NAMESPACE}/a.ipynb", TYPED)


def _push(ledger: Ledger, done: bool) -> None:
    if done:
        ledger.deliver()


def _save_behind(ledger: Ledger, done: bool) -> None:
    _push(ledger, done)
    _saves(("a.ipynb", TYPED))(ledger, done)


def _tag(ledger: Ledger, done: bool) -> None:
    ledger.tag(f"{NAMESPACE}/a.ipynb", "release", 1, done=done)


def _rename(ledger: Ledger, done: bool) -> None:
    ledger.rename(f"{NAMESPACE}/a.ipynb", f"{NAMESPACE}/sub/z.ipynb", TWO, done=done)


def _push_moves(ledger: Ledger, done: bool) -> None:
    _rename(ledger, done)
    _push(ledger, done)


def _forget(numbers: dict[int, bytes]) -> Callable[..., None]:
    def tell(ledger: Ledger, done: bool) -> None:
        for number, data in numbers.items():
            ledger.forget(f"{NAMESPACE}/a.ipynb", number, data, done=done)

    return tell


SCENES = (
    Scene(name="init", arguments=("init", "--namespace", NAMESPACE), prepare=_fresh),
    Scene(
        name="save-new",
        arguments=("save",),
        prepare=_unsaved,
        tell=_saves(("a.ipynb", ONE)),
    ),
    Scene(
        name="save-changed", arguments=("save",), prepare=_typed, tell=_saves(("a.ipynb", TYPED))
    ),
    Scene(
        name="save-several",
        arguments=("save",),
        prepare=_several,
        tell=_saves(("a.ipynb", TWO), ("b.ipynb", small("b")), ("sub/d.ipynb", large("d"))),
    ),
    Scene(
        name="checkout-force",
        arguments=("checkout", "--force", "a.ipynb@v1"),
        prepare=_typed,
        tell=_saves(("a.ipynb", TYPED)),
    ),
    Scene(
        name="checkout-to",
        arguments=("checkout", "a.ipynb@v1", "-o", "old/copy.ipynb"),
        prepare=_typed,
        again=frozenset({0, 5}),
    ),
    Scene(
        name="publish",
        arguments=("publish", "a.ipynb"),
        prepare=_published,
        tell=_saves(("a.ipynb", TWO), area=Area.PUBLISHED),
    ),
    Scene(
        name="unpublish",
        arguments=("unpublish", "a.ipynb"),
        prepare=_published,
        again=frozenset({0, 3}),
    ),
    Scene(name="tag", arguments=("tag", "a.ipynb@v1", "release"), prepare=_twice_saved, tell=_tag),
    Scene(
        name="mv",
        arguments=("mv", "a.ipynb", "sub/z.ipynb"),
        prepare=_twice_saved,
        tell=_rename,
        again=frozenset({0, 3}),
    ),
    Scene(name="rm", arguments=("rm", "a.ipynb"), prepare=_rich),
    Scene(
        name="clone",
        arguments=("clone", "../other", "copy"),
        prepare=_shared,
        workspace="project/copy",
        store=SHARED,
    ),
    Scene(name="save-offline", arguments=("save",), prepare=_typed, tell=_waits, offline=True),
    Scene(
        name="save-offline-again", arguments=("save",), prepare=_waiting, tell=_waits, offline=True
    ),
    Scene(name="push", arguments=("push",), prepare=_waiting, tell=_push),
    Scene(name="push-captured", arguments=("push",), prepare=_captured, tell=_push),
    Scene(name="push-moves", arguments=("push",), prepare=_captured_moves, tell=_push_moves),
    Scene(name="save-behind", arguments=("save",), prepare=_waiting, tell=_save_behind),
    Scene(name="repair", arguments=("repair", "--apply"), prepare=_without_records),
    Scene(name="pack", arguments=PACK, prepare=_packed),
    Scene(name="unpack", arguments=("unpack", "--apply"), prepare=_packed),
    Scene(
        name="forget",
        arguments=("forget", "--keep-last", "1", "--apply"),
        prepare=_packed,
        tell=_forget({1: RUNS[0], 3: RUNS[2], 4: RUNS[3]}),
    ),
    Scene(
        name="migrate",
        arguments=("migrate", f"../{TARGET}"),
        prepare=_rich,
        target=TARGET,
        again=frozenset({0, 2}),
    ),
)
