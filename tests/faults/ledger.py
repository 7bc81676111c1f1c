"""What the users of a store were told, and so what must be found in it after any failure."""

from __future__ import annotations

from dataclasses import dataclass, field

from nbvc.model import Area, Digest, NotebookKey

Place = tuple[Area, NotebookKey]


@dataclass(slots=True, kw_only=True)
class Expected:
    """How often certain bytes must be, and may be, in the log of one notebook.

    Attributes:
        data: The bytes.
        least: Calls with them that were acknowledged: so many versions, each exactly once.
        open: Calls with them that failed or were killed, so at most so many more.
        waiting: Calls whose version waits in an outbox: not in the log yet, or there once.
        numbers: Version numbers that users were told for these bytes.
    """

    data: bytes = field(repr=False)
    least: int = 0
    open: int = 0
    waiting: int = 0
    numbers: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """A version that somebody let go of, or tried to.

    Attributes:
        digest: Of its bytes.
        done: Whether a forget said that it is done.
    """

    digest: Digest
    done: bool


class Ledger:
    """Keeps account of every call. Tell it what each call said, then ask the oracle.

    Give each save bytes of its own, so that a version shows which save it is.
    """

    def __init__(self) -> None:
        self.places: dict[Place, dict[Digest, Expected]] = {}
        self.tags: dict[tuple[NotebookKey, str], set[int | None]] = {}
        self.let_go: dict[Place, dict[int, LetGo]] = {}

    def acknowledge(
        self,
        key: str,
        data: bytes,
        number: int | None = None,
        *,
        area: Area = Area.WORKSPACE,
    ) -> None:
        """A save or publication said that it is done, perhaps with this *number*."""
        expected = self._of(key, data, area)
        expected.least += 1
        if number is not None:
            expected.numbers.add(number)

    def attempt(self, key: str, data: bytes, *, area: Area = Area.WORKSPACE) -> None:
        """A save or publication failed or was killed: it may have left one version, or none."""
        self._of(key, data, area).open += 1

    def wait(self, key: str, data: bytes) -> None:
        """A save said that its version waits in the outbox."""
        self._of(key, data, Area.WORKSPACE).waiting += 1

    def deliver(self) -> None:
        """The outbox is said to be empty: what waited must be in the log now, each once."""
        for expected in self._all():
            expected.least += expected.waiting
            expected.waiting = 0

    def rename(self, old: str, new: str, data: bytes, *, done: bool = True) -> None:
        """A rename was acknowledged; with *done* False it failed or was killed.

        Args:
            old: The notebook; its own log keeps what it had.
            new: Its new name, whose log has all of that and one more version with *data*.
            data: Bytes of the newest version.
            done: Whether it was acknowledged.
        """
        for digest, before in self.places.get((Area.WORKSPACE, NotebookKey(old)), {}).items():
            after = self._of(new, before.data, Area.WORKSPACE)
            copies = before.least + (digest == Digest.of(data))
            if done:
                after.least, after.open = copies, before.open  # idempotent, so no copy more
                after.numbers |= before.numbers
            else:
                after.open += copies + before.open

    def forget(self, key: str, number: int, data: bytes, *, done: bool = True) -> None:
        """A forget that lets go of version *number* was acknowledged.

        With *done* False it failed or was killed: the version is there as before, or not at all.
        """
        expected = self._of(key, data, Area.WORKSPACE)
        numbers = self.let_go.setdefault((Area.WORKSPACE, NotebookKey(key)), {})
        before = numbers.get(number)
        if before is None:
            expected.least -= 1
            expected.open += 1
            expected.numbers.discard(number)
        if done and not (before and before.done):
            expected.open -= 1
        is_done = done or (before is not None and before.done)
        numbers[number] = LetGo(digest=Digest.of(data), done=is_done)

    def tag(self, key: str, name: str, number: int | None, *, done: bool = True) -> None:
        """A tag was set (``None``: taken away); with *done* False that failed or was killed."""
        place = (NotebookKey(key), name)
        before = self.tags.get(place, {None})
        self.tags[place] = {number} if done else before | {number}

    def optional(self) -> Ledger:
        """Return what a store may hold to which all this was to be brought, by calls that failed.

        Each version once, with the number that it has here, or not at all; tags likewise.
        """
        other = Ledger()
        for (area, key), expected in self.places.items():
            for each in expected.values():
                copy = other._of(key, each.data, area)
                copy.open = each.least + each.open
        for (key, name), numbers in self.tags.items():
            other.tags[key, name] = numbers | {None}
        return other

    def keys(self, area: Area = Area.WORKSPACE) -> list[NotebookKey]:
        """Return the notebooks that something is known of, in order."""
        return sorted(key for place, key in self.places if place is area)

    def _of(self, key: str, data: bytes, area: Area) -> Expected:
        place = self.places.setdefault((area, NotebookKey(key)), {})
        return place.setdefault(Digest.of(data), Expected(data=data))

    def _all(self) -> list[Expected]:
        return [expected for place in self.places.values() for expected in place.values()]
