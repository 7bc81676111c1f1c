"""The entries of nbdime's diff format, made without importing nbdime, which takes a second.

The format is that of ``nbdime/diff_format.py``: a diff is a list of entries; an entry says what
happens at a key of a mapping or at an index of a list or text, and a patch holds the diff of what
is there.
"""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

Diff: TypeAlias = list[Any]
"""A diff in nbdime's format: a list of entries, sorted by key."""


class Node(dict[str, Any]):
    """A mapping whose members are attributes too.

    It stands for ``nbformat.NotebookNode`` and ``nbdime.diff_format.DiffEntry``, and is equal to
    them.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value


def to_node(value: Any) -> Any:  # noqa: ANN401
    """Return *value* with all its mappings as ``Node``, copied as far as that takes."""
    if isinstance(value, dict):
        return Node({key: to_node(member) for key, member in value.items()})
    if isinstance(value, list):
        return [to_node(member) for member in value]
    return value


def add(key: str, value: object) -> Node:
    """Return an entry that adds *value* to a mapping."""
    return _entry(op="add", key=key, value=value)


def remove(key: str) -> Node:
    """Return an entry that removes a member of a mapping."""
    return _entry(op="remove", key=key)


def replace(key: str, value: object) -> Node:
    """Return an entry that replaces a member of a mapping."""
    return _entry(op="replace", key=key, value=value)


def add_range(index: int, values: object) -> Node:
    """Return an entry that adds *values*, a list or a text, before *index*."""
    return _entry(op="addrange", key=index, valuelist=values)


def remove_range(index: int, length: int) -> Node:
    """Return an entry that removes so many items from *index*."""
    return _entry(op="removerange", key=index, length=length)


def patch(key: str | int, diff: Diff) -> Node:
    """Return an entry that applies *diff* to what is at *key*."""
    return _entry(op="patch", key=key, diff=diff)


def _entry(**fields: object) -> Node:
    """Make an entry: nbdime's own where it has been imported, as its checks ask for that."""
    module = sys.modules.get("nbdime.diff_format")
    kind: type[Node] = getattr(module, "DiffEntry", Node)
    return kind(**fields)
