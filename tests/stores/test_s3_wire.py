"""The S3 store over real sockets: what it sends, and what it makes of broken replies."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto.server import ThreadedMotoServer

from nbvc.errors import (
    AccessDenied,
    CredentialsExpired,
    CredentialsMissing,
    IntegrityError,
    InvalidConfig,
    NbvcError,
    OutcomeUnknown,
    PreconditionFailed,
    StoreError,
    StoreMisconfigured,
    StoreNotFound,
    StoreUnavailable,
    VersioningOff,
    VersionNotFound,
)
from nbvc.model import VersionId
from nbvc.stores.base import WRITE_ID, Create, Overwrite, Replace
from nbvc.stores.retry import RetryingStore, RetryPolicy
from nbvc.stores.s3 import S3Store
from tests.s3_server import connect, new_bucket
from tests.stores.contract import write
from tests.stores.wire import RESET, Request, WireServer, failure, forward, reply, serving

OBJECT = {
    "ETag": '"e"',
    "Last_Modified": "Mon, 02 Nov 2026 10:00:00 GMT",
    "x_amz_version_id": "v1",
}
STORED = reply(200, ETag='"e"', x_amz_version_id="v1")
COPIED = b'<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>'


def read_only_calls(store: S3Store) -> dict[str, Callable[[], object]]:
    """Return one call of each kind that changes nothing."""
    return {
        "get": lambda: store.get("k"),
        "head": lambda: store.head("k"),
        "list_keys": lambda: list(store.list_keys("")),
        "list_versions": lambda: list(store.list_versions("")),
        "versioning_status": store.administration.versioning_status,
        "bucket_exists": store.administration.exists,
    }


def changing_calls(store: S3Store) -> dict[str, Callable[[], object]]:
    """Return one call of each kind that changes what is stored."""
    return {
        "put": lambda: write(store, "k"),
        "copy": lambda: store.copy("k", VersionId("v1"), "t", metadata={}),
        "create_bucket": store.administration.create,
    }


# -- what is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    """Only the user says where requests go, not who answers one."""
    with serving(STORED) as elsewhere:
        moved = reply(status, b"", Location=f"{elsewhere.url}/bucket/k", x_amz_bucket_region="x")
        with serving(moved) as server:
            store = connect(server.url)
            calls = {**read_only_calls(store), **changing_calls(store)}
            for call in calls.values():
                with pytest.raises(NbvcError):
                    call()
            assert len(server.requests) >= len(calls)
    assert elsewhere.requests == []


def test_a_put_is_one_request_without_a_wait_for_permission() -> None:
    """No ``Expect: 100-continue``, which would cost a round trip; the SHA-256 travels along."""
    data = b"12345" * 100_000
    with serving(STORED) as server:
        stored = write(connect(server.url), "a b/k", data, metadata={"author": "ada"})
    (request,) = server.requests
    assert (stored.version_id, stored.etag) == ("v1", '"e"')
    assert (request.method, request.target, request.body) == ("PUT", "/bucket/a%20b/k", data)
    assert "expect" not in request.headers
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert request.headers["x-amz-checksum-sha256"] == digest
    assert request.headers["x-amz-meta-author"] == "ada"
    assert not {"transfer-encoding", "x-amz-trailer", "x-amz-checksum-crc32"} & set(request.headers)


@pytest.mark.parametrize(
    ("mode", "sent"),
    [
        (Overwrite(), (None, None)),
        (Create(), ("*", None)),
        (Replace('"old"'), (None, '"old"')),
    ],
    ids=["overwrite", "create", "replace"],
)
def test_a_mode_is_a_condition_in_the_same_request(
    mode: Overwrite | Create | Replace, sent: tuple[str | None, str | None]
) -> None:
    """Modes cost no look beforehand, which would be a race."""
    with serving(STORED) as server:
        write(connect(server.url), "k", mode=mode)
    (request,) = server.requests
    assert (request.headers.get("if-none-match"), request.headers.get("if-match")) == sent


def test_a_copy_is_one_request_and_moves_no_bytes() -> None:
    """The server copies; new metadata replaces the old, and the checksum stays SHA-256."""
    with serving(reply(200, COPIED, x_amz_version_id="v2")) as server:
        copied = connect(server.url).copy("a b", VersionId("v1"), "t", metadata={"m": "new"})
    (request,) = server.requests
    assert (copied.version_id, request.body) == ("v2", b"")
    assert request.headers["x-amz-copy-source"] == "bucket/a%20b?versionId=v1"
    assert request.headers["x-amz-metadata-directive"] == "REPLACE"
    assert request.headers["x-amz-checksum-algorithm"] == "SHA256"
    assert request.headers["x-amz-meta-m"] == "new"
    assert request.headers["content-type"] == "application/x-ipynb+json"


@pytest.mark.parametrize(("region", "named"), [("us-east-1", False), ("eu-west-1", True)])
def test_a_bucket_is_created_in_the_region_of_the_client(region: str, named: bool) -> None:
    """S3 wants the region in the body, except for us-east-1, where it refuses it."""
    with serving(reply(200)) as server:
        connect(server.url, region=region).administration.create()
    (request,) = server.requests
    assert (region.encode() in request.body) is named


def test_without_any_region_requests_can_still_be_signed() -> None:
    """Endpoints that are not AWS need no region; us-east-1 stands in."""
    with serving(STORED) as server:
        store = connect(server.url, region=None)
        write(store, "k")
        store.administration.create()
    assert all("/us-east-1/s3/" in each.headers["authorization"] for each in server.requests)
    assert b"LocationConstraint" not in server.requests[1].body


# -- no reply --------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [b"", RESET], ids=["closed", "reset"])
def test_a_write_without_a_reply_has_an_unknown_outcome(broken: bytes) -> None:
    """The request went out, so the store may have it; botocore repeats nothing by itself."""
    with serving(broken) as server:
        calls = changing_calls(connect(server.url))
        for call in calls.values():
            with pytest.raises(OutcomeUnknown):
                call()
    assert len(server.requests) == len(calls)


@pytest.mark.parametrize("broken", [b"", RESET], ids=["closed", "reset"])
def test_a_read_without_a_reply_may_be_repeated(broken: bytes) -> None:
    """Reading changes nothing, so it is only unavailable; botocore repeats nothing by itself."""
    with serving(broken) as server:
        calls = read_only_calls(connect(server.url))
        for call in calls.values():
            with pytest.raises(StoreUnavailable):
                call()
    assert len(server.requests) == len(calls)


def test_a_refused_connection_changes_nothing() -> None:
    """Nothing was sent, so even a write is only unavailable."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    store = connect(f"http://127.0.0.1:{port}")
    for call in [*read_only_calls(store).values(), *changing_calls(store).values()]:
        with pytest.raises(StoreUnavailable, match="Could not connect"):
            call()


def test_a_name_that_does_not_resolve_changes_nothing() -> None:
    """A wrong or unreachable name server looks like that."""
    with pytest.raises(StoreUnavailable, match="Could not connect"):
        write(connect("http://store.invalid:9000"), "k")


def test_a_reply_that_does_not_come_in_time_is_no_reply() -> None:
    """The read timeout ends the wait; the outcome of a write stays open."""

    def too_late(_: Request) -> bytes:
        time.sleep(1)
        return STORED

    with serving(too_late) as server:
        store = connect(server.url, timeout_seconds=0.2)
        with pytest.raises(OutcomeUnknown):
            write(store, "k")
        with pytest.raises(StoreUnavailable):
            store.get("k")


# -- broken replies --------------------------------------------------------------------------------


def test_a_body_that_ends_early_is_not_taken_for_the_whole() -> None:
    """The connection closes in good order after half of the bytes."""
    cut = reply(200, b"12345", **OBJECT, Content_Length="10", Connection="close")
    with serving(cut) as server, pytest.raises(StoreUnavailable):
        connect(server.url).get("k")


def test_bytes_that_do_not_fit_their_checksum_are_refused() -> None:
    """Where the server keeps a SHA-256, every download is compared with it."""
    checksum = base64.b64encode(hashlib.sha256(b"12345").digest()).decode()
    damaged = reply(200, b"1234x", **OBJECT, x_amz_checksum_sha256=checksum)
    with serving(damaged) as server, pytest.raises(IntegrityError):
        connect(server.url).get("k")
    assert server.requests[0].headers["x-amz-checksum-mode"] == "ENABLED"


@pytest.mark.parametrize("body", [b"<html><p>Hello", b"{}", b"<ListBucketResult><Contents><Key>a"])
def test_a_listing_that_is_no_listing_is_not_taken_for_an_empty_one(body: bytes) -> None:
    """A web page, JSON or half a listing is no proof that there is nothing."""
    with serving(reply(200, body)) as server:
        store = connect(server.url)
        for listing in (store.list_keys(""), store.list_versions("")):
            with pytest.raises(StoreUnavailable):
                list(listing)


def test_a_copy_whose_reply_is_cut_has_an_unknown_outcome() -> None:
    """A copy answers 200 before it is done; only a whole reply says that it is."""
    with serving(reply(200, COPIED[:20])) as server, pytest.raises(OutcomeUnknown):
        connect(server.url).copy("k", VersionId("v1"), "t", metadata={})


def test_a_copy_that_fails_inside_a_200_is_no_success() -> None:
    """S3 may report an error of CopyObject in the body of a 200."""
    body = b"<Error><Code>InternalError</Code><Message>.</Message></Error>"
    with serving(reply(200, body)) as server, pytest.raises(OutcomeUnknown):
        connect(server.url).copy("k", VersionId("v1"), "t", metadata={})


def test_a_busy_store_says_how_long_to_wait() -> None:
    """503 with Retry-After: nothing was changed, and the wait is passed on."""
    with serving(failure(503, "SlowDown", Retry_After="7")) as server:
        store = connect(server.url)
        for call in [*read_only_calls(store).values(), *changing_calls(store).values()]:
            with pytest.raises(StoreUnavailable) as caught:
                call()
            assert caught.value.retry_after_seconds == 7


# -- versioning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["get", "head", "list_keys", "list_versions"])
def test_a_reply_that_ends_too_soon_in_good_order_is_no_reply(call: str) -> None:
    """Without an error, and shorter: an empty listing would hide every version."""
    with serving(reply(200, b"", x_amz_version_id="v1")) as server:
        calls = read_only_calls(connect(server.url))
        with pytest.raises(StoreUnavailable, match="could not be read"):
            calls[call]()


@pytest.mark.parametrize("part", ["2026", "T10", "<Size>1"])
def test_a_listing_with_a_date_or_number_that_is_none_is_no_reply(part: str) -> None:
    """A bit may be flipped on the way where nothing checks it; botocore lets a bare error pass."""
    body = listed("v1").replace(part.encode(), f"{part}x".encode())
    with serving(reply(200, body)) as server, pytest.raises(StoreUnavailable, match="not be read"):
        list(connect(server.url).list_versions(""))


def test_a_reply_with_a_date_that_is_none_is_no_reply() -> None:
    """In a header field as well."""
    broken = {**OBJECT, "Last_Modified": "Moonday"}
    with serving(reply(200, b"", **broken)) as server:
        store = connect(server.url)
        for read in (store.get, store.head):
            with pytest.raises(StoreUnavailable, match="could not be read"):
                read("k")


def test_a_reply_to_a_write_that_ends_too_soon_has_an_unknown_outcome() -> None:
    """Nor does a part of a reply tell what became of a write."""
    with serving(reply(200, b"", x_amz_version_id="v1")) as server:
        store = connect(server.url)
        with pytest.raises(OutcomeUnknown, match="could not be read"):
            write(store, "k")
        with pytest.raises(OutcomeUnknown, match="could not be read"):
            store.copy("k", VersionId("v1"), "t", metadata={})


@pytest.mark.parametrize("version", [{}, {"x_amz_version_id": "null"}], ids=["none", "null"])
def test_a_put_without_a_version_id_is_not_acknowledged(version: dict[str, str]) -> None:
    """Versioning is off or suspended, so the next write would destroy this one."""
    unversioned = reply(200, b"", ETag='"e"', **version)
    with serving(unversioned) as server, pytest.raises(VersioningOff) as caught:
        write(connect(server.url), "k")
    assert "nbvc init s3://bucket" in str(caught.value.hint)
    assert "aws s3api put-bucket-versioning --bucket bucket" in str(caught.value.hint)


def unnamed_copy(current: tuple[str, str], *older: tuple[str, str]) -> Callable[[Request], bytes]:
    """Return a server that copies without naming the version.

    Its target then has these versions, newest first, each a version ID and a write ID.
    """
    write_ids = dict([current, *older])

    def answer(request: Request) -> bytes:
        if request.method == "PUT":
            return reply(200, COPIED)
        if request.method == "GET":
            return reply(200, listed(*write_ids))
        asked = [each for each in write_ids if request.target.endswith(f"versionId={each}")]
        version_id = asked[0] if asked else current[0]
        head = {**OBJECT, "x_amz_version_id": version_id}
        return reply(200, b"", **head, x_amz_meta_nbvc_write_id=write_ids[version_id])

    return answer


def listed(*version_ids: str) -> bytes:
    """Return a version listing of the key ``t``."""
    entries = "".join(
        f"<Version><Key>t</Key><VersionId>{version_id}</VersionId><IsLatest>false</IsLatest>"
        "<LastModified>2026-11-02T10:00:00Z</LastModified><ETag>e</ETag><Size>1</Size></Version>"
        for version_id in version_ids
    )
    whole = f"<IsTruncated>false</IsTruncated>{entries}"
    return f"<ListVersionsResult>{whole}</ListVersionsResult>".encode()


def copy(store: S3Store) -> str:
    """Copy with the write ID ``w`` and return the version ID."""
    return store.copy("k", VersionId("v0"), "t", metadata={WRITE_ID: "w"}).version_id


def test_a_copy_without_a_version_id_is_looked_up_with_one_head() -> None:
    """Ceph 16 does not name the version: the write ID in the target's metadata proves it."""
    with serving(unnamed_copy(("v9", "w"))) as server:
        assert copy(connect(server.url)) == "v9"
    assert [request.method for request in server.requests] == ["PUT", "HEAD"]


def test_a_copy_that_was_overwritten_at_once_is_found_in_the_listing() -> None:
    """The current version is somebody else's, ours lies below it."""
    with serving(unnamed_copy(("v2", "theirs"), ("v1", "w"))) as server:
        assert copy(connect(server.url)) == "v1"


def test_a_copy_that_cannot_be_found_has_an_unknown_outcome() -> None:
    """Neither current nor listed: no version ID is made up."""
    with serving(unnamed_copy(("v2", "theirs"))) as server, pytest.raises(OutcomeUnknown):
        copy(connect(server.url))


def test_a_copy_into_a_bucket_without_versions_is_not_acknowledged() -> None:
    """The target has no version ID either."""
    with serving(unnamed_copy(("null", "w"))) as server, pytest.raises(VersioningOff):
        copy(connect(server.url))


# -- what only a body can tell ---------------------------------------------------------------------


def test_a_head_without_a_reason_is_explained_by_a_get() -> None:
    """A HEAD has no body, so its 400 hides the code; one GET of one byte brings it.

    In between, botocore asks for the region of the bucket by itself.
    """

    def answer(request: Request) -> bytes:
        return reply(400) if request.method == "HEAD" else failure(400, "ExpiredToken")

    with serving(answer) as server, pytest.raises(CredentialsExpired):
        connect(server.url).head("k")
    assert [request.method for request in server.requests] == ["HEAD", "HEAD", "GET"]
    assert server.requests[-1].headers["range"] == "bytes=0-0"


def test_a_wrong_region_is_named_with_the_right_one() -> None:
    """A server that says where the bucket is makes for a hint that can be typed."""
    moved = failure(301, "PermanentRedirect", x_amz_bucket_region="eu-west-1")
    with serving(moved) as server, pytest.raises(StoreMisconfigured) as caught:
        write(connect(server.url), "k")
    assert "nbvc init s3://bucket --region eu-west-1" in str(caught.value.hint)
    assert len(server.requests) <= 3


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (failure(412, "PreconditionFailed"), PreconditionFailed),
        (failure(409, "ConditionalRequestConflict"), StoreUnavailable),
        (failure(404, "NoSuchKey"), PreconditionFailed),
        (failure(404, "NoSuchBucket"), StoreNotFound),
        (failure(403, "AccessDenied"), AccessDenied),
        (failure(501, "NotImplemented"), StoreMisconfigured),
        (failure(500, "InternalError"), OutcomeUnknown),
        (reply(502, b"<html>Bad gateway</html>"), OutcomeUnknown),
        (failure(400, "BadDigest"), IntegrityError),
        (failure(400, "Unheard"), StoreError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_refused_conditional_write_says_why(answer: bytes, expected: type[NbvcError]) -> None:
    """The table of errors holds over the wire, and each refusal is one request."""
    with serving(answer) as server, pytest.raises(NbvcError) as caught:
        write(connect(server.url), "k", mode=Replace('"old"'))
    assert type(caught.value) is expected
    assert len(server.requests) == 1


def test_a_read_of_a_delete_marker_says_that_it_was_deleted() -> None:
    """S3 answers 404 with a header for the current one, 405 for a named one."""
    deleted = failure(404, "NoSuchKey", x_amz_delete_marker="true")
    with serving(deleted) as server, pytest.raises(VersionNotFound, match="was deleted"):
        connect(server.url).get("k")
    marker = failure(405, "MethodNotAllowed")
    with serving(marker) as server, pytest.raises(VersionNotFound, match="delete marker"):
        connect(server.url).get("k", VersionId("m"))


def test_a_listing_in_a_circle_comes_to_an_end() -> None:
    """A server that always says 'more, from here' is not followed for ever."""
    body = (
        b"<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>"
        b"<NextVersionIdMarker>v</NextVersionIdMarker></ListVersionsResult>"
    )
    with serving(reply(200, body)) as server, pytest.raises(StoreError, match="an end"):
        list(connect(server.url).list_versions(""))
    assert len(server.requests) == 2


# -- settings --------------------------------------------------------------------------------------


def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to get some; the store is not asked anonymously."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with serving(STORED) as server:
        store = connect(server.url)
        for call in [*read_only_calls(store).values(), *changing_calls(store).values()]:
            with pytest.raises(CredentialsMissing, match="No credentials"):
                call()
    assert server.requests == []


def test_a_profile_that_does_not_exist_is_named(aws_settings: Path) -> None:
    """A typo in --profile is told before anything is sent."""
    assert not (aws_settings / "aws-config").exists()
    with pytest.raises(InvalidConfig, match="'nobody'"):
        S3Store(
            "bucket",
            "",
            endpoint_url=None,
            region=None,
            profile="nobody",
            capabilities=connect(None).capabilities,
        )


@pytest.mark.parametrize("endpoint", ["nonsense", "http://", "localhost:9000", "http://a b"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    """A typo in --endpoint-url is told before anything is sent."""
    with pytest.raises(StoreMisconfigured):
        connect(endpoint).get("k")


def test_a_bucket_that_cannot_be_one_is_refused() -> None:
    """Botocore checks the form of a bucket's name; so no request is sent."""
    with serving(STORED) as server, pytest.raises(InvalidConfig, match="not a name"):
        connect(server.url, bucket="a b").administration.exists()
    assert server.requests == []


@pytest.mark.parametrize("root", ["a", "a/", "/a", "/a/"])
def test_slashes_around_the_root_make_no_difference(root: str) -> None:
    """All four spellings name the same keys and the same URL."""
    with serving(STORED) as server:
        store = connect(server.url, root=root)
        write(store, "k")
    assert server.requests[0].target == "/bucket/a/k"
    assert (store.url, store.locate("k")) == ("s3://bucket/a", "s3://bucket/a/k")


# -- TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a fresh key and a certificate for 127.0.0.1 that nobody else trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """Return how a server speaks TLS with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_over_tls_the_checksum_is_a_header_too(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boto3 would send a trailer there, which older servers do not take."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with serving(STORED, tls) as server:
        write(connect(server.url), "k", b"12345")
    (request,) = server.requests
    assert request.body == b"12345"
    assert "x-amz-checksum-sha256" in request.headers
    assert not {"transfer-encoding", "x-amz-trailer", "expect"} & set(request.headers)


def test_a_certificate_that_nobody_trusts_is_refused(tls: ssl.SSLContext) -> None:
    """Nothing is sent to a server that cannot prove who it is."""
    with serving(STORED, tls) as server, pytest.raises(StoreMisconfigured, match="not trusted"):
        write(connect(server.url), "k")
    assert server.requests == []


def test_tls_to_a_plain_server_is_told_as_such() -> None:
    """The usual slip with a MinIO of one's own: https where the server speaks http."""
    plain = failure(400, "BadRequest")
    with serving(plain) as server, pytest.raises(StoreMisconfigured, match="not speak TLS"):
        write(connect(server.url.replace("http:", "https:")), "k")


# -- lost replies, with a server that applied the request ------------------------------------------


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """Run moto as a server of its own; return its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class LosingProxy:
    """Passes requests on to a server, and loses the replies to some."""

    def __init__(self, upstream_url: str) -> None:
        """Lose nothing yet."""
        self.upstream_url = upstream_url
        self.to_lose = 0

    def __call__(self, request: Request) -> bytes:
        """Answer a request."""
        answer = forward(request, self.upstream_url)
        if request.method == "PUT" and self.to_lose:
            self.to_lose -= 1
            return RESET
        return answer


def through_losing_proxy(proxy: LosingProxy, server: WireServer) -> RetryingStore:
    """Return a store with retries whose requests go through the proxy, in a fresh bucket."""
    store = new_bucket(server.url)
    server.requests.clear()
    return RetryingStore(store, RetryPolicy(), sleep=lambda _: None, jitter=lambda: 0.0)


@pytest.mark.parametrize("mode", [Create(), Overwrite()], ids=["create", "overwrite"])
def test_a_save_whose_reply_is_lost_is_one_version(moto_url: str, mode: Create | Overwrite) -> None:
    """The server stored it, the reply got lost: it is found by its write ID, not written again."""
    proxy = LosingProxy(moto_url)
    with serving(proxy) as server:
        store = through_losing_proxy(proxy, server)
        proxy.to_lose = 1
        stored = write(store, "k", b"data", mode=mode, metadata={WRITE_ID: "w"})
        assert [each.version_id for each in store.list_versions("k")] == [stored.version_id]
    assert [request.method for request in server.requests] == ["PUT", "GET", "HEAD", "GET"]


def test_a_copy_whose_reply_is_lost_is_one_version(moto_url: str) -> None:
    """The same for a copy."""
    proxy = LosingProxy(moto_url)
    with serving(proxy) as server:
        store = through_losing_proxy(proxy, server)
        source = write(store, "k", b"data")
        proxy.to_lose = 1
        copied = store.copy("k", source.version_id, "t", metadata={WRITE_ID: "w"})
        assert [each.version_id for each in store.list_versions("t")] == [copied.version_id]
        assert store.get("t").data == b"data"
