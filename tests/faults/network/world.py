"""The world of ``tests.faults.disk.world`` with buckets of a real S3 server in place of stores.

All commands reach the server through a proxy, which strikes at their requests. The oracle reads
the buckets without it.

A bucket is put back by removing the versions that have come since: so what is left is what was
there, version IDs included. A version that was removed (packing and forgetting do so) cannot be put
back by anybody: then the scene is prepared anew.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from nbvc.stores.base import Store
from nbvc.stores.s3 import S3Store
from tests.command_line import CommandLine
from tests.faults.disk.world import EMBEDDED, NAMESPACE, SHARED, TARGET, Scene, World
from tests.faults.forking import Ended, Forks
from tests.faults.ledger import Ledger
from tests.faults.network.proxy import NOTHING, FaultProxy, Plan
from tests.s3_server import REGION, connect, found_capabilities
from tests.stores.wire import Request

Version = tuple[str, str]
HOME = "home"
IMPATIENT = {"NBVC_TIMEOUT_SECONDS": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck(Ended):
    """What became of a command.

    Attributes:
        requests: All its requests, in the order in which they arrived.
        struck: Those that were struck.
        pauses: For how many seconds each it would have waited.
    """

    requests: Sequence[Request]
    struck: Sequence[Request]
    pauses: Sequence[float]

    @property
    def kind(self) -> str:
        """The kind of the error, of a command with ``--json``; of several, that of the first."""
        if self.stdout:
            return next(each["error"]["kind"] for each in json.loads(self.stdout))
        return json.loads(self.stderr)["error"]["kind"]

    @property
    def waits(self) -> bool:
        """Whether it said that something waits in the outbox."""
        return "waits in the outbox" in self.stdout


class S3World(World):
    """A workspace on a bucket, which is put back before each strike.

    Args:
        cli: A command line in its folder ``project``.
        forks: Runs the commands that are struck.
        kept: A folder, not there yet, for the copy to put back.
        proxy: Before the server.
        buckets: Those of this world.
    """

    def __init__(
        self,
        cli: CommandLine,
        forks: Forks,
        kept: Path,
        *,
        proxy: FaultProxy,
        buckets: Buckets,
    ) -> None:
        super().__init__(cli, forks, kept)
        self._forks = forks
        self._proxy = proxy
        self._buckets = buckets
        self._stores = {place: buckets.store(place) for place in (HOME, SHARED, TARGET)}
        self._home: str | None = None
        self._scene: Scene | None = None

    def bind(self, place: str | None = None) -> None:
        """Make ``project`` a workspace on the bucket of *place*, or on that of its own."""
        if self._home == EMBEDDED:
            super().bind(place)
            return
        self._home = place or HOME
        self.cli("init", *self._in_s3(self._home), "--namespace", NAMESPACE)

    def embed(self) -> None:
        """Let the workspace have its store in its own folder."""
        self._home = EMBEDDED

    def keep(self) -> None:
        """Take the present state as the one to put back, with nothing cached."""
        self.forget_cache()
        super().keep()
        self._buckets.keep()

    def forget_cache(self) -> None:
        """Let everything have to be read from the server."""
        shutil.rmtree(self.cli.cache, ignore_errors=True)

    def prepare(self, scene: Scene) -> None:
        """Make the world of *scene*, and keep it."""
        self._scene = scene
        super().prepare(scene)

    def put_back(self) -> None:
        """Bring everything to the state that was kept."""
        if self._buckets.put_back():
            super().put_back()
        else:
            self._begin_anew()
        self._proxy.writes.clear()

    def _begin_anew(self) -> None:
        """Make the same world once more, with other version IDs."""
        assert self._scene is not None
        self._buckets.remove()
        self._home, self.told = None, Ledger()
        for folder in (self._kept, *self.root.iterdir()):
            shutil.rmtree(folder)
        for name in ("project", "home"):
            (self.root / name).mkdir()
        self.prepare(self._scene)

    @contextmanager
    def store(self, place: str) -> Iterator[Store]:
        """Open a store of this world, without the proxy."""
        if place == EMBEDDED and self._home == EMBEDDED:
            with super().store(place) as store:
                yield store
        else:
            yield self._stores[HOME if place == EMBEDDED else place]

    def places(self) -> list[str]:
        """Return where stores are."""
        there = [place for place in (SHARED, TARGET) if self._buckets.versions(place)]
        return [EMBEDDED, *there]

    def run(
        self,
        arguments: tuple[str, ...],
        plan: Plan = NOTHING,
        *,
        offline: bool = False,
        impatient: bool = False,
    ) -> Struck:
        """Run a command in ``project``, and strike at its requests.

        Args:
            arguments: The command, as it would be on folders.
            plan: What is struck.
            offline: Whether no store is reached.
            impatient: Whether a short silence of the server is too long for it.
        """
        self._proxy.follow(plan)
        pauses = self._forks.scratch / "pauses"
        pauses.unlink(missing_ok=True)
        ended = self._forks.fork(
            self._words(arguments),
            cwd=self.cli.folder,
            variables=self._variables() | (IMPATIENT if impatient else {}),
            offline=offline,
            started=self._proxy.victim.set_result,
            pauses=str(pauses),
        )
        requests, struck = self._proxy.settle()
        self._proxy.follow(NOTHING)
        noted = pauses.read_text().split() if pauses.exists() else []
        return Struck(
            exit_code=ended.exit_code,
            stdout=ended.stdout,
            stderr=ended.stderr,
            requests=requests,
            struck=struck,
            pauses=[float(seconds) for seconds in noted],
        )

    def _variables(self) -> dict[str, str]:
        """Return the variables of a command, those of AWS included."""
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        return {**self.cli.variables, **aws}

    def _in_s3(self, place: str) -> list[str]:
        endpoint = ("--endpoint-url", self._proxy.url, "--region", REGION)
        return [self._stores[place].url, *endpoint, "--create"]

    def _words(self, arguments: tuple[str, ...]) -> list[str]:
        """Return the words of a command on folders as those of one on buckets."""
        command, *words = arguments
        if command == "init":
            return [command, *self._in_s3(HOME), *words]
        if command == "migrate":
            return [command, *self._in_s3(TARGET)]
        if command == "clone":
            return [command, f"{self._stores[SHARED].url}/workspace/{NAMESPACE}", *words[1:]]
        return [*arguments]


class Buckets:
    """Three buckets of a server, which need not be there.

    Args:
        endpoint: Address of the server.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            config=Config(s3={"addressing_style": "path"}),
        )
        self._name = f"nbvc-{uuid.uuid4().hex[:16]}"
        self._stores: dict[str, S3Store] = {}
        self._kept: dict[str, set[Version] | None] = {}

    def close(self) -> None:
        """Remove the buckets, and close all connections."""
        self.remove()
        self._client.close()
        for store in self._stores.values():
            store.close()

    def store(self, place: str) -> S3Store:
        """Return the store in the bucket of *place*, whether that is there or not."""
        if place not in self._stores:
            self._stores[place] = connect(
                self._endpoint,
                bucket=f"{self._name}-{place}",
                capabilities=found_capabilities(self._endpoint),
            )
        return self._stores[place]

    def versions(self, place: str) -> set[Version] | None:
        """Return all versions and delete markers in a bucket; ``None`` where it is not there."""
        found: set[Version] = set()
        pages = self._client.get_paginator("list_object_versions")
        try:
            for page in pages.paginate(Bucket=self._stores[place].bucket):
                for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    found.add((entry["Key"], entry["VersionId"]))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
            return None
        return found

    def keep(self) -> None:
        """Take what is there as what to put back."""
        self._kept = {place: self.versions(place) for place in self._stores}

    def remove(self) -> None:
        """Remove the buckets and all that is in them."""
        self._kept = dict.fromkeys(self._stores, None)
        self.put_back()

    def put_back(self) -> bool:
        """Remove what has come since; return whether all is there that was to be."""
        is_whole = True
        for place, kept in self._kept.items():
            present = self.versions(place)
            assert present is not None or kept is None, f"the bucket {place} is gone"
            is_whole = is_whole and (kept or set()) <= (present or set())
            for key, version_id in (present or set()) - (kept or set()):
                self._client.delete_object(
                    Bucket=self._stores[place].bucket, Key=key, VersionId=version_id
                )
            if kept is None:
                with suppress(self._client.exceptions.NoSuchBucket):
                    self._client.delete_bucket(Bucket=self._stores[place].bucket)
        return is_whole
