"""Large objects in parts: over moto, a real server, and one whose every byte a test decides."""

from __future__ import annotations

import base64
import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from nbvc.errors import (
    AccessDenied,
    IntegrityError,
    NbvcError,
    PreconditionFailed,
    StoreError,
    StoreUnavailable,
)
from nbvc.stores import s3_parts
from nbvc.stores.base import WRITE_ID, Create, LockMode, Replace, RetainUntil
from nbvc.stores.opening import ConnectionOptions, open_store
from nbvc.stores.s3 import S3Store
from tests.s3_server import REGION, connect, found_capabilities, new_bucket, real_endpoint
from tests.stores.contract import history_of, write
from tests.stores.test_locking import for_a_day, write_locked
from tests.stores.wire import RESET, Request, failure, forward, reply, serving

LEAST_PART_BYTES = 5 * 1024 * 1024
LARGE = random.Random(4).randbytes(2 * LEAST_PART_BYTES + 17)
"""Three parts, the last of them short."""

STARTED = reply(
    200,
    b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
)


def uploads_left(store: S3Store) -> list[str]:
    """Return the keys of uploads that were neither completed nor aborted."""
    listed: dict[str, Any] = store._client.list_multipart_uploads(Bucket=store.bucket)
    return [upload["Key"] for upload in listed.get("Uploads", [])]


@pytest.fixture
def parts_of_least_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts as small as servers take them."""
    monkeypatch.setattr(s3_parts, "LARGEST_WHOLE_BYTES", LEAST_PART_BYTES)
    monkeypatch.setattr(s3_parts, "PART_BYTES", LEAST_PART_BYTES)


@pytest.mark.usefixtures("parts_of_least_size")
class PartsContract:
    """What a store promises of large objects, over any server."""

    @pytest.fixture
    def store(self) -> S3Store:
        """Return a store in a fresh bucket."""
        raise NotImplementedError

    def test_a_large_object_is_one_version_with_all_that_belongs_to_it(
        self, store: S3Store
    ) -> None:
        """Bytes, metadata and receipt are as for a small one, also from a view."""
        stored = write(store, "a/k.ipynb", LARGE, metadata={WRITE_ID: "w1"})  # type: ignore[arg-type]
        blob = store.get("a/k.ipynb", stored.version_id)
        assert blob.data == LARGE
        assert (blob.etag, dict(blob.metadata)) == (stored.etag, {WRITE_ID: "w1"})
        assert history_of(store, "a/k.ipynb") == [stored.version_id]
        assert write(store, "v", memoryview(LARGE)).etag == stored.etag  # type: ignore[arg-type]

    def test_a_condition_that_does_not_hold_is_noticed_before_anything_is_sent(
        self, store: S3Store
    ) -> None:
        """Nobody uploads 200 MB to hear that it was for nothing."""
        first = write(store, "k", b"1")
        second = write(store, "k", b"2")
        store.repeat = unexpected
        for mode in (Create(), Replace(first.etag)):
            with pytest.raises(PreconditionFailed):
                write(store, "k", LARGE, mode)
        with pytest.raises(PreconditionFailed):
            write(store, "absent", LARGE, Replace(first.etag))
        assert history_of(store, "k") == [second.version_id, first.version_id]
        assert uploads_left(store) == []

    def test_a_condition_that_holds_lets_the_write_pass(self, store: S3Store) -> None:
        """A key that is free, or was deleted, can be created, and what is known replaced."""
        created = write(store, "k", LARGE, Create())
        replaced = write(store, "k", LARGE + b"2", Replace(created.etag))
        store.delete("k")
        again = write(store, "k", LARGE + b"3", Create())
        assert history_of(store, "k")[:1] == [again.version_id]
        assert history_of(store, "k")[2:] == [replaced.version_id, created.version_id]

    def test_a_part_that_fails_for_good_leaves_nothing(self, store: S3Store) -> None:
        """No version, and no parts that would be paid for."""
        store.repeat = fail_after(1)
        with pytest.raises(StoreUnavailable):
            write(store, "k", LARGE)
        assert (history_of(store, "k"), uploads_left(store)) == ([], [])

    def test_the_size_of_parts_grows_before_there_are_too_many(
        self, store: S3Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S3 takes 10,000 parts at most."""
        monkeypatch.setattr(s3_parts, "MAX_PARTS", 2)
        sent: list[int] = []

        def count(request: Callable[[], str]) -> str:
            sent.append(1)
            return request()

        store.repeat = count  # type: ignore[assignment]
        write(store, "k", LARGE)
        assert len(sent) == 2
        assert store.get("k").data == LARGE


def unexpected(_: Callable[[], object]) -> Any:
    """Stand for a request that should not be sent."""
    raise AssertionError


def fail_after(count: int) -> Any:
    """Return a way to send requests of which so many pass."""
    passed: list[int] = []

    def send(request: Callable[[], object]) -> object:
        passed.append(1)
        if len(passed) > count:
            raise StoreUnavailable("The network is down.")
        return request()

    return send


def meanwhile(act: Callable[[], object]) -> Any:
    """Return a way to send requests that does something else before the first of them."""
    lock, done = threading.Lock(), threading.Event()

    def send(request: Callable[[], object]) -> object:
        with lock:
            if not done.is_set():
                act()
                done.set()
        return request()

    return send


class TestPartsOnMoto(PartsContract):
    """Large objects over moto, in this process."""

    @pytest.fixture
    def store(self) -> Iterator[S3Store]:
        """Return a store in a fresh bucket."""
        with mock_aws(), closing(new_bucket(None)) as store:
            yield store

    def test_a_large_version_may_be_locked(self) -> None:
        """Not every server heeds the lock of an upload in parts, so it goes in one piece."""
        with mock_aws(), closing(new_bucket(None, object_lock=True)) as store:
            lock = for_a_day(LockMode.COMPLIANCE)
            stored = write_locked(store, "k", LARGE, lock)
            assert store.head("k").locked_until == lock.moment
            with pytest.raises(AccessDenied):
                store.delete_version("k", stored.version_id)


@pytest.mark.real_s3
class TestPartsOnRealServer(PartsContract):
    """Large objects over a real server."""

    @pytest.fixture
    def store(self) -> Iterator[S3Store]:
        """Return a store in a fresh bucket."""
        endpoint = real_endpoint()
        with closing(new_bucket(endpoint, capabilities=found_capabilities(endpoint))) as store:
            yield store

    def test_a_write_in_between_is_noticed_in_the_end(self, store: S3Store) -> None:
        """By a server with conditional writes; on another one, nothing is lost either."""
        other: list[str] = []
        store.repeat = meanwhile(lambda: other.append(write(store, "k", b"quicker").version_id))
        if store.capabilities.conditional_create:
            with pytest.raises(PreconditionFailed):
                write(store, "k", LARGE, Create())
            assert history_of(store, "k") == other
        else:
            stored = write(store, "k", LARGE, Create())
            assert history_of(store, "k") == [stored.version_id, *other]
        assert uploads_left(store) == []

    def test_a_part_that_changes_on_the_way_is_refused(self, store: S3Store) -> None:
        """Whatever else the server checks; nothing is written, and the parts are gone."""
        endpoint = real_endpoint()

        def damage(message: Request) -> bytes:
            if "partNumber=2" in message.target:
                message = replace(message, body=b"!" + message.body[1:])
            return forward(message, endpoint)

        with (
            serving(damage) as gateway,
            closing(connect(gateway.url, bucket=store.bucket)) as through,
            pytest.raises(IntegrityError),
        ):
            write(through, "k", LARGE)
        assert (history_of(store, "k"), uploads_left(store)) == ([], [])

    def test_a_large_version_may_be_locked(self) -> None:
        """Not every server heeds the lock of an upload in parts, so it goes in one piece."""
        with closing(new_bucket(real_endpoint(), object_lock=True)) as store:
            lock: RetainUntil = for_a_day()
            stored = write_locked(store, "k", LARGE, lock)
            assert store.head("k").locked_until == lock.moment
            with pytest.raises(AccessDenied):
                store.delete_version("k", stored.version_id)

    def test_a_lost_reply_to_the_end_of_an_upload_makes_one_version(self, store: S3Store) -> None:
        """The write ID that it was begun with says that it has landed."""
        endpoint = real_endpoint()

        def lose(message: Request) -> bytes:
            answer = forward(message, endpoint)
            ends = message.method == "POST" and "uploadId=" in message.target
            return RESET if ends else answer

        with serving(lose) as gateway, closing(patient(gateway.url, store.bucket)) as through:
            stored = write(through, "k", LARGE, metadata={WRITE_ID: "w1"})
            parts = [request for request in gateway.requests if "partNumber=" in request.target]
        assert history_of(store, "k") == [stored.version_id]
        assert len(parts) == 3


def patient(endpoint_url: str, bucket: str = "bucket") -> Any:
    """Return a store as commands have it."""
    return open_store(
        f"s3://{bucket}",
        options=ConnectionOptions(endpoint_url=endpoint_url, region=REGION),
        sleep=lambda _: None,
        jitter=lambda: 0.0,
    )


class Wire:
    """A server that plays along, but for what a test decides.

    Attributes:
        data: What is written, in parts of four bytes.
        answers: Answers to the requests so far, by their names.
    """

    data = b"0123456789"

    def __init__(self, **answers: Callable[[int], bytes | None]) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self.names: list[str] = []

    def __call__(self, request: Request) -> bytes:
        """Answer a request."""
        name = self._name(request)
        with self._lock:
            self.names.append(name)
            count = self.names.count(name)
        decide = self._answers.get(name.split()[0])
        return (decide and decide(count)) or self._usual(name)

    @staticmethod
    def _name(request: Request) -> str:
        if request.target.endswith("?uploads"):
            return "begin"
        if "partNumber=" in request.target:
            number = request.target.partition("partNumber=")[2].partition("&")[0]
            return f"part {number}"
        if "uploadId=" in request.target:
            return "abort" if request.method == "DELETE" else "complete"
        return "list" if "versions" in request.target else request.method.lower()

    def _usual(self, name: str) -> bytes:
        if name == "begin":
            return STARTED
        if name.startswith("part"):
            return reply(200, ETag='"e"')
        if name == "complete":
            return completed(self.data)
        if name == "abort":
            return reply(204)
        return failure(404, "NoSuchKey")


def completed(data: bytes, *, checksum: bool = True, etag: str = '"all"') -> bytes:
    """Return the reply to the end of an upload in parts of four bytes."""
    parts = [data[start : start + 4] for start in range(0, len(data), 4)]
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    composite = base64.b64encode(hashlib.sha256(digests).digest()).decode()
    said = f"<ChecksumSHA256>{composite}-{len(parts)}</ChecksumSHA256>" if checksum else ""
    body = (
        f"<CompleteMultipartUploadResult><ETag>{etag}</ETag>{said}</CompleteMultipartUploadResult>"
    )
    return reply(200, body.encode(), x_amz_version_id="v1")


@pytest.fixture
def tiny_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts of four bytes."""
    monkeypatch.setattr(s3_parts, "LARGEST_WHOLE_BYTES", 8)
    monkeypatch.setattr(s3_parts, "PART_BYTES", 4)


def put(wire: Wire, mode: Create | None = None) -> list[str]:
    """Write an object in three parts as commands do; return the names of the requests."""
    with serving(wire) as server, closing(patient(server.url)) as store:
        options = {"mode": mode} if mode else {}
        write(store, "k", wire.data, metadata={WRITE_ID: "w1"}, **options)
    return wire.names


def sorted_parts(names: list[str]) -> list[str]:
    """Return the names with those of parts in order: which of them comes first is chance."""
    parts = sorted(name for name in names if name.startswith("part"))
    first = next(index for index, name in enumerate(names) if name.startswith("part"))
    others = [name for name in names if not name.startswith("part")]
    return [*others[:first], *parts, *others[first:]]


@pytest.mark.usefixtures("tiny_parts")
def test_an_upload_takes_one_request_to_begin_and_one_to_complete() -> None:
    """And one for each part."""
    names = put(Wire())
    assert sorted_parts(names) == ["begin", "part 1", "part 2", "part 3", "complete"]


@pytest.mark.usefixtures("tiny_parts")
def test_a_part_that_fails_is_sent_again_alone() -> None:
    """A network that stumbles costs one part, not the whole upload."""
    wire = Wire(part=lambda count: failure(503, "SlowDown") if count == 1 else None)
    names = put(wire)
    twice = ["part 1", "part 1", "part 2", "part 2", "part 3", "part 3"]
    assert sorted_parts(names) == ["begin", *twice, "complete"]


@pytest.mark.usefixtures("tiny_parts")
@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (Wire(part=lambda _: failure(403, "AccessDenied")), AccessDenied),
        (Wire(part=lambda _: failure(404, "NoSuchUpload")), StoreError),
        (Wire(complete=lambda _: failure(412, "PreconditionFailed")), PreconditionFailed),
        (Wire(complete=lambda _: failure(400, "InvalidPart")), StoreError),
    ],
    ids=["part denied", "part without upload", "condition", "part lost"],
)
def test_an_upload_that_fails_is_aborted(wire: Wire, error: type[NbvcError]) -> None:
    """Once, whatever the reason; and nothing is tried a second time."""
    with pytest.raises(error):
        put(wire)
    assert wire.names.count("abort") == wire.names.count("begin") == 1


@pytest.mark.usefixtures("tiny_parts")
@pytest.mark.parametrize(
    "answer",
    [
        RESET,
        failure(200, "InternalError"),  # as S3 does when it had to begin its reply early
        failure(500, "InternalError"),
        failure(404, "NoSuchUpload"),
    ],
    ids=["reset", "error in a 200", "500", "no upload"],
)
def test_an_unclear_end_is_looked_into_before_anything_is_written_again(answer: bytes) -> None:
    """The abort makes sure that the first upload does not land later; then it is repeated."""
    wire = Wire(
        complete=lambda count: answer if count == 1 else None,
        list=lambda _: reply(
            200, b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>"
        ),
    )
    names = [name for name in put(wire, Create()) if not name.startswith("part")]
    assert names == ["head", "begin", "complete", "abort", "list", "head", "begin", "complete"]


@pytest.mark.usefixtures("tiny_parts")
def test_an_object_that_was_put_together_wrongly_is_no_success() -> None:
    """The composite checksum is that of other parts."""
    wire = Wire(complete=lambda _: completed(b"0123456798"))
    with pytest.raises(IntegrityError, match="put s3://bucket/k together wrongly"):
        put(wire)


@pytest.mark.usefixtures("tiny_parts")
@pytest.mark.parametrize(
    "answer",
    [completed(Wire.data, checksum=False), completed(Wire.data, etag="")],
    ids=["moto", "Ceph"],
)
@pytest.mark.parametrize("size_bytes", [10, 9])
def test_where_the_end_says_too_little_the_object_is_looked_at(
    answer: bytes, size_bytes: int
) -> None:
    """By its version ID; there its size is compared, and its ETag found."""

    def look(_: int) -> bytes:
        fields = {"ETag": '"all"', "Last_Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
        return reply(200, **fields, Content_Length=str(size_bytes))

    wire = Wire(complete=lambda _: answer, head=look)
    with serving(wire) as server, closing(connect(server.url)) as store:
        if size_bytes == len(Wire.data):
            assert write(store, "k", wire.data).etag == '"all"'
        else:
            with pytest.raises(IntegrityError):
                write(store, "k", wire.data)
        asked = server.requests[-1]
    assert (asked.method, asked.target) == ("HEAD", "/bucket/k?versionId=v1")


@pytest.mark.usefixtures("tiny_parts")
def test_closing_the_store_aborts_what_another_thread_is_sending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After Ctrl-C nobody waits for it, and no parts stay behind."""
    monkeypatch.setattr(s3_parts, "ABANDON_SECONDS", 60.0)  # for a machine that is busy
    arrived, go_on = threading.Event(), threading.Event()

    def wait(_: int) -> None:
        arrived.set()
        go_on.wait(20)

    wire = Wire(part=wait)  # type: ignore[arg-type]
    errors: list[BaseException] = []

    def save(store: S3Store) -> None:
        try:
            write(store, "k", Wire.data * 10)
        except NbvcError as error:
            errors.append(error)

    with serving(wire) as server, closing(connect(server.url)) as store:
        thread = threading.Thread(target=save, args=(store,))
        thread.start()
        arrived.wait(20)
        store.close()
        aborted = "abort" in wire.names
        go_on.set()
        thread.join()
    assert aborted
    assert [type(error).__name__ for error in errors] == ["Interrupted"]
    assert "complete" not in wire.names
    assert len([name for name in wire.names if name.startswith("part")]) <= s3_parts.PARTS_IN_FLIGHT


def body_of(size_bytes: int) -> bytes:
    """Return a reply to GET."""
    return reply(
        200,
        bytes(size_bytes),
        ETag='"e"',
        Last_Modified="Mon, 23 Nov 2026 10:00:00 GMT",
        x_amz_version_id="v1",
    )


def test_a_large_object_that_is_read_lies_in_a_file_that_has_no_name(tmp_path: Path) -> None:
    """It takes no memory, and nothing is left of it however the process ends."""
    room = tmp_path / "room"
    with serving(body_of(9_000_000)) as server, closing(in_room(server.url, room)) as store:
        data = store.get("k").data
    assert isinstance(data, memoryview)
    assert data == bytes(9_000_000)
    assert list(room.iterdir()) == []


def test_without_room_on_the_disk_a_large_object_is_held_in_memory(tmp_path: Path) -> None:
    """The cache's folder is no reason not to read a version."""
    room = tmp_path / "room"
    room.write_bytes(b"no folder")
    with serving(body_of(9_000_000)) as server, closing(in_room(server.url, room)) as store:
        assert store.get("k").data == bytes(9_000_000)


def test_a_small_object_needs_no_room(tmp_path: Path) -> None:
    """There is no point in a file for it."""
    room = tmp_path / "room"
    with serving(body_of(1000)) as server, closing(in_room(server.url, room)) as store:
        assert store.get("k").data == bytes(1000)
    assert not room.exists()


def in_room(endpoint_url: str, room: Path) -> Any:
    """Return a store as commands have it, with a folder for large objects."""
    return open_store(
        "s3://bucket",
        options=ConnectionOptions(endpoint_url=endpoint_url, region=REGION),
        sleep=lambda _: None,
        jitter=lambda: 0.0,
        room=room,
    )
