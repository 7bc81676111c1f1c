"""Tags, names and removal: what may change about a notebook, and what never gets lost by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from nbvc.errors import (
    AlreadyExists,
    InvalidInput,
    InvalidRef,
    NotebookNotFound,
    VersionNotFound,
)
from nbvc.manifest.states import MAX_TAGS
from nbvc.model import Area, NotebookKey
from nbvc.repository import Repository
from nbvc.repository.states import change_state, read_state
from nbvc.stores.local import LocalStore
from tests.interleaving import every_schedule, run, sampled_schedules, stepping
from tests.repository.support import (
    KEY,
    NOON,
    OTHER,
    THIRD,
    act,
    contents,
    find,
    numbers,
    open_repository,
    put_foreign,
    save,
    save_many,
)
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


# -- tags -----------------------------------------------------------------------------------------


def test_a_tag_names_a_version(repository: Repository) -> None:
    """In the list of tags, in the log, and as a ref, with steps back from it."""
    save_many(repository, 5)
    assert repository.set_tag(KEY, "release", 3, act()) is None
    repository.set_tag(KEY, "a-first", 3, act())
    assert repository.tags(KEY) == {"release": 3, "a-first": 3}
    tags = {v.number: v.tags for v in repository.log(KEY) if v.tags}
    assert tags == {3: ("a-first", "release")}
    assert find(repository, "release").number == 3
    assert find(repository, "release~2").number == 1
    with pytest.raises(VersionNotFound):
        find(repository, "release~3")


def test_a_tag_is_moved_only_when_told(repository: Repository) -> None:
    """The old version is named in the refusal, and told when it is moved."""
    save_many(repository, 3)
    repository.set_tag(KEY, "release", 1, act())
    assert repository.set_tag(KEY, "release", 1, act()) == 1
    with pytest.raises(AlreadyExists, match="at v1"):
        repository.set_tag(KEY, "release", 2, act())
    assert repository.tags(KEY) == {"release": 1}
    assert repository.set_tag(KEY, "release", 2, act(), move=True) == 1
    assert repository.tags(KEY) == {"release": 2}


def test_a_tag_can_be_deleted(repository: Repository) -> None:
    """And is then not found, neither to delete nor to resolve."""
    save_many(repository, 2)
    repository.set_tag(KEY, "release", 1, act())
    assert repository.delete_tag(KEY, "release", act()) == 1
    assert repository.tags(KEY) == {}
    with pytest.raises(VersionNotFound, match="release"):
        repository.delete_tag(KEY, "release", act())
    with pytest.raises(VersionNotFound, match="release"):
        find(repository, "release")


def test_what_means_something_else_cannot_become_a_tag(repository: Repository) -> None:
    """The name is checked before anything is written."""
    save(repository, b"{}")
    for name in ("v3", "latest", "abc", "a b"):
        with pytest.raises(InvalidRef):
            repository.set_tag(KEY, name, 1, act())
    assert repository.tags(KEY) == {}


def test_a_notebook_can_have_so_many_tags_and_no_more(repository: Repository) -> None:
    """At the limit an existing tag can still be moved."""
    save_many(repository, 2)
    full = {f"tag-{number}": 1 for number in range(MAX_TAGS)}
    change_state(
        repository.backend,
        Area.WORKSPACE,
        KEY,
        lambda state: replace(state, tags=full),
        action="tag",
        author="ada",
        now=NOON,
        write_id=act().write_id,
    )
    with pytest.raises(InvalidInput, match="1000 tags"):
        repository.set_tag(KEY, "one-more", 1, act())
    assert repository.set_tag(KEY, "tag-7", 2, act(), move=True) == 1
    assert repository.tags(KEY)["tag-7"] == 2


def test_every_change_of_a_tag_leaves_a_trace(repository: Repository) -> None:
    """The states say who did what, and each names the one before it."""
    save_many(repository, 2)
    repository.set_tag(KEY, "release", 1, act(author="ada"))
    repository.set_tag(KEY, "release", 2, act(author="bob"), move=True)
    repository.delete_tag(KEY, "release", act(author="eve"))
    state = read_state(repository.backend, Area.WORKSPACE, KEY)
    assert state is not None
    assert (state.number, state.author, state.action) == (3, "eve", "untag")
    assert state.prev is not None


@pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "unconditional"])
def test_tags_that_are_set_at_once_are_all_kept(conditional: bool) -> None:
    """Every order of the requests of two people who tag, and a sample for three."""
    base = MemoryStore(conditional=conditional)
    save_many(open_repository(base), 3)
    for writers, schedules in ((2, every_schedule(5_000)), (3, sampled_schedules(300))):
        for schedule in schedules:
            store = base.clone()
            run([tagger(store, number) for number in range(1, writers + 1)], schedule)
            expected = {f"tag-{number}": number for number in range(1, writers + 1)}
            assert open_repository(store).tags(KEY) == expected, schedule.choices


def tagger(store: MemoryStore, number: int) -> Callable[[], object]:
    """Return a writer that gives one version a tag."""
    made = act()
    return lambda: open_repository(stepping(store)).set_tag(KEY, f"tag-{number}", number, made)


def test_threads_that_tag_at_once_lose_no_tag(tmp_path: Path) -> None:
    """Four threads, five tags each, on the embedded store."""
    save_many(open_repository(LocalStore(tmp_path, create=True)), 1)

    def tag(thread: int) -> None:
        repository = open_repository(LocalStore(tmp_path))
        for number in range(5):
            repository.set_tag(KEY, f"tag-{thread}-{number}", 1, act())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tag, range(4)))
    assert len(open_repository(LocalStore(tmp_path)).tags(KEY)) == 20


# -- removal --------------------------------------------------------------------------------------


def test_a_removed_notebook_is_hidden_and_keeps_its_versions(repository: Repository) -> None:
    """Not listed, but among the removed; every version can still be read."""
    save_many(repository, 3)
    save(repository, b"{}", key=OTHER)
    repository.remove(KEY, act())
    repository.remove(KEY, act())
    assert [each.key for each in repository.list_notebooks()] == [OTHER]
    (removed,) = repository.list_removed()
    assert (removed.key, removed.number, removed.removed) == (KEY, 3, True)
    assert contents(repository) == [b"v3", b"v2", b"v1"]
    assert repository.read(find(repository, "v2")) == b"v2"


@pytest.mark.parametrize("knows", [True, False], ids=["who knew it", "who comes anew"])
def test_a_save_brings_a_removed_notebook_back(repository: Repository, knows: bool) -> None:
    """Its numbers go on, its tags are there, and it is removed no longer."""
    known = save_many(repository, 3)
    repository.set_tag(KEY, "release", 2, act())
    repository.remove(KEY, act())
    saved = save(repository, b"v4", known if knows else None)
    assert saved.file.record.number == 4
    assert numbers(repository) == [4, 3, 2, 1]
    assert list(repository.list_removed()) == []
    assert [each.number for each in repository.list_notebooks()] == [4]
    assert find(repository, "release").number == 2
    repository.remove(KEY, act())
    assert [each.key for each in repository.list_removed()] == [KEY]


def test_what_never_was_cannot_be_removed(repository: Repository) -> None:
    """And nothing is written for it."""
    with pytest.raises(NotebookNotFound):
        repository.remove(KEY, act())
    assert list(repository.store.list_versions("")) == []


def test_a_foreign_notebook_can_be_removed_and_comes_back(repository: Repository) -> None:
    """A notebook without any record is removed and saved again like others."""
    put_foreign(repository.store, b"foreign")
    repository.remove(KEY, act())
    assert [each.key for each in repository.list_removed()] == [KEY]
    save(repository, b"mine")
    assert set(contents(repository)) == {b"mine", b"foreign"}
    assert list(repository.list_removed()) == []


# -- rename ---------------------------------------------------------------------------------------


def test_numbers_and_tags_follow_a_rename(repository: Repository) -> None:
    """The rename is a version of its own; every earlier one is there under its number."""
    save_many(repository, 20)
    repository.set_tag(KEY, "release", 7, act())
    known = repository.rename(KEY, OTHER, act("better name"))
    record = known.file.record
    assert (record.number, record.parent, record.message) == (21, 20, "better name")
    assert record.source is not None
    assert (record.source.key, record.source.number) == (KEY, 20)
    assert numbers(repository, OTHER) == list(range(21, 0, -1))
    expected = [b"v20", *(b"v%d" % number for number in range(20, 0, -1))]
    assert contents(repository, OTHER) == expected
    assert find(repository, "v3", OTHER).key == KEY
    assert repository.read(find(repository, "release", OTHER)) == b"v7"
    assert [each.key for each in repository.list_notebooks()] == [OTHER]
    assert list(repository.list_removed()) == []
    for number in range(22, 60):
        known = save(repository, b"v%d" % number, known, key=OTHER)
    assert numbers(repository, OTHER) == list(range(59, 0, -1))
    assert [v.number for v in repository.log(OTHER, limit=45)] == list(range(59, 14, -1))


def test_refs_under_the_old_name_still_work(repository: Repository) -> None:
    """Whoever wrote down the old path and a number finds the very bytes."""
    save_many(repository, 3)
    version = find(repository, "v2")
    repository.rename(KEY, OTHER, act())
    assert find(repository, "v2") == version
    assert repository.read(find(repository, version.version_id)) == b"v2"
    assert numbers(repository) == [3, 2, 1]


def test_a_notebook_can_be_renamed_there_and_back(repository: Repository) -> None:
    """Through three names and back to the first: one history, each number once."""
    known = save_many(repository, 5)
    for source, target in [(KEY, OTHER), (OTHER, THIRD), (THIRD, KEY), (KEY, OTHER)]:
        known = repository.rename(source, target, act())
        known = save_many(repository, 3, key=target, known=known)
    newest = known.file.record.number
    assert newest == 5 + 4 * 4
    assert numbers(repository, OTHER) == list(range(newest, 0, -1))
    assert [v.number for v in repository.log(OTHER, limit=4)] == list(range(newest, newest - 4, -1))
    for version in repository.log(OTHER):
        assert find(repository, version.name, OTHER).version_id == version.version_id
        assert repository.read(version)
    assert [each.key for each in repository.list_notebooks()] == [OTHER]


def test_a_history_is_never_mixed_into_another(repository: Repository) -> None:
    """A name that has versions is refused: living, removed, foreign, or the notebook itself."""
    save_many(repository, 2)
    save(repository, b"{}", key=OTHER)
    put_foreign(repository.store, b"foreign", THIRD)
    before = sorted(entry.key for entry in repository.store.list_versions(""))
    for target in (OTHER, THIRD, KEY):
        with pytest.raises(AlreadyExists):
            repository.rename(KEY, target, act())
    assert sorted(entry.key for entry in repository.store.list_versions("")) == before
    repository.remove(OTHER, act())
    with pytest.raises(AlreadyExists, match="removed"):
        repository.rename(KEY, OTHER, act())
    assert contents(repository) == [b"v2", b"v1"]


def test_a_notebook_saved_under_the_old_name_is_another_one(repository: Repository) -> None:
    """Both go on, and neither shows versions of the other; by their numbers they can be named."""
    save_many(repository, 3)
    moved = repository.rename(KEY, OTHER, act())
    save(repository, b"old name", None)
    save(repository, b"new name", moved, key=OTHER)
    assert contents(repository, OTHER) == [b"new name", b"v3", b"v3", b"v2", b"v1"]
    assert contents(repository) == [b"old name"]
    assert numbers(repository) == [4]
    assert repository.read(find(repository, "v3")) == b"v3"
    with pytest.raises(AlreadyExists):
        repository.rename(OTHER, KEY, act())


def test_a_name_that_is_used_again_and_again_takes_no_history_along(
    repository: Repository,
) -> None:
    """As Untitled.ipynb: each notebook that began under it shows what is its own."""
    others = [NotebookKey(f"kylek/{name}.ipynb") for name in ("a", "b", "c")]
    for other in others:
        save(repository, other.encode(), None)
        repository.rename(KEY, other, act())
    for other in others:
        assert set(contents(repository, other)) == {other.encode()}


def test_a_save_under_a_name_that_was_only_passed_through(repository: Repository) -> None:
    """Its manifest does not begin with v1, and a new notebook there does not claim v1 anew."""
    save_many(repository, 3)
    repository.rename(KEY, OTHER, act())
    repository.rename(OTHER, THIRD, act())
    saved = save(repository, b"fresh", None, key=OTHER)
    assert saved.file.record.number == 5
    assert numbers(repository, OTHER) == [5]
    assert repository.read(find(repository, "v1", OTHER)) == b"v1"
    assert repository.read(find(repository, "latest", OTHER)) == b"fresh"
    assert numbers(repository, THIRD) == [5, 4, 3, 2, 1]


def test_a_notebook_that_is_not_there_cannot_be_renamed(repository: Repository) -> None:
    """Never saved, renamed away, removed, or with a latest version that has no record."""
    with pytest.raises(NotebookNotFound):
        repository.rename(KEY, OTHER, act())
    save_many(repository, 2)
    repository.rename(KEY, OTHER, act())
    with pytest.raises(NotebookNotFound, match=OTHER):
        repository.rename(KEY, THIRD, act())
    put_foreign(repository.store, b"foreign", OTHER)
    with pytest.raises(InvalidInput, match="no record"):
        repository.rename(OTHER, THIRD, act())
    repository.remove(OTHER, act())
    with pytest.raises(NotebookNotFound):
        repository.rename(OTHER, THIRD, act())


def test_a_rename_that_is_repeated_changes_nothing(repository: Repository) -> None:
    """The same call again finds everything done."""
    save_many(repository, 2)
    first = repository.rename(KEY, OTHER, act())
    before = list(repository.store.list_versions(""))
    assert repository.rename(KEY, OTHER, act()) == first
    assert list(repository.store.list_versions("")) == before


class CutOff(Exception):
    """The process ended here."""


class CutOffStore(WrappedStore):
    """Works for so many requests; the last of them is done, or not, and no answer comes."""

    def __init__(self, inner: MemoryStore, requests: int, *, done: bool) -> None:
        super().__init__(inner)
        self.left = requests
        self._done = done

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send, until the end comes."""
        self.left -= 1
        if self.left > 0:
            return send()
        if self.left == 0 and self._done:
            send()
        raise CutOff


def cut_off_everywhere(
    base: MemoryStore, perform: Callable[[Repository], object]
) -> Iterator[MemoryStore]:
    """Yield what is left of *perform* when it is cut off at each of its requests."""
    for done in (False, True):
        for requests in range(1, 200):
            store = base.clone()
            stopping = CutOffStore(store, requests, done=done)
            try:
                perform(open_repository(stopping))
            except CutOff:
                yield store
            else:
                break
        else:
            raise AssertionError("more than 200 requests")


@pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "unconditional"])
@pytest.mark.parametrize("back", [False, True], ids=["to a new name", "back to the old name"])
def test_a_rename_cut_off_anywhere_is_completed_by_the_same_call(
    conditional: bool, back: bool
) -> None:
    """After each request, sent or not: nothing is lost meanwhile, and repeating it completes it."""
    base = MemoryStore(conditional=conditional)
    save_many(open_repository(base), 3)
    open_repository(base).set_tag(KEY, "release", 2, act())
    source, target, before = KEY, OTHER, 3
    if back:
        open_repository(base).rename(KEY, OTHER, act())
        source, target, before = OTHER, KEY, 4
    whole = contents(open_repository(base), source)
    stops = 0
    for store in cut_off_everywhere(base, lambda r: r.rename(source, target, act())):
        stops += 1
        repository = open_repository(store)
        assert contents(repository, source) == whole
        assert listed_numbers(repository, target) in (
            [],
            list(range(before, 0, -1)),
            list(range(before + 1, 0, -1)),
            [3, 2, 1],
        )
        known = repository.rename(source, target, act())
        assert known.file.record.number == before + 1
        assert numbers(repository, target) == list(range(before + 1, 0, -1))
        assert contents(repository, target) == [b"v3", *whole]
        assert repository.tags(target) == {"release": 2}
        assert [each.key for each in repository.list_notebooks()] == [target]
        save(repository, b"next", known, key=target)
        assert numbers(repository, target) == list(range(before + 2, 0, -1))
    assert stops >= 20


def listed_numbers(repository: Repository, key: NotebookKey) -> list[int]:
    """Return the numbers that the log shows, an empty list for no such notebook."""
    try:
        return [number for number in numbers(repository, key) if number is not None]
    except NotebookNotFound:
        return []


@pytest.mark.parametrize("back", [False, True], ids=["to a new name", "back to the old name"])
def test_a_save_after_a_rename_that_was_cut_off_keeps_every_version(back: bool) -> None:
    """Who saves under either name instead of repeating the rename loses and doubles nothing."""
    base = MemoryStore()
    save_many(open_repository(base), 3)
    source, target = KEY, OTHER
    if back:
        open_repository(base).rename(KEY, OTHER, act())
        source, target = OTHER, KEY
    whole = contents(open_repository(base), source)
    for store in cut_off_everywhere(base, lambda r: r.rename(source, target, act())):
        repository = open_repository(store)
        for key in (source, target):
            save(repository, b"after", None, key=key)
            versions = list(repository.log(key))
            recorded = [version.version_id for version in versions if version.indexed]
            assert len(recorded) == len(set(recorded))
            assert repository.read(versions[0]) == b"after"
        shown = [contents(repository, key) for key in (source, target)]
        assert any(found[-len(whole) :] == whole for found in shown)
        assert set(contents(repository, target)) >= {b"after"}


@pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "unconditional"])
def test_a_removal_cut_off_anywhere_is_completed_by_the_same_call(conditional: bool) -> None:
    """After each request, sent or not, the versions are there, and repeating it completes it."""
    base = MemoryStore(conditional=conditional)
    save_many(open_repository(base), 2)
    for store in cut_off_everywhere(base, lambda r: r.remove(KEY, act())):
        repository = open_repository(store)
        assert contents(repository) == [b"v2", b"v1"]
        repository.remove(KEY, act())
        assert [each.key for each in repository.list_removed()] == [KEY]
        assert list(repository.list_notebooks()) == []


def test_a_tag_that_is_given_after_a_rename_was_cut_off_comes_along() -> None:
    """However far it had come, the tag is there under the new name when it is completed."""
    base = MemoryStore()
    save_many(open_repository(base), 3)
    open_repository(base).set_tag(KEY, "release", 2, act())
    for store in cut_off_everywhere(base, lambda r: r.rename(KEY, OTHER, act())):
        repository = open_repository(store)
        repository.set_tag(KEY, "late", 1, act())
        repository.rename(KEY, OTHER, act())
        assert repository.tags(OTHER) == {"release": 2, "late": 1}


def test_a_notebook_does_not_return_to_a_name_under_which_others_went_on() -> None:
    """Its numbers would be given twice: the version that was saved there keeps its own."""
    base = MemoryStore()
    known = save_many(open_repository(base), 3)
    for store in cut_off_everywhere(base, lambda r: r.rename(KEY, OTHER, act())):
        repository = open_repository(store)
        mine = save(repository, b"meanwhile", known)
        if not listed_numbers(repository, OTHER):
            continue  # it had not come so far that it could be renamed back
        with pytest.raises((AlreadyExists, InvalidInput, NotebookNotFound)):
            repository.rename(OTHER, KEY, act())
        number = mine.file.record.number
        assert repository.read(find(repository, f"v{number}")) == b"meanwhile"


def test_a_copy_that_a_cut_off_rename_left_gets_no_parent_of_another_notebook() -> None:
    """Adopted by a save under the new name, it is v1 there, and v1 has no parent."""
    base = MemoryStore()
    save_many(open_repository(base), 3)
    for store in cut_off_everywhere(base, lambda r: r.rename(KEY, OTHER, act())):
        repository = open_repository(store)
        save(repository, b"after", None, key=OTHER)
        for version in repository.log(OTHER):
            assert version.parent is None or version.parent < (version.number or 0)


def test_a_save_after_a_cut_off_rename_was_removed_goes_on_with_its_numbers() -> None:
    """The number that the save was told is the one under which its version is found."""
    base = MemoryStore()
    save_many(open_repository(base), 3)
    for store in cut_off_everywhere(base, lambda r: r.rename(KEY, OTHER, act())):
        repository = open_repository(store)
        if not listed_numbers(repository, OTHER):
            continue
        repository.remove(OTHER, act())
        number = save(repository, b"after", None, key=OTHER).file.record.number
        assert next(repository.log(OTHER)).number == number
        assert repository.read(find(repository, f"v{number}", OTHER)) == b"after"
        shown = listed_numbers(repository, OTHER)
        assert shown == list(range(number, 0, -1))


def test_a_rename_that_was_done_already_moves_no_tag_back(repository: Repository) -> None:
    """The second of two people gives the notebook its new name, too: tags stay where they are."""
    save_many(repository, 2)
    repository.set_tag(KEY, "good", 1, act())
    repository.rename(KEY, OTHER, act())
    repository.set_tag(OTHER, "good", 3, act(), move=True)
    repository.rename(KEY, OTHER, act())
    assert repository.tags(OTHER) == {"good": 3}
