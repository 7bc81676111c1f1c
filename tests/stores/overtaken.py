"""A store on which somebody else does something at a certain moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nbvc.stores.base import Store
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


def is_write(request: Request) -> bool:
    """Whether *request* writes an object."""
    return request.name in {"put", "copy"}


class Overtaken(WrappedStore):
    """Somebody else does something just before one of certain requests.

    Args:
        inner: The store of both.
        act: What the other one does, once.
        when: Which requests count.
        after: How many of them come before that.

    Attributes:
        after: How many of them are to come still; below 0: it is done.
    """

    def __init__(
        self,
        inner: Store,
        act: Callable[[], object],
        *,
        when: Callable[[Request], bool] = is_write,
        after: int = 0,
    ) -> None:
        super().__init__(inner)
        self.after = after
        self._act, self._when = act, when

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request*, and let the other one come before, when it is time."""
        if self._when(request):
            self.after -= 1
            if self.after == -1:
                self._act()
        return send()
