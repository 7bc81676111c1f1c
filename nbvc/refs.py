"""Refs: what a user types to name a version, read without looking at any store.

::

    mine.ipynb            the notebook            @v3, v3         its third version
    @3f9a1c2              a digest (>= 4 digits)  @latest~2       two before the latest
    @{2026-08-01}         as of that day          @{2 days ago}   as of that time
    @published            what is published now   @release        a tag, or a full version ID
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from nbvc.errors import InvalidRef
from nbvc.model import MIN_DIGEST_PREFIX, NOTEBOOK_SUFFIX
from nbvc.values import dataclass

MAX_REF_LENGTH = 4_096
MIN_DASHED_ID_LENGTH = 16
"""A word that begins with a hyphen is a mistake, unless it is long: a version ID of Ceph, of 31
characters, may begin so."""

RESERVED_NAMES = frozenset({"latest", "published", "working", "head"})

_NUMBER = r"v([1-9][0-9]{0,9})"
_BACK = r"(?s)(.+?)~([0-9]{0,9})"
_HEX = r"[0-9a-f]+"
_TAG = r"[^\W_][\w.+-]{0,99}"
_AGO = r"(?:(\d{1,6})|an?) ?(second|sec|s|minute|min|m|hour|h|day|d|week|w|month|year|y)s? ago"
_SECONDS = {
    "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3_600, "hour": 3_600,
    "d": 86_400, "day": 86_400, "w": 604_800, "week": 604_800, "month": 2_629_746,
    "y": 31_556_952, "year": 31_556_952,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """``v3``."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """``latest``: the newest version, also one that no record names yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """``published``: the version that the published area shows now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """``{2026-08-01}``: the newest version saved at or before a moment.

    Attributes:
        text: What stands between the braces; :func:`parse_moment` reads it.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A word that may be a tag, a digest prefix or a version ID; in this order."""

    text: str

    @property
    def is_digest_prefix(self) -> bool:
        """Whether it can be the beginning of a digest."""
        return MIN_DIGEST_PREFIX <= len(self.text) <= 64 and bool(
            re.fullmatch(_HEX, self.text.lower())
        )


Base = Number | Latest | Published | AsOf | Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which version of a notebook.

    Attributes:
        base: Where to start.
        back: How many versions to go back from there, as in ``latest~2``.
        text: As the user typed it, for messages.
    """

    base: Base
    back: int
    text: str


LATEST = Selector(base=Latest(), back=0, text="latest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A notebook, a version, or both.

    Attributes:
        path: Path, key or URL of the notebook as typed; ``None`` where only a version was given.
        selector: ``None`` where only a notebook was given.
    """

    path: str | None
    selector: Selector | None


def parse_ref(text: str) -> Ref:
    """Read *text*: ``mine.ipynb``, ``mine.ipynb@v3``, ``@v3`` or ``v3``.

    A path may hold an ``@``: the version begins after the last ``.ipynb@``.

    Raises:
        InvalidRef: It is empty, too long, or its version cannot be read.
    """
    if not text.strip() or len(text) > MAX_REF_LENGTH:
        raise InvalidRef("A ref cannot be empty, nor longer than 4,096 characters.", hint=_EXAMPLES)
    path, found, version = text.rpartition(f"{NOTEBOOK_SUFFIX}@")
    if found:
        return Ref(path=path + NOTEBOOK_SUFFIX, selector=parse_selector(version))
    if text.endswith(NOTEBOOK_SUFFIX):
        return Ref(path=text, selector=None)
    if text.startswith("@"):
        return Ref(path=None, selector=parse_selector(text[1:]))
    if "/" in text:
        return Ref(path=text, selector=None)
    return Ref(path=None, selector=parse_selector(text))


def parse_selector(text: str) -> Selector:
    """Read the version part of a ref, without its ``@``.

    Raises:
        InvalidRef: It cannot be read.
    """
    base, back = text, 0
    if (match := re.fullmatch(_BACK, text)) and not text.endswith("}"):
        base, back = match[1], int(match[2] or 1)
    return Selector(base=_parse_base(base, text), back=back, text=text)


def _parse_base(base: str, text: str) -> Base:
    if match := re.fullmatch(_NUMBER, base):
        return Number(number=int(match[1]))
    if base.lower() == "latest":
        return Latest()
    if base == "published":
        return Published()
    if base.startswith("{") and base.endswith("}") and base[1:-1].strip():
        return AsOf(text=base[1:-1].strip())
    looks_wrong = not base or any(character.isspace() for character in base) or base[0] in "{~@"
    if looks_wrong or (base[0] == "-" and len(base) < MIN_DASHED_ID_LENGTH):
        raise InvalidRef(f"{text!r} names no version.", hint=_EXAMPLES)
    if _is_short_digest(base):
        raise InvalidRef(
            f"{text!r} is too short for a digest: give at least {MIN_DIGEST_PREFIX} digits.",
            hint=_EXAMPLES,
        )
    return Name(text=base)


def _is_short_digest(text: str) -> bool:
    return len(text) < MIN_DIGEST_PREFIX and bool(re.fullmatch(_HEX, text.lower()))


_EXAMPLES = "A version is v3, latest, latest~2, a digest such as 3f9a1c2, {2 days ago}, or a tag."


def check_tag(name: str) -> None:
    """Check that *name* can be a tag: it could not be read as anything else.

    Raises:
        InvalidRef: It starts with no letter or digit, holds other characters than letters, digits
            and ``_ . + -``, is longer than 100, or means something else in a ref: ``v3``,
            or ``3f``, a digest that is too short.
    """
    reserved = name.lower() in RESERVED_NAMES or re.fullmatch(_NUMBER, name)
    taken = reserved or _is_short_digest(name)
    if taken or not re.fullmatch(_TAG, name) or name.endswith(NOTEBOOK_SUFFIX):
        raise InvalidRef(
            f"{name!r} cannot be a tag{': it means something else' if taken else ''}.",
            hint="Use letters, digits and - _ . + , as in: release-1.0",
        )


def parse_moment(
    text: str, *, now: datetime, timezone: tzinfo | None, end_of_day: bool
) -> datetime:
    """Read a moment: ``2026-08-01``, ``2026-08-01 14:30``, RFC 3339, ``2 days ago``, ``yesterday``.

    Args:
        text: What the user typed.
        now: The present time.
        timezone: Zone of a time that names none; ``None`` means the machine's.
        end_of_day: Whether a bare day means its end (up to and including it) or its start.

    Returns:
        The moment in UTC.

    Raises:
        InvalidRef: It cannot be read.
    """
    word = " ".join(text.lower().split())
    if word == "now":
        return now.astimezone(UTC)
    if match := re.fullmatch(_AGO, word):
        return _before(now, int(match[1] or 1) * _SECONDS[match[2]], text)
    if word in {"today", "yesterday"}:
        day = now.astimezone(timezone).date() - timedelta(days=word == "yesterday")
        return _on_day(day, timezone, end_of_day=end_of_day)
    with suppress(ValueError):
        return _on_day(date.fromisoformat(text.strip()), timezone, end_of_day=end_of_day)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidRef(
            f"{text!r} is no time that nbvc can read.",
            hint="Write 2026-08-01, '2026-08-01 14:30', 2026-08-01T12:30:00Z or '2 days ago'.",
        ) from error
    return _to_utc(moment, timezone)


def _before(now: datetime, seconds: int, text: str) -> datetime:
    try:
        return (now - timedelta(seconds=seconds)).astimezone(UTC)
    except OverflowError as error:
        raise InvalidRef(f"{text!r} is too long ago.") from error


def _on_day(day: date, timezone: tzinfo | None, *, end_of_day: bool) -> datetime:
    return _to_utc(datetime.combine(day, time.max if end_of_day else time.min), timezone)


def _to_utc(moment: datetime, timezone: tzinfo | None) -> datetime:
    if moment.tzinfo is None and timezone is not None:
        moment = moment.replace(tzinfo=timezone)
    try:
        return moment.astimezone(UTC)
    except (OverflowError, OSError, ValueError):  # years that the C library cannot convert
        return moment.replace(tzinfo=UTC)
