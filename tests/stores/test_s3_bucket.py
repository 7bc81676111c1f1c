"""The bucket itself: its Object Lock, its lifecycle rules, and the clock of its server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.session import Session
from moto import mock_aws

from nbvc.errors import AccessDenied, StoreMisconfigured, StoreUnavailable
from nbvc.stores.base import LockMode
from nbvc.stores.s3_bucket import DefaultLock, ObjectLock
from nbvc.stores.s3_lifecycle import LifecycleRule, parse_rules
from tests.s3_server import REGION, connect, new_bucket, real_endpoint
from tests.stores.wire import failure, reply, serving


def client_of(endpoint: str | None) -> Any:
    """Return a plain client, to set up buckets as an administrator would."""
    return Session(region_name=REGION).client("s3", endpoint_url=endpoint)


class BucketSettings:
    """What nbvc reads of the settings of a bucket, over any server."""

    @pytest.fixture
    def endpoint(self) -> str | None:
        """Return the address of the server; ``None`` for moto in this process."""
        raise NotImplementedError

    def test_a_plain_bucket_has_no_object_lock(self, endpoint: str | None) -> None:
        """Servers answer that with an error of its own, which is none here."""
        bucket = new_bucket(endpoint).administration
        assert bucket.object_lock() == ObjectLock(enabled=False)

    def test_a_bucket_made_with_object_lock_keeps_versions_at_once(
        self, endpoint: str | None
    ) -> None:
        """Object Lock turns versioning on; it has no rule of its own."""
        bucket = new_bucket(endpoint, object_lock=True).administration
        assert bucket.object_lock() == ObjectLock(enabled=True)
        assert bucket.versioning_status() == "Enabled"

    def test_a_rule_of_the_bucket_is_told_in_its_own_unit(self, endpoint: str | None) -> None:
        """S3 takes days or years, and nobody should have to convert them."""
        bucket = new_bucket(endpoint, object_lock=True).administration
        for unit, period in (("Days", "1 day"), ("Years", "2 years")):
            client_of(endpoint).put_object_lock_configuration(
                Bucket=bucket.name,
                ObjectLockConfiguration={
                    "ObjectLockEnabled": "Enabled",
                    "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", unit: int(period[0])}},
                },
            )
            default = DefaultLock(period=period, mode=LockMode.GOVERNANCE)
            assert bucket.object_lock() == ObjectLock(enabled=True, default=default)

    def test_a_bucket_without_lifecycle_rules_has_none(self, endpoint: str | None) -> None:
        """Servers answer that with an error of its own, which is none here."""
        assert new_bucket(endpoint).administration.lifecycle_rules() == []

    def test_lifecycle_rules_are_read_as_they_were_set(self, endpoint: str | None) -> None:
        """The rule that people copy from the web destroys history; the other only tidies up."""
        bucket = new_bucket(endpoint).administration
        client_of(endpoint).put_bucket_lifecycle_configuration(
            Bucket=bucket.name,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "tidy",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    },
                    {
                        "ID": "forget",
                        "Status": "Enabled",
                        "Filter": {"Prefix": "workspace/"},
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                    },
                ]
            },
        )
        (rule,) = bucket.lifecycle_rules()
        assert (rule.name, rule.prefix, rule.destroys) == ("forget", "workspace/", "after 30 days")


class TestMoto(BucketSettings):
    """Over moto, in this process."""

    @pytest.fixture
    def endpoint(self) -> Iterator[None]:
        """Let boto3 talk to moto."""
        with mock_aws():
            yield None


@pytest.mark.real_s3
class TestRealServer(BucketSettings):
    """Over a real server."""

    @pytest.fixture
    def endpoint(self) -> str:
        """Return its address."""
        return real_endpoint()

    def test_the_clock_of_the_server_is_read(self, endpoint: str | None) -> None:
        """To the second; it is this machine's here, so it shows the same time."""
        here = datetime.now(UTC)
        there = new_bucket(endpoint).administration.server_time()
        assert there is not None
        assert abs(there - here) < timedelta(seconds=60)


def rule(**actions: Any) -> dict[str, Any]:
    """Return a rule as boto3 gives it."""
    return {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, **actions}


def parsed(**actions: Any) -> list[LifecycleRule]:
    """Return what a rule with these actions means."""
    return parse_rules({"Rules": [rule(**actions)]})


def harm(**expected: str) -> LifecycleRule:
    """Return the expected meaning of a rule for all keys."""
    nothing = dict.fromkeys(("hides", "destroys", "archives"))
    return LifecycleRule(**{"name": "r", "prefix": "", **nothing, **expected})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ({"Expiration": {"Days": 1}}, harm(hides="after 1 day")),
        (
            {"Expiration": {"Date": datetime(2027, 1, 2, tzinfo=UTC)}},
            harm(hides="on 2027-01-02"),
        ),
        (
            {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
            harm(destroys="after 30 days"),
        ),
        (
            {
                "NoncurrentVersionExpiration": {
                    "NoncurrentDays": 30,
                    "NewerNoncurrentVersions": 5,
                }
            },
            harm(destroys="after 30 days, but for the newest 5 of each"),
        ),
        (
            {"Transitions": [{"Days": 90, "StorageClass": "DEEP_ARCHIVE"}]},
            harm(archives="after 90 days"),
        ),
        (
            {"NoncurrentVersionTransitions": [{"NoncurrentDays": 9, "StorageClass": "GLACIER"}]},
            harm(archives="after 9 days"),
        ),
    ],
)
def test_each_harm_is_told_with_its_time(actions: Any, expected: LifecycleRule) -> None:
    """Hidden, destroyed, or moved to where it cannot be read: three different troubles."""
    assert parsed(**actions) == [expected]


@pytest.mark.parametrize(
    "actions",
    [
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        {"Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]},
        {"NoncurrentVersionTransitions": [{"NoncurrentDays": 1, "StorageClass": "GLACIER_IR"}]},
        {"Status": "Disabled", "Expiration": {"Days": 1}},
        {"Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Expiration": {"Days": 1}},
        {
            "Filter": {"And": {"Prefix": "", "Tags": [{"Key": "k", "Value": "v"}]}},
            "Expiration": {"Days": 1},
        },
    ],
    ids=["multipart", "markers", "ia", "instant", "disabled", "tag", "prefix and tag"],
)
def test_rules_that_leave_every_version_readable_are_passed_over(actions: Any) -> None:
    """A rule for a tag does not concern nbvc, which puts no tags on objects."""
    assert parsed(**actions) == []


@pytest.mark.parametrize(
    "where",
    [
        {"Filter": {"Prefix": "team/workspace/"}},
        {"Filter": {"And": {"Prefix": "team/workspace/", "ObjectSizeGreaterThan": 9}}},
        {"Filter": None, "Prefix": "team/workspace/"},
    ],
    ids=["filter", "and", "oldest form"],
)
def test_the_prefix_of_a_rule_is_found_wherever_it_stands(where: Any) -> None:
    """S3 has had three ways to write it, and all are still in use."""
    (found,) = parsed(**where, Expiration={"Days": 1})
    assert found.prefix == "team/workspace/"


@pytest.mark.parametrize(
    ("prefix", "concerned"),
    [
        ("", True),
        ("team/", True),
        ("team/workspace/", True),
        ("team/workspace/ana/", True),
        ("team/published/", False),
        ("other/", False),
    ],
)
def test_a_rule_concerns_what_lies_above_and_below_its_prefix(prefix: str, concerned: bool) -> None:
    """One for a single person's notebooks eats versions as well as one for the whole bucket."""
    (found,) = parsed(Filter={"Prefix": prefix}, Expiration={"Days": 1})
    assert found.concerns("team/workspace/") is concerned


@pytest.mark.parametrize(
    ("look", "permission"),
    [
        ("versioning_status", "s3:GetBucketVersioning"),
        ("object_lock", "s3:GetBucketObjectLockConfiguration"),
        ("lifecycle_rules", "s3:GetLifecycleConfiguration"),
    ],
)
def test_a_refusal_names_the_permission_that_is_missing(look: str, permission: str) -> None:
    """S3 itself names none."""
    with serving(failure(403, "AccessDenied")) as server:
        bucket = connect(server.url).administration
        with pytest.raises(AccessDenied) as caught:
            getattr(bucket, look)()
    assert f"the permission {permission}," in str(caught.value.hint)


@pytest.mark.parametrize("look", ["object_lock", "lifecycle_rules"])
def test_a_server_without_such_settings_says_so(look: str) -> None:
    """Not implemented is an answer; it is not taken for 'none are set'."""
    with serving(failure(501, "NotImplemented")) as server, pytest.raises(StoreMisconfigured):
        getattr(connect(server.url).administration, look)()


@pytest.mark.parametrize("status", [200, 403, 404, 503])
def test_any_answer_tells_the_time_of_the_server(status: int) -> None:
    """Also the refusal of who may not look at the bucket, or whose clock is wrong."""
    with serving(reply(status, Date="Mon, 02 Nov 2026 10:00:00 GMT")) as server:
        there = connect(server.url).administration.server_time()
    assert there == datetime(2026, 11, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 2026 10:00:00 GMT"])
def test_an_answer_without_a_usable_date_tells_no_time(date: str) -> None:
    """A proxy may drop or garble it; no time is made up."""
    with serving(reply(200, Date=date)) as server:
        assert connect(server.url).administration.server_time() is None


def test_no_answer_is_no_time() -> None:
    """A server that hangs up is unavailable."""
    with serving(b"") as server, pytest.raises(StoreUnavailable):
        connect(server.url).administration.server_time()
