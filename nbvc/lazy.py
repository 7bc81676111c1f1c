"""Public names of a package that are imported when they are first asked for (PEP 562).

A command then loads the modules it uses, and no others: defining the values of all of them takes
longer than listing the versions of a notebook.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of *package*.

    Args:
        package: Its full name.
        homes: For each public name, the full name of the module that defines it.
    """

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
