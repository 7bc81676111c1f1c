"""Install the system's packages that some tests need (see ``scripts/install-test-packages -h``).

Needs nothing but the standard library, and does nothing where the programs are there.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys

import ceph_cluster

DESCRIPTION = """\
Install the packages of Ceph, against which scripts/test runs a part of the tests, of Chromium, in
which it looks at a page, and of the proxy of JupyterHub.

Does nothing where their programs are there. Needs apt-get, so Debian or Ubuntu, and root.
Exit status: 0 Ceph is there, 1 it could not be installed, 77 not for this system or user.
Without Chromium or the proxy a few tests are skipped, so that is only said.
"""
UPDATE = ("apt-get", "-qq", "update")
INSTALL = ("apt-get", "-qq", "install", "--yes", "--no-install-recommends")
LIMITS = (
    "-o=Acquire::Retries=2",
    "-o=Acquire::http::Timeout=30",
    "-o=Acquire::https::Timeout=30",
    "-o=DPkg::Lock::Timeout=120",
)
TIMEOUT_SECONDS = 900
EXTRAS = {
    "chromium": ("chromium", "chromium-browser"),
    "node-configurable-http-proxy": ("configurable-http-proxy",),
}
"""Packages, each with the programs of which one is enough."""
SHOWN_LINES = 5


class InstallError(Exception):
    """The packages cannot be installed; the message says why, in one line."""


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/install-test-packages",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    install_extras()
    missing = ceph_cluster.missing_programs()
    if not missing:
        return 0
    if obstacle := what_is_in_the_way():
        print(f"{', '.join(missing)}: not there, and {obstacle}.", file=sys.stderr)
        return ceph_cluster.MISSING_STATUS
    print(f"Installing {' '.join(ceph_cluster.PACKAGES)} ...", file=sys.stderr, flush=True)
    try:
        install()
    except InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def install_extras() -> None:
    """Install what few tests need, where it is missing and can be; a failure is only told."""
    missing = [name for name, programs in EXTRAS.items() if not any(map(shutil.which, programs))]
    if not missing or what_is_in_the_way():
        return
    run([*UPDATE, *LIMITS], may_fail=True)
    for name in missing:
        print(f"Installing {name} ...", file=sys.stderr, flush=True)
        try:
            run([*INSTALL, *LIMITS, name])
        except InstallError as error:
            print(f"{name} is not installed: {error}", file=sys.stderr)


def what_is_in_the_way() -> str | None:
    """Return why packages cannot be installed here, or nothing if they can."""
    if shutil.which("apt-get") is None:
        return "this system has no apt-get to install Ceph with"
    if os.geteuid() != 0:
        return "only root may install Ceph: sudo scripts/install-test-packages"
    return None


def install() -> None:
    """Install the packages.

    Raises:
        InstallError: It failed, or the programs are missing all the same.
    """
    # Other sources than the one with Ceph may be out of order: whether it matters shows next.
    run([*UPDATE, *LIMITS], may_fail=True)
    run([*INSTALL, *LIMITS, *ceph_cluster.PACKAGES])
    if missing := ceph_cluster.missing_programs():
        raise InstallError(f"the packages do not have {', '.join(missing)}")


def run(command: list[str], *, may_fail: bool = False) -> None:
    """Run *command*, and show its output only when it fails.

    Raises:
        InstallError: It failed.
    """
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{shlex.join(command[:3])} took too long") from error
    if done.returncode == 0:
        return
    lines = done.stdout.decode(errors="replace").splitlines()
    print("\n".join(lines), file=sys.stderr)
    if not may_fail:
        told = " ".join(lines[-SHOWN_LINES:]) or "no output"
        raise InstallError(f"apt-get ended with status {done.returncode}: {told}")
