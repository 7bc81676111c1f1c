"""What can go wrong with one request to S3, as a table. To add one, add a line there."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.faults.network import listings
from tests.faults.network.proxy import Exchange, Reply, Strike
from tests.stores.wire import Broken, End, Request, failure

RETRY_AFTER_SECONDS = 7


def kill_before(exchange: Exchange) -> Broken:
    """Kill the client; the server never hears of the request."""
    exchange.kill()
    return _lost()


def kill_after(exchange: Exchange) -> Broken:
    """Let the server carry it out, and kill the client before it hears of it."""
    exchange.pass_on()
    exchange.kill()
    return _lost()


def half_a_request(exchange: Exchange) -> Broken | None:
    """Break off on both sides when half of the body is through."""
    if not exchange.request.body:
        return None
    exchange.pass_half()
    return _lost()


def damaged_request(exchange: Exchange) -> bytes | None:
    """Flip one bit of the body that the server gets."""
    request = exchange.request
    if not request.body:
        return None
    body = _flipped(request.body, exchange.number)
    return exchange.proxy.pass_on(replace(request, body=body))


def lost_request(_: Exchange) -> Broken:
    """Break off before the server hears of it."""
    return _lost()


def lost_reply(exchange: Exchange) -> Broken:
    """Let the server carry it out, and break off without a word."""
    exchange.pass_on()
    return _lost()


def closed_without_reply(exchange: Exchange) -> Broken:
    """Let the server carry it out, and close the connection in good order."""
    exchange.pass_on()
    return Broken(b"", End.CLOSED)


def half_a_reply(exchange: Exchange) -> Broken | None:
    """Break off in the middle of the body of the reply."""
    reply = exchange.pass_on()
    return Broken(reply.head + _half(reply.body), End.RESET) if reply.body else _lost()


def half_a_head(exchange: Exchange) -> Broken:
    """Close the connection in good order in the middle of the reply's header fields."""
    head = exchange.pass_on().head
    middle = head.index(b"\r\n", len(head) // 2) + 2
    return Broken(head[:middle], End.CLOSED)


def truncated(exchange: Exchange) -> Broken | None:
    """Close the connection in good order before all is sent that ``Content-Length`` announces."""
    reply = exchange.pass_on()
    return Broken(reply.head + _half(reply.body), End.CLOSED) if reply.body else None


def fitted(exchange: Exchange) -> bytes | None:
    """Send half of the body, as if that were all of it."""
    reply = exchange.pass_on()
    return reply.fitted(_half(reply.body)) if reply.body else None


def emptied(exchange: Exchange) -> bytes | None:
    """Send no body, as if there were none."""
    reply = exchange.pass_on()
    return reply.fitted(b"") if reply.body else None


def flipped(exchange: Exchange) -> bytes | None:
    """Flip one bit of the body of the reply."""
    reply = exchange.pass_on()
    if not reply.body:
        return None
    return reply.head + _flipped(reply.body, exchange.number)


def error_after(exchange: Exchange) -> bytes:
    """Let the server carry it out, and say that it failed: S3 may do that."""
    exchange.pass_on()
    return answers(500, "InternalError")(exchange)


def silent(_: Exchange) -> Broken:
    """Never answer."""
    return Broken(b"", End.SILENCE)


def silent_after_head(exchange: Exchange) -> Broken:
    """Let the server carry it out, and say no more than that it was a success."""
    return Broken(exchange.pass_on().head[:-2], End.SILENCE)


def answers(status: int, code: str, **headers: str) -> Callable[[Exchange], bytes]:
    """Return a strike that answers an error in the server's place."""
    answer = failure(status, code, **headers)
    head = Reply.of(answer).head

    def strike(exchange: Exchange) -> bytes:
        return head if exchange.request.method == "HEAD" else answer

    return strike


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to go wrong.

    Attributes:
        name: What it is called.
        strike: What is done to the request.
        passes: Whether a command must succeed all the same, where it happens once.
        timeout: Whether the client finds out by waiting in vain.
        fits: Which requests it can happen to.
    """

    name: str
    strike: Strike
    passes: bool = True
    timeout: bool = False
    fits: Callable[[Request], bool] = lambda _: True


def _has_body(request: Request) -> bool:
    return bool(request.body)


def _writes(request: Request) -> bool:
    return request.method not in {"GET", "HEAD"}


def _has_content(request: Request) -> bool:
    """Return whether its reply has a body, so that something can happen to that."""
    copies = "x-amz-copy-source" in request.headers
    return copies or request.method not in {"PUT", "HEAD", "DELETE"}


def _fault(strike: Callable[[Exchange], bytes | Broken | None], **more: Any) -> Fault:
    return Fault(name=strike.__name__.replace("_", "-"), strike=strike, **more)


KILLS = (_fault(kill_before), _fault(kill_after))

UNHEARD = (
    _fault(half_a_request, fits=_has_body),
    _fault(damaged_request, fits=_has_body),
    _fault(lost_request),
    Fault(name="500", strike=answers(500, "InternalError")),
    Fault(name="503", strike=answers(503, "SlowDown")),
    Fault(
        name="503-retry-after",
        strike=answers(503, "SlowDown", Retry_After=str(RETRY_AFTER_SECONDS)),
    ),
    Fault(name="409", strike=answers(409, "OperationAborted"), fits=_writes),
    _fault(silent, timeout=True),
)
"""The server does not carry the request out."""

UNANSWERED = (
    _fault(lost_reply),
    _fault(closed_without_reply),
    _fault(half_a_reply, fits=_has_content),
    _fault(half_a_head),
    _fault(truncated, fits=_has_content),
    _fault(error_after),
    _fault(silent_after_head, timeout=True),
)
"""It does, and the client does not hear of it."""

UNTRUE = (
    _fault(fitted, fits=_has_content),
    _fault(emptied, fits=_has_content),
    _fault(flipped, fits=_has_content),
    _fault(listings.lag, passes=False, fits=listings.is_listing),
    _fault(listings.repeat_entries, passes=False, fits=listings.is_listing),
    _fault(listings.repeat_page, passes=False, fits=listings.is_listing),
    _fault(listings.loop, passes=False, fits=listings.is_listing),
)
"""It does, and the client hears something else."""

REFUSED = (
    Fault(name="expired", strike=answers(403, "ExpiredToken"), passes=False),
    Fault(name="skewed", strike=answers(403, "RequestTimeTooSkewed"), passes=False),
    Fault(name="denied", strike=answers(403, "AccessDenied"), passes=False),
)
"""It says that it does not, and will not."""

GROUPS = {"unheard": UNHEARD, "unanswered": UNANSWERED, "untrue": UNTRUE, "refused": REFUSED}
FAULTS = tuple(fault for group in GROUPS.values() for fault in group)


def _lost() -> Broken:
    return Broken(b"", End.RESET)


def _flipped(body: bytes, seed: int) -> bytes:
    bit = random.Random(f"{seed} {len(body)}").randrange(8 * len(body))
    changed = bytearray(body)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]
