"""Data classes that cost next to nothing until they are used.

``dataclasses`` writes the methods of each class as text and compiles them when it is defined: half
a millisecond for each class, which made a third of the time of a short command. Here ``__init__``
is written when the first value is made, and the other methods are shared. What the classes do is
the same (``tests/test_values.py`` compares the two), and type checkers see the decorator of the
standard library.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool, slots: bool, kw_only: bool = False) -> Any:
        """Make a class of values that cannot be changed; *frozen* and *slots* must be true."""
        if not (frozen and slots):
            raise TypeError("nbvc.values makes frozen classes with slots only")

        def make(cls: type) -> type:
            bare = dataclasses.dataclass(
                init=False, repr=False, eq=False, slots=True, kw_only=kw_only
            )
            made = bare(cls)
            _equip(made)
            return made

        return make


_FACTORY = object()
_keys: dict[type, Any] = {}


def _equip(cls: Any) -> None:
    """Give a class the methods that ``dataclasses`` would have written for it."""

    def init(self: Any, *args: Any, **values: Any) -> None:
        cls.__init__ = _written_init(cls)
        cls.__init__(self, *args, **values)

    cls.__init__ = init
    cls.__setattr__ = _refuse_to_set
    cls.__delattr__ = _refuse_to_delete
    shared = {
        "__repr__": _repr,
        "__eq__": _equal,
        "__hash__": _hash,
        "__getstate__": _getstate,
        "__setstate__": _setstate,
    }
    for name, method in shared.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)


def _written_init(cls: Any) -> Any:
    """Return the ``__init__`` of a class, compiled."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_FACTORY": _FACTORY}
    positional, keywords, lines = ["self"], ["*"], []
    for field in dataclasses.fields(cls):
        name = parameter = value = field.name
        if field.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = field.default
            parameter += f"=_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            parameter += "=_FACTORY"
            value = f"_make_{name}() if {name} is _FACTORY else {name}"
        (keywords if field.kw_only else positional).append(parameter)
        lines.append(f" _set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    parameters = ", ".join(positional + (keywords if len(keywords) > 1 else []))
    exec("\n".join([f"def __init__({parameters}):", *lines, " return None"]), known)  # noqa: S102
    init = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


def _key(value: Any) -> Any:
    """Return what a value is compared by."""
    cls = value.__class__
    if cls not in _keys:
        names = [field.name for field in dataclasses.fields(cls) if field.compare]
        _keys[cls] = attrgetter(*names) if names else lambda _: ()
    return _keys[cls](value)


def _equal(self: Any, other: object) -> Any:
    return _key(self) == _key(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash((self.__class__, _key(self)))


def _repr(self: Any) -> str:
    shown = (
        f"{field.name}={getattr(self, field.name)!r}"
        for field in dataclasses.fields(self)
        if field.repr
    )
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_to_set(_: Any, name: str, __: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
