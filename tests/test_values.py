"""Our data classes do what those of the standard library do; they are only cheaper to define."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pickle
import pkgutil
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, replace
from types import ModuleType
from typing import Any

import pytest

import nbvc
from nbvc import values


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """As the standard library makes it."""

    number: int
    words: tuple[str, ...] = ("a",)
    notes: dict[str, int] = field(default_factory=dict, compare=False)
    secret: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Put in order what was given."""
        object.__setattr__(self, "words", tuple(sorted(self.words)))


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The same, as we make it."""

    number: int
    words: tuple[str, ...] = ("a",)
    notes: dict[str, int] = field(default_factory=dict, compare=False)
    secret: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Put in order what was given."""
        object.__setattr__(self, "words", tuple(sorted(self.words)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlainMore(Plain):
    """With a part more."""

    last: float = 0.5


@values.dataclass(frozen=True, slots=True, kw_only=True)
class OursMore(Ours):
    """The same, as we make it."""

    last: float = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class PlainPair:
    """By position."""

    left: int
    right: int = 2


@values.dataclass(frozen=True, slots=True)
class OursPair:
    """The same, as we make it."""

    left: int
    right: int = 2


TWINS = [(Plain, Ours), (PlainMore, OursMore)]


def outcome(call: Callable[[], Any]) -> object:
    """Return what a call returns, or its error, whatever the class is called."""
    try:
        found = repr(call())
    except (TypeError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"
    return found.replace("Plain", "Ours")


@pytest.mark.parametrize("cls", [cls for twins in TWINS for cls in twins])
def test_a_value_is_made_with_its_defaults(cls: Any) -> None:
    """Each with a dictionary of its own, and seen by ``__post_init__``."""
    one, other = cls(number=1, words=("b", "a")), cls(number=1)
    assert (one.number, one.words, one.notes, one.secret) == (1, ("a", "b"), {}, b"")
    assert one.notes is not other.notes


ACTS: dict[str, Callable[[Any], Any]] = {
    "shown": lambda cls: cls(number=1, secret=b"x"),
    "equal": lambda cls: cls(number=1, notes={"a": 1}) == cls(number=1),
    "not equal": lambda cls: cls(number=1) == cls(number=2),
    "of another class": lambda cls: cls(number=1) == 1,
    "hashed": lambda cls: len({cls(number=1), cls(number=1), cls(number=2)}),
    "replaced": lambda cls: replace(cls(number=1), number=2),
    "taken apart": lambda cls: dataclasses.asdict(cls(number=1)),
    "set": lambda cls: setattr(cls(number=1), "number", 2),
    "set anew": lambda cls: hasattr(cls(number=1), "__dict__"),
    "deleted": lambda cls: delattr(cls(number=1), "number"),
    "without a part": lambda cls: cls(),
    "with a part too many": lambda cls: cls(number=1, more=2),
    "by position": lambda cls: cls(1),
    "copied": lambda cls: copy.deepcopy(cls(number=1, notes={"a": 1})),
    "pickled": lambda cls: pickle.loads(pickle.dumps(cls(number=1, notes={"a": 1}))).notes,
    "matched": lambda cls: cls.__match_args__,
    "fields": lambda cls: [(part.name, part.kw_only) for part in dataclasses.fields(cls)],
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("twins", TWINS, ids=["base", "child"])
@pytest.mark.parametrize("made", [0, 100], ids=["uncompiled", "compiled"])
def test_both_kinds_do_the_same(twins: tuple[Any, Any], act: str, made: int) -> None:
    """Also where it is an error, and whether ``__init__`` is compiled already or not."""
    twins[1].__init__ = values._uncompiled_init(twins[1])
    for number in range(made):
        twins[1](number=number)
    plain, ours = (outcome(lambda cls=cls: ACTS[act](cls)) for cls in twins)  # type: ignore[misc]
    assert ours == plain


def test_parts_may_be_given_by_position_where_the_class_says_so() -> None:
    """As for the few small classes that take them."""
    assert (OursPair(1), OursPair(1, right=3), OursPair(1, 3)) == (
        OursPair(left=1, right=2),
        OursPair(1, 3),
        OursPair(left=1, right=3),
    )
    assert outcome(lambda: OursPair(1)) == outcome(lambda: PlainPair(1))


def test_a_value_cannot_be_changed() -> None:
    """Neither a part that it has, nor one that it has not."""
    value: Any = Ours(number=1)
    for name in ("number", "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, 2)


def test_a_child_is_none_of_its_parent() -> None:
    """Values of different classes are never equal."""
    assert OursMore(number=1) != Ours(number=1)


def modules() -> list[ModuleType]:
    """Return every module of nbvc that can be imported here."""
    return [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(nbvc.__path__, "nbvc.")
        if not module.name.endswith("__main__")
    ]


def test_no_class_is_compiled_before_it_is_used() -> None:
    """One made by ``dataclasses`` itself costs every command that imports its module."""
    compiled = {
        f"{cls.__module__}.{cls.__name__}"
        for module in modules()
        for cls in vars(module).values()
        if isinstance(cls, type)
        and cls.__module__.startswith("nbvc")
        and getattr(cls.__dict__.get("__dataclass_params__"), "frozen", False)
    }
    assert compiled == set(), "import dataclass from nbvc.values"
