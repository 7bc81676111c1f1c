"""Start Ceph's object gateway on loopback: a monitor, a daemon for the objects, the gateway.

The programs are Debian's. Nothing of the machine's own Ceph is read or touched: one temporary
folder holds the configuration, the monitor's data and the logs; the objects are in memory.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import server_processes as processes
from server_processes import HOST, StartError

NAME = "ceph"
PROGRAMS = ("monmaptool", "ceph-mon", "ceph", "ceph-osd", "radosgw-admin", "radosgw")
PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")
"""What has the programs, on Debian and Ubuntu."""

MISSING_STATUS = 77
"""Exit status for programs that are not there, as test runners understand it: skip, do not fail."""

GATEWAY = "client.rgw.a"
STEP_TIMEOUT_SECONDS = 60
MEMORY_BYTES = 2**31

# No replicas and no authentication inside, for there is one machine and one user; the gateway
# checks S3 signatures all the same. The short interval takes the start from 13 s to 2 s: by default
# the monitor waits a second before each of the dozen changes that a new cluster needs.
CONFIGURATION = """\
[global]
fsid = {fsid}
mon initial members = a
mon host = [v2:{host}:{monitor_port}/0]
public addr = {host}
cluster addr = {host}
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
paxos propose interval = 0.05
paxos min wait = 0.01
osd objectstore = memstore
memstore device bytes = {memory_bytes}
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
mon data = {folder}/monitor
osd data = {folder}/objects
rgw data = {folder}/gateway
rgw frontends = beast endpoint={host}:{port} tcp_nodelay=1
run dir = {folder}
admin socket =
log file =
log to file = false
log to stderr = true
err to stderr = true
mon cluster log to file = false
mon cluster log to stderr = false
"""


class MissingProgramsError(StartError):
    """Ceph is not installed; the message says how to install it."""


def missing_programs() -> list[str]:
    """Return which of Ceph's programs are not there."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextmanager
def running(
    port: int, *, access_key: str, secret_key: str
) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Start a cluster; give its address and a way to ask whether it still runs; stop it.

    Args:
        port: Port of the gateway, or 0 for any free one.
        access_key: Access key of its one user.
        secret_key: The user's secret key.

    Raises:
        MissingProgramsError: Ceph is not installed.
        StartError: It did not become ready in time; the end of a log is in the message.
    """
    if missing := missing_programs():
        raise MissingProgramsError(
            f"Ceph is not installed: {', '.join(missing)} cannot be found.\n"
            "hint: on Debian or Ubuntu, as root: scripts/install-test-packages, or\n"
            f"      apt-get install --no-install-recommends {' '.join(PACKAGES)}"
        )
    with (
        tempfile.TemporaryDirectory(prefix="nbvc-ceph-", ignore_cleanup_errors=True) as name,
        processes.reserved_port(port) as gateway_port,
        processes.reserved_port() as monitor_port,
    ):
        cluster = Cluster(Path(name), gateway_port, monitor_port)
        try:
            cluster.start(access_key, secret_key)
            yield f"http://{HOST}:{cluster.port}", cluster.is_alive
        finally:
            cluster.stop()


class Cluster:
    """The daemons of one cluster, in the order in which they were started."""

    def __init__(self, folder: Path, port: int, monitor_port: int) -> None:
        self.folder = folder
        self.port = port
        self.monitor_port = monitor_port
        self.daemons: list[subprocess.Popen[bytes]] = []

    def start(self, access_key: str, secret_key: str) -> None:
        """Make the cluster and start its daemons, each after what it needs."""
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        self._configure(fsid)
        monitor = f"--addv a [v2:{HOST}:{self.monitor_port}]"
        self._run(f"monmaptool --create --fsid {fsid} {monitor} monmap")
        self._run("ceph-mon --mkfs -i a --monmap monmap --keyring /dev/null")
        self._start("ceph-mon -i a -f")
        self._run(f"ceph --connect-timeout {STEP_TIMEOUT_SECONDS} osd new {osd} 0")
        self._run(f"ceph-osd -i 0 --mkfs --osd-uuid {osd}")
        self._start("ceph-osd -i 0 -f")
        keys = f"--access-key={access_key} --secret={secret_key}"
        user = "--uid=test --display-name=test --caps=users=*"  # a test may make more of them
        self._run(f"radosgw-admin -n {GATEWAY} user create {user} {keys}")
        gateway = self._start(f"radosgw -n {GATEWAY} -f")
        processes.wait_until_ready("radosgw", gateway, self.port, "/", self._log("radosgw"))

    def is_alive(self) -> bool:
        """Tell whether all daemons run."""
        return all(daemon.poll() is None for daemon in self.daemons)

    def stop(self) -> None:
        """End the daemons by force: asked politely, they would write the objects to disk first."""
        while self.daemons:
            processes.stop(self.daemons.pop(), [signal.SIGKILL])

    def _configure(self, fsid: str) -> None:
        for name in ("monitor", "objects", "gateway"):
            (self.folder / name).mkdir()
        text = CONFIGURATION.format(
            fsid=fsid,
            host=HOST,
            port=self.port,
            monitor_port=self.monitor_port,
            memory_bytes=MEMORY_BYTES,
            folder=self.folder,
        )
        (self.folder / "ceph.conf").write_text(text)

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        arguments = self._arguments(command)
        daemon = processes.start(arguments, self.folder, self._log(arguments[0]))
        self.daemons.append(daemon)
        return daemon

    def _run(self, command: str) -> None:
        """Run one step.

        Raises:
            StartError: It failed, or took too long, which is how a dead daemon shows.
        """
        log = self.folder / "step.log"
        step = processes.start(self._arguments(command), self.folder, log)
        try:
            status = step.wait(STEP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            processes.stop(step, [signal.SIGKILL])
        if status != 0:
            what = "took too long" if status is None else f"ended with status {status}"
            raise processes.failure(f"{command} {what}", self._telling(log))

    def _telling(self, log: Path) -> Path:
        """Return the log that tells most: that of a daemon which has ended, if one has."""
        for daemon in self.daemons:
            if daemon.poll() is not None:
                return self._log(str(daemon.args[0]))  # type: ignore[index]
        return log

    def _arguments(self, command: str) -> list[str]:
        program, *rest = shlex.split(command)
        configuration = [] if program == "monmaptool" else ["--conf", "ceph.conf"]
        return [program, *configuration, *rest]

    def _log(self, program: str) -> Path:
        return self.folder / f"{program}.log"
