"""Data classes that cost next to nothing until they are used.

``dataclasses`` looks at each class closely when it is defined, and writes its methods as text and
compiles them: half a millisecond for each, which made a third of the time of a short command. Here
``__init__`` is compiled when a class has made so many values that this pays, the other methods are
shared, and what ``dataclasses.fields`` tells is put together when somebody asks. What the classes
do is the same (``tests/test_values.py`` compares the two), and type checkers see the decorator of
the standard library.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, Field
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
            return _make(cls, kw_only=kw_only)

        return make


_VALUES_WORTH_COMPILING = 50
"""To compile ``__init__`` takes as long as it saves over so many values."""

_FACTORY = object()
_set = object.__setattr__
_parts: dict[type, dict[str, Any]] = {}
"""Of each class its fields by name, each with its default, its ``Field``, or ``MISSING``."""

_keys: dict[type, Any] = {}


def _make(cls: type, *, kw_only: bool) -> type:
    """Return *cls* anew, with slots and with the methods of a data class."""
    members = {**_SHARED, **cls.__dict__}
    own = {name: members.pop(name, MISSING) for name in members.setdefault("__annotations__", {})}
    for name in ("__dict__", "__weakref__"):
        members.pop(name, None)
    positional: tuple[str, ...] = getattr(cls, "__match_args__", ())
    members["__slots__"] = tuple(own)
    members["__match_args__"] = positional if kw_only else (*positional, *own)
    members["__dataclass_fields__"] = _Fields(members, own, kw_only=kw_only)
    made: Any = type(cls)(cls.__name__, cls.__bases__, members)
    made.__qualname__ = cls.__qualname__
    _parts[made] = {
        name: part for base in made.__mro__[:0:-1] for name, part in _parts.get(base, {}).items()
    } | own
    made.__init__ = _uncompiled_init(made)
    return made  # type: ignore[no-any-return]


class _Fields:
    """What ``dataclasses`` knows of a class: found by its own means, when somebody asks."""

    def __init__(self, members: dict[str, Any], own: dict[str, Any], *, kw_only: bool) -> None:
        # Without a docstring ``dataclasses`` would write one, and look at the signature for it.
        self._members = {"__doc__": "fields", "__module__": members["__module__"]}
        self._members["__annotations__"] = members["__annotations__"]
        self._members |= {name: part for name, part in own.items() if part is not MISSING}
        self._kw_only = kw_only

    def __set_name__(self, cls: type, name: str) -> None:
        """Learn whose fields they are, and how ``dataclasses`` calls them."""
        self._cls, self._name = cls, name

    def __get__(self, _: object, __: type) -> dict[str, Field[Any]]:
        """Return them by name; from now on the class holds them itself."""
        twin = type(self._cls.__name__, (), dict(self._members))
        describe = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=self._kw_only)
        found: dict[str, Field[Any]] = {}
        for cls in (*self._cls.__mro__[:0:-1], describe(twin)):
            found |= getattr(cls, self._name, {})
        setattr(self._cls, self._name, found)
        return found


def _uncompiled_init(cls: Any) -> Any:
    """Return an ``__init__`` that takes the place of the compiled one for the first values."""
    parts = _parts[cls]
    required = {name for name, part in parts.items() if _is_required(part)}
    left = _VALUES_WORTH_COMPILING

    def init(self: Any, *args: Any, **values: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0 or args or not required <= values.keys() <= parts.keys():
            cls.__init__ = _compiled_init(cls)
            cls.__init__(self, *args, **values)
            return
        for name, part in parts.items():
            _set(self, name, values[name] if name in values else _default(part))
        if hasattr(cls, "__post_init__"):
            self.__post_init__()

    return init


def _is_required(part: Any) -> bool:
    return (part.default if isinstance(part, Field) else part) is MISSING and not _makes(part)


def _makes(part: Any) -> Any:
    """Return what makes the default of a field anew for each value, or ``None``."""
    if isinstance(part, Field) and part.default_factory is not MISSING:
        return part.default_factory
    return None


def _default(part: Any) -> Any:
    if make := _makes(part):
        return make()
    return part.default if isinstance(part, Field) else part


def _compiled_init(cls: Any) -> Any:
    """Return the ``__init__`` of a class, compiled: it takes half the time."""
    known: dict[str, Any] = {"_set": _set, "_FACTORY": _FACTORY}
    positional, keywords, lines = ["self"], ["*"], []
    for name, part in _parts[cls].items():
        parameter = value = name
        if make := _makes(part):
            known[f"_make_{name}"] = make
            parameter += "=_FACTORY"
            value = f"_make_{name}() if {name} is _FACTORY else {name}"
        elif not _is_required(part):
            known[f"_default_{name}"] = _default(part)
            parameter += f"=_default_{name}"
        (positional if name in cls.__match_args__ else keywords).append(parameter)
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
        names = [
            name
            for name, part in _parts[cls].items()
            if not isinstance(part, Field) or part.compare
        ]
        _keys[cls] = attrgetter(*names) if names else lambda _: ()
    return _keys[cls](value)


def _equal(self: Any, other: object) -> Any:
    return _key(self) == _key(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash((self.__class__, _key(self)))


def _repr(self: Any) -> str:
    shown = (
        f"{name}={getattr(self, name)!r}"
        for name, part in _parts[self.__class__].items()
        if not isinstance(part, Field) or part.repr
    )
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_to_set(_: Any, name: str, __: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in _parts[self.__class__]]


def _setstate(self: Any, state: list[Any]) -> None:
    for name, value in zip(_parts[self.__class__], state, strict=True):
        _set(self, name, value)


_SHARED = {
    "__repr__": _repr,
    "__eq__": _equal,
    "__hash__": _hash,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
}
