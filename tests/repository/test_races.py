"""Real races: threads that save the same notebook at once; processes do in end_to_end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nbvc.stores.local import LocalStore
from tests.repository.support import KEY, assert_whole, chain_of, contents, open_repository, save

WRITERS, SAVES = 4, 10


def save_in_turn(folder: Path, writer: int) -> list[int]:
    """Save ten times, each on top of one's own last; return the numbers."""
    store = LocalStore(folder)
    known, numbers = None, []
    for turn in range(SAVES):
        known = save(open_repository(store), b"%d of %d" % (turn, writer), known)
        numbers.append(known.file.record.number)
    store.close()
    return numbers


def assert_all_kept(folder: Path, numbers: list[list[int]]) -> None:
    """Check that every save got its own number and is in the log, in its writer's order."""
    repository = open_repository(LocalStore(folder))
    total = WRITERS * SAVES
    assert sorted(number for each in numbers for number in each) == list(range(1, total + 1))
    assert all(each == sorted(each) for each in numbers)
    assert_whole(repository, total)
    assert chain_of(repository) == list(range(total, 0, -1))
    expected = {b"%d of %d" % (turn, writer) for turn in range(SAVES) for writer in range(WRITERS)}
    assert set(contents(repository)) == expected
    assert repository.store.get(f"workspace/{KEY}").data in expected
    repository.close()


def test_threads_that_save_at_once_lose_nothing(tmp_path: Path) -> None:
    """Four threads, ten saves each: forty versions, numbered without a gap."""
    LocalStore(tmp_path, create=True).close()
    with ThreadPoolExecutor(WRITERS) as pool:
        numbers = list(pool.map(save_in_turn, [tmp_path] * WRITERS, range(WRITERS)))
    assert_all_kept(tmp_path, numbers)
