"""What a workspace remembers of its store's ``store.json``, and for how long it believes that.

A store may be told to lock its versions at any time, and everybody who saves there has to know.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from nbvc.errors import AccessDenied, IntegrityError, NbvcError
from nbvc.manifest.sealing import format_time, parse_time
from nbvc.repository.settings import StoreSettings, decode, encode
from nbvc.workspace.index import Index

READ_AGAIN_AFTER = timedelta(days=1)
TRY_AGAIN_AFTER = timedelta(hours=1)
"""When to ask again after the store did not answer: offline, every command would wait for it."""

_SETTINGS = "store-settings"
_READ_AT = "store-settings-read-at"


def store_settings(
    index: Index, now: datetime, read: Callable[[], StoreSettings | None]
) -> StoreSettings | None:
    """Return what the store says of itself; ``None`` where nobody prepared it.

    Remembered for a day, so it costs one request a day. Where the store does not answer, or its
    answer is damaged, what was remembered holds on.

    Args:
        index: Of the workspace.
        now: The present time.
        read: Asks the store.

    Raises:
        NbvcError: It could not be asked, and nothing is remembered; or it is gone, or was written
            by a newer nbvc.
    """
    remembered = _remembered(index)
    if remembered is not None and _is_fresh(index, now):
        return remembered
    try:
        found = read()
    except NbvcError as error:
        keeps = error.deferrable or isinstance(error, AccessDenied | IntegrityError)
        if remembered is None or not keeps:
            raise
        with suppress(NbvcError):
            _note_time(index, now - READ_AGAIN_AFTER + TRY_AGAIN_AFTER)
        return remembered
    if found is not None:
        with suppress(NbvcError):  # a full disk keeps nobody from reading
            remember(index, found, now)
    return found


def remember(index: Index, settings: StoreSettings, now: datetime) -> None:
    """Remember what the store said of itself at *now*."""
    index.set_setting(_SETTINGS, encode(settings))
    _note_time(index, now)


def _remembered(index: Index) -> StoreSettings | None:
    data = index.setting(_SETTINGS)
    if data is not None:
        with suppress(NbvcError):  # worth no more than a request
            return decode(data)
    return None


def _is_fresh(index: Index, now: datetime) -> bool:
    """Return whether the store was asked within the last day; a clock that went back says no."""
    try:
        read_at = parse_time((index.setting(_READ_AT) or b"").decode("ascii"))
    except ValueError:
        return False
    return timedelta(0) <= now - read_at < READ_AGAIN_AFTER


def _note_time(index: Index, moment: datetime) -> None:
    index.set_setting(_READ_AT, format_time(moment).encode("ascii"))
