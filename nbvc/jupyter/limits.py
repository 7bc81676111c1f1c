"""What the server refuses because it would be too much."""

from __future__ import annotations

from nbvc.errors import NbvcError


class TooLarge(NbvcError):
    """The body of a request is longer than its route takes."""

    kind = "too-large"
    exit_code = 2


class TimedOut(NbvcError):
    """It took longer than it may, and was stopped; nothing was changed."""

    kind = "timed-out"


class Busy(NbvcError):
    """Too much is asked at the same time; nothing was done."""

    kind = "busy"
    retryable = True
