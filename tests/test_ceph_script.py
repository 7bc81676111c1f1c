"""Ceph by ``scripts/s3-server``: a cluster of three daemons that leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
DAEMONS = {"ceph-mon", "ceph-osd", "radosgw"}
needs_ceph = pytest.mark.skipif(
    any(shutil.which(name) is None for name in DAEMONS),
    reason="Ceph is not installed: scripts/install-test-packages",
)


def start(folder: Path, *arguments: str, path: str | None = None) -> subprocess.Popen[str]:
    """Start the script with its temporary files in *folder*."""
    return subprocess.Popen(
        [sys.executable, SCRIPTS / "s3-server", *arguments],
        env={**os.environ, "TMPDIR": str(folder), "PATH": path or os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def daemons_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the daemons that the script has started."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if child.name() in DAEMONS]


@needs_ceph
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminate"])
def test_a_cluster_that_is_stopped_leaves_no_process_and_no_file(
    tmp_path: Path, stop: signal.Signals
) -> None:
    """Three daemons run when it says that it is ready; none, and no file, when it has ended."""
    with start(tmp_path, "ceph") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        daemons = daemons_of(process)
        assert {daemon.name() for daemon in daemons} == DAEMONS
        process.send_signal(stop)
        process.communicate(timeout=20)
    assert process.returncode == 128 + stop
    assert not any(daemon.is_running() for daemon in daemons)
    assert list(tmp_path.iterdir()) == []


@needs_ceph
def test_a_daemon_that_dies_ends_the_server(tmp_path: Path) -> None:
    """The others are stopped, and the status is that of a failure."""
    with start(tmp_path, "ceph") as process:
        assert process.stdout is not None
        process.stdout.readline()
        daemons = daemons_of(process)
        next(each for each in daemons if each.name() == "ceph-osd").kill()
        _, error = process.communicate(timeout=20)
    assert (process.returncode, "has ended by itself" in error) == (1, True)
    assert not any(daemon.is_running() for daemon in daemons)
    assert list(tmp_path.iterdir()) == []


@needs_ceph
def test_a_start_that_fails_shows_the_log_and_leaves_nothing(tmp_path: Path) -> None:
    """Here the last daemon ends at once: the first two are stopped, and its words are shown."""
    programs, folder = tmp_path / "bin", tmp_path / "tmp"
    for each in (programs, folder):
        each.mkdir()
    (programs / "radosgw").write_text("#!/bin/sh\necho the gateway has no wish to run\nexit 3\n")
    (programs / "radosgw").chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    with start(folder, "run", "ceph", "--", "true", path=path) as process:
        _, error = process.communicate(timeout=90)
    assert process.returncode == 1
    assert "radosgw ended with status 3" in error
    assert "the gateway has no wish to run" in error
    assert list(folder.iterdir()) == []
    assert not [each for each in psutil.process_iter() if is_below(each, folder)]


def is_below(process: psutil.Process, folder: Path) -> bool:
    """Tell whether a process works in *folder*."""
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def test_a_port_is_kept_until_its_server_listens() -> None:
    """Nobody else gets it meanwhile, and the server, which sets SO_REUSEADDR, does."""
    code = """
import socket, server_processes
with server_processes.reserved_port() as port, socket.socket() as other:
    try:
        other.bind(("127.0.0.1", port))
    except OSError as error:
        print("kept:", error.strerror)
    with socket.create_server(("127.0.0.1", port)) as server:
        socket.create_connection(("127.0.0.1", port)).close()
        print("listens")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("kept: Address already in use\nlistens\n", "")


def test_without_ceph_it_says_what_to_install(tmp_path: Path) -> None:
    """Status 77, as test runners understand it, the packages, and the script that installs them."""
    with start(tmp_path, "run", "ceph", "--", "true", path=str(tmp_path)) as process:
        output, error = process.communicate(timeout=20)
    assert (process.returncode, output) == (77, "")
    assert "radosgw" in error.splitlines()[0]
    assert "scripts/install-test-packages" in error
    assert "apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common" in error


def test_packages_are_installed_only_where_that_is_possible(tmp_path: Path) -> None:
    """Without apt-get nothing is tried: status 77 again, and the reason in one line."""
    done = subprocess.run(
        [sys.executable, SCRIPTS / "install-test-packages"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr.endswith("this system has no apt-get to install Ceph with.\n")
    assert done.stderr.count("\n") == 1


@needs_ceph
def test_packages_that_are_there_are_not_installed_again(tmp_path: Path) -> None:
    """Nothing is run, and nothing said."""
    for name in ("apt-get", "chromium", "configurable-http-proxy"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
        program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, SCRIPTS / "install-test-packages"],
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not (tmp_path / "called").exists()


@needs_ceph
@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs packages")
def test_what_few_tests_need_and_cannot_be_installed_is_only_told(tmp_path: Path) -> None:
    """They are skipped without a browser or a proxy; Ceph is what the status is about."""
    apt = tmp_path / "apt-get"
    apt.write_text('#!/bin/sh\necho "E: Unable to locate package $0" >&2\nexit 100\n')
    apt.chmod(0o755)
    programs = ("monmaptool", "ceph-mon", "ceph", "ceph-osd", "radosgw-admin", "radosgw")
    for program in ("sh", *programs):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    done = subprocess.run(
        [sys.executable, SCRIPTS / "install-test-packages"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    told = [line.partition(": apt-get ended with")[0] for line in done.stderr.splitlines()]
    for name in ("chromium", "node-configurable-http-proxy"):
        assert f"{name} is not installed" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs packages")
def test_an_installation_that_fails_says_what_apt_get_said(tmp_path: Path) -> None:
    """Status 1, and the last lines of apt-get in the error."""
    apt = tmp_path / "apt-get"
    apt.write_text('#!/bin/sh\necho "E: Unable to locate package $0" >&2\nexit 100\n')
    apt.chmod(0o755)
    (tmp_path / "sh").symlink_to("/bin/sh")
    done = subprocess.run(
        [sys.executable, SCRIPTS / "install-test-packages"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "error: apt-get ended with status 100: E: Unable to locate package"
    )
