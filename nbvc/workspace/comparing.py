"""Compare two notebooks once: what came of it is remembered by their digests and the options.

A diff of the same bytes is the same for ever, so a second look costs neither requests nor work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nbvc import __version__
from nbvc.values import dataclass

if TYPE_CHECKING:
    from nbvc.diffing import Diff, DiffOptions, Notebook, View
    from nbvc.model import Data, Digest
    from nbvc.repository.backend import Cache

RESULTS = 1
"""Raised with every change of what a comparison finds or shows: older results count no more."""

_SEAL_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two notebooks that are compared.

    Attributes:
        name: What to call it.
        digest: Of its bytes.
        start: Begins to read the bytes, and returns a function that waits for them.
    """

    name: str
    digest: Digest
    start: Callable[[], Callable[[], Data]]


class Comparison:
    """What changed between two notebooks, worked out when it is asked for.

    Args:
        old: The one.
        new: The other.
        options: What is left out.
        cache: Where results are kept.
    """

    def __init__(self, old: Side, new: Side, options: DiffOptions, cache: Cache) -> None:
        self.old = old
        self.new = new
        self.options = options
        self._cache = cache

    @property
    def is_same(self) -> bool:
        """Whether both have the same bytes."""
        return self.old.digest == self.new.digest

    @property
    def differs(self) -> bool:
        """Whether anything changed that is not left out."""
        if self.is_same:
            return False
        return self.view.is_different if "view" in self.__dict__ else bool(self.diff)

    def find(self, *, for_people: bool, with_notebooks: bool = False) -> None:
        """Work out what will be asked for, while the store is open.

        Args:
            for_people: The view; otherwise the diff.
            with_notebooks: Also read the notebooks.

        Raises:
            InvalidNotebook: One of the two is no notebook.
        """
        found = self.view if for_people else self.diff
        if with_notebooks and found:
            self.notebooks  # noqa: B018

    @cached_property
    def view(self) -> View:
        """What a person sees of it.

        Raises:
            InvalidNotebook: One of the two is no notebook.
        """
        import msgspec

        from nbvc.diffing.view import View

        if self.is_same:
            return View(cells=())
        kept = self._kept("view")
        if kept is not None:
            try:
                return msgspec.json.decode(kept, type=View)
            except msgspec.MsgspecError:  # sealed by another build of this version
                pass
        from nbvc.diffing.viewing import view_of

        view = view_of(*self.notebooks, self._computed, self.options)
        self._keep("view", msgspec.json.encode(view))
        return view

    @cached_property
    def diff(self) -> list[dict[str, Any]]:
        """What leads from the one to the other, in nbdime's format, as plain values of JSON.

        Raises:
            InvalidNotebook: One of the two is no notebook.
        """
        from nbvc.diffing import to_json

        kept = self.kept_diff()
        if kept is not None:
            found: list[dict[str, Any]] = json.loads(kept)
            return found
        plain = to_json(self._computed)
        self.keep_diff(json.dumps(plain, separators=(",", ":")).encode())
        return plain

    def kept_diff(self) -> bytes | None:
        """Return the diff as JSON, if it is known without a comparison."""
        return b"[]" if self.is_same else self._kept("diff")

    def keep_diff(self, diff: bytes) -> None:
        """Keep a diff that was worked out elsewhere, as JSON."""
        self._keep("diff", diff)

    @cached_property
    def notebooks(self) -> tuple[Notebook, Notebook]:
        """Both notebooks, as they are compared."""
        from nbvc.diffing import load

        waiting = self.old.start(), self.new.start()
        old, new = (wait() for wait in waiting)
        return load(old, name=self.old.name), load(new, name=self.new.name)

    @cached_property
    def _computed(self) -> Diff:
        from nbvc.diffing import diff_notebooks

        return diff_notebooks(*self.notebooks, self.options)

    def _kept(self, kind: str) -> bytes | None:
        """Return a result that was kept, if it is there and whole."""
        name = self._name(kind)
        data = self._cache.get(name)
        if data is None:
            return None
        seal, result = bytes(data[:_SEAL_BYTES]), bytes(data[_SEAL_BYTES:])
        return result if seal == _seal(name, result) else None

    def _keep(self, kind: str, data: bytes) -> None:
        name = self._name(kind)
        self._cache.put(name, _seal(name, data) + data)

    def _name(self, kind: str) -> str:
        options = json.dumps(asdict(self.options), sort_keys=True)
        return f"{kind}s/{__version__}/{RESULTS}/{self.old.digest}/{self.new.digest}/{options}"


def _seal(name: str, data: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + data).digest()
