"""The bucket as a whole, on a server that fails now and then."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from nbvc.errors import OutcomeUnknown, StoreUnavailable
from nbvc.stores.opening import ConnectionOptions, find_bucket, open_store
from nbvc.stores.s3_patience import PatientBucket
from tests.s3_server import REGION
from tests.stores.wire import RESET, Request, failure, reply, serving

VERSIONED = reply(
    200, b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
)
CALLS: dict[str, Callable[[PatientBucket], object]] = {
    "exists": lambda bucket: bucket.exists(),
    "create": lambda bucket: bucket.create(),
    "versioning_status": lambda bucket: bucket.versioning_status(),
    "enable_versioning": lambda bucket: bucket.enable_versioning(),
}


def asked(call: Callable[[PatientBucket], object], *answers: bytes) -> list[Request]:
    """Call a server that gives these answers, the last of them for ever; return the requests."""

    def answer(_: Request) -> bytes:
        return answers[min(len(server.requests), len(answers)) - 1]

    with serving(answer) as server:
        store = open_store(
            "s3://bucket",
            options=ConnectionOptions(endpoint_url=server.url, region=REGION),
            sleep=lambda _: None,
            jitter=lambda: 0.0,
        )
        with closing(store):
            bucket = find_bucket(store)
            assert bucket is not None
            try:
                call(bucket)
            finally:
                requests = server.requests
    return requests


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("busy", [0, 1, 4])
def test_a_busy_server_is_asked_again(name: str, busy: int) -> None:
    """``nbvc init`` is no less patient than any other command."""
    answers = [failure(503, "SlowDown")] * busy
    assert len(asked(CALLS[name], *answers, VERSIONED)) == busy + 1


@pytest.mark.parametrize("name", CALLS)
def test_patience_has_an_end(name: str) -> None:
    """After five attempts it is an error."""
    with pytest.raises(StoreUnavailable):
        asked(CALLS[name], failure(503, "SlowDown"))


def test_a_bucket_that_was_made_without_a_reply_is_there() -> None:
    """After a lost reply it looks, and asks for the bucket again only where it is not there."""
    create = CALLS["create"]
    made = asked(create, RESET, reply(200))
    assert [request.method for request in made] == ["PUT", "HEAD"]
    not_made = asked(create, RESET, failure(404, "NoSuchBucket"), reply(200))
    assert [request.method for request in not_made] == ["PUT", "HEAD", "PUT"]
    with pytest.raises(OutcomeUnknown):
        asked(create, RESET, failure(404, "NoSuchBucket"), RESET)
