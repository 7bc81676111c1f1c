"""The script that starts a real S3 server, tried with moto, which the tests have installed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "s3-server"
ASK = (
    "import os, sys, urllib.request as u; url = os.environ['NBVC_TEST_S3_URL'];"
    "opener = u.build_opener(u.ProxyHandler({}));"
    "print(url, opener.open(url + '/moto-api/').status); sys.exit(7)"
)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script with the Python of the tests."""
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def is_up(url: str) -> bool:
    """Tell whether something answers there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url + "/moto-api/", timeout=5).close()
    except urllib.error.URLError:
        return False
    return True


def test_a_command_runs_against_a_server_of_its_own() -> None:
    """It finds the address in its environment; its status is passed on; the server is gone."""
    result = run("run", "moto", "--", sys.executable, "-c", ASK)
    assert result.returncode == 7, result.stderr
    url, status = result.stdout.split()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert status == "200"
    assert not is_up(url)


def test_a_command_that_is_killed_is_told_as_a_shell_would() -> None:
    """128 and the number of the signal."""
    kill = f"import os; os.kill(os.getpid(), {int(signal.SIGTERM)})"
    assert run("run", "moto", "--", sys.executable, "-c", kill).returncode == 128 + signal.SIGTERM


def test_a_command_that_does_not_exist_is_an_error() -> None:
    """As in a shell: 127."""
    result = run("run", "moto", "--", "no-such-command")
    assert (result.returncode, "no-such-command" in result.stderr) == (127, True)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminate"])
def test_in_the_foreground_it_runs_until_it_is_stopped(stop: signal.Signals) -> None:
    """It prints what to paste into a shell; when it is stopped, so is the server."""
    with subprocess.Popen(
        [sys.executable, SCRIPT, "moto"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert is_up(url)
        process.stdout.readline()
        assert process.stdout.readline() == f"export NBVC_TEST_S3_URL={url}\n"
        time.sleep(0.2)
        process.send_signal(stop)
        process.communicate(timeout=20)
    assert process.returncode == 128 + stop
    assert not is_up(url)


def test_a_port_that_is_taken_is_told_before_anything_is_started() -> None:
    """Otherwise the tests would run against somebody else's server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("run", "moto", "--port", str(port), "--", "true")
    assert result.returncode == 1
    assert f"port {port}" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["minio"],
        ["run", "moto"],
        ["run", "moto", "--"],
        ["moto", "--", "true"],
        ["moto", "--port", "70000"],
        ["moto", "--port", "x"],
    ],
    ids=" ".join,
)
def test_a_call_that_makes_no_sense_is_refused(arguments: list[str]) -> None:
    """Status 2, with the usage."""
    result = run(*arguments)
    assert result.returncode == 2
    assert "usage: scripts/s3-server" in result.stderr


def test_a_server_that_cannot_be_installed_says_why(tmp_path: Path) -> None:
    """No folder can be written: the hint names the variable that chooses another."""
    file = tmp_path / "file"
    file.touch()
    result = run("run", "ministack", "--", "true", NBVC_SERVERS_DIR=str(file))
    assert result.returncode == 1
    assert "NBVC_SERVERS_DIR" in result.stderr


def test_an_installation_that_fails_is_not_taken_for_a_server(tmp_path: Path) -> None:
    """Without a registry it fails each time it is tried; it is never half there."""
    settings = {
        "NBVC_SERVERS_DIR": str(tmp_path),
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
    }
    for _ in range(2):
        result = run("run", "ministack", "--", "true", **settings)
        assert result.returncode == 1
        assert "Installing ministack" in result.stderr
        assert "error: " in result.stderr
        assert list(tmp_path.glob("*/ready")) == []
