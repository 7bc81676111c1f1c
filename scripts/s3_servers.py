"""Start a real S3 server on loopback (see ``scripts/s3-server --help``).

Needs nothing but the standard library. Ceph comes from the system's packages. Each other server is
installed once, from PyPI, into a virtual environment of its own in the user's cache folder; where
the running Python has it, that is used.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ceph_cluster
import own_environments
import server_processes as processes
from own_environments import Program
from server_processes import HOST, StartError
from setup_environment import SetupError, say

ACCESS_KEY = "test"
SECRET_KEY = "testtest"
EXAMPLES = """\
examples:
  scripts/s3-server ministack                       run until Ctrl-C
  scripts/s3-server localstack --port 4566
  scripts/s3-server ceph
  scripts/s3-server run ministack -- pytest -m real_s3
                                                    run a command against a fresh server

moto is for quick looks: its conditional writes are no match for a race, and it checks no checksums.
ceph is a real, distributed object store, and needs packages of Debian or Ubuntu: where they are
missing, the exit status is 77. The others are installed below $NBVC_SERVERS_DIR, by default
~/.cache/nbvc/servers.
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """How to install, start and ask one server.

    Attributes:
        requirement: What pip is told to install.
        module: Module that is there once it is installed.
        constraints: File beside this one with versions that are known to work.
        health: Path that answers 200 once the server is ready.
        arguments: Arguments of Python that start it on a port.
        variables: Its settings, for a port and a folder.
    """

    requirement: str
    module: str
    constraints: str | None = None
    health: str = "/"
    arguments: Callable[[int], list[str]]
    variables: Callable[[int, Path], dict[str, str]]


def localstack_variables(port: int, folder: Path) -> dict[str, str]:
    """Return the settings of LocalStack: S3 alone, nothing from outside, loopback only.

    Its default gateway server binds to all interfaces, whatever GATEWAY_LISTEN says.
    """
    return {
        "SERVICES": "s3",
        "EAGER_SERVICE_LOADING": "1",
        "GATEWAY_LISTEN": f"{HOST}:{port}",
        "GATEWAY_SERVER": "hypercorn",
        "LOCALSTACK_HOST": f"localhost.localstack.cloud:{port}",
        "LOCALSTACK_VOLUME_DIR": str(folder),
        "FILESYSTEM_ROOT": str(folder / "files"),
        "PERSISTENCE": "0",
        "S3_SKIP_SIGNATURE_VALIDATION": "1",
        "DISABLE_EVENTS": "1",
        "ANALYTICS": "0",
        "ACTIVATE_PRO": "0",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "USE_SSL": "0",
        "DNS_ADDRESS": "0",
        "DEBUG": "0",
        "LS_LOG": "warn",
    }


SERVERS = {
    "moto": Server(
        requirement="moto[s3,server]==5.2.5",
        module="moto.server",
        health="/moto-api/",
        arguments=lambda port: ["-m", "moto.server", "--host", HOST, "--port", str(port)],
        variables=lambda _port, _folder: {},
    ),
    "ministack": Server(
        requirement="ministack==1.5.33",
        module="ministack.app",
        arguments=lambda _: ["-c", "from ministack.app import main; main()"],
        variables=lambda port, _folder: {
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3",
        },
    ),
    "localstack": Server(
        requirement="localstack-core[base-runtime]==4.13.1",
        module="localstack.runtime.main",
        constraints="localstack-constraints.txt",
        health="/_localstack/health",
        arguments=lambda _: ["-m", "localstack.runtime.main"],
        variables=localstack_variables,
    ),
}


NAMES = (*SERVERS, ceph_cluster.NAME)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    options = parse(arguments)
    # A terminated script must still stop its server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with running(options.server, options.port) as (url, is_alive):
            if options.command:
                return run_command(options.command, options.server, url, is_alive)
            return serve(options.server, url, is_alive)
    except ceph_cluster.MissingProgramsError as error:
        say(f"error: {error}\n")
        return ceph_cluster.MISSING_STATUS
    except (SetupError, StartError, OSError) as error:
        say(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; every kind of call ends in ``server``, ``port`` and ``command``."""
    own, _, command = split_at(arguments, "--")
    parser = argparse.ArgumentParser(
        prog="scripts/s3-server",
        usage="%(prog)s [run] {" + ",".join(NAMES) + "} [--port N] [-- COMMAND...]",
        description="Start a real S3 server on loopback, until Ctrl-C or for one command.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("server", choices=NAMES, help="which server")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    is_run = own[:1] == ["run"]
    options = parser.parse_args(own[1:] if is_run else own)
    if is_run and not command:
        parser.error("run needs a command: run SERVER -- COMMAND...")
    if not is_run and (command or "--" in arguments):
        parser.error("a command needs run before the name of the server")
    if not 0 <= options.port < 65536:
        parser.error("a port is a number up to 65535")
    options.command = command
    return options


def split_at(arguments: list[str], mark: str) -> tuple[list[str], str, list[str]]:
    """Split a list at the first *mark*, as ``str.partition`` does."""
    if mark not in arguments:
        return arguments, "", []
    place = arguments.index(mark)
    return arguments[:place], mark, arguments[place + 1 :]


def serve(server: str, url: str, is_alive: Callable[[], bool]) -> int:
    """Say how to use the server, and wait for Ctrl-C."""
    print(f"{url}\n")
    for name, value in settings(server, url).items():
        print(f"export {name}={value}")
    print(f"\nnbvc init s3://my-bucket --create --endpoint-url {url}")
    print("Stop with Ctrl-C; everything in it is gone then.", flush=True)
    while is_alive():
        time.sleep(0.5)
    raise StartError("the server has ended by itself")


def run_command(command: list[str], server: str, url: str, is_alive: Callable[[], bool]) -> int:
    """Run *command* against the server and return its exit status as a shell would tell it."""
    variables = {**os.environ, **settings(server, url), "NO_PROXY": no_proxy(os.environ)}
    try:
        status = subprocess.run(command, env=variables, check=False).returncode
    except FileNotFoundError:
        say(f"error: there is no command {shlex.quote(command[0])}\n")
        return 127
    if not is_alive():
        say("error: the server has ended while the command ran\n")
        return status or 1
    return status if status >= 0 else 128 - status


def settings(server: str, url: str) -> dict[str, str]:
    """Return the variables that point tests, nbvc and the AWS tools to the server's account."""
    return {
        "NBVC_TEST_S3_URL": url,
        "NBVC_TEST_S3_SERVER": server,
        "NBVC_TEST_S3_ACCESS_KEY": ACCESS_KEY,
        "NBVC_TEST_S3_SECRET_KEY": SECRET_KEY,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def no_proxy(variables: Mapping[str, str]) -> str:
    """Return the caller's list of hosts without a proxy, with loopback added."""
    return ",".join(filter(None, [variables.get("NO_PROXY", variables.get("no_proxy")), HOST]))


# --- starting and stopping ------------------------------------------------------------------------


@contextmanager
def running(name: str, port: int) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Start a server; give its address and a way to ask whether it still runs; stop it.

    Raises:
        SetupError: It could not be installed.
        StartError: It did not become ready in time; the end of its log is in the message.
    """
    if name == ceph_cluster.NAME:
        keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
        with ceph_cluster.running(port, **keys) as cluster:
            yield cluster
        return
    server = SERVERS[name]
    python = installed(name, server)
    with (
        tempfile.TemporaryDirectory(prefix=f"nbvc-{name}-", ignore_cleanup_errors=True) as path,
        processes.reserved_port(port) as own_port,
    ):
        folder = Path(path)
        command = [python, *server.arguments(own_port)]
        variables = server.variables(own_port, folder)
        process = processes.start(command, folder, folder / "log", variables)
        try:
            processes.wait_until_ready(name, process, own_port, server.health, folder / "log")
            yield f"http://{HOST}:{own_port}", lambda: process.poll() is None
        finally:
            processes.stop(process)


# --- installing -----------------------------------------------------------------------------------


def installed(name: str, server: Server) -> str:
    """Return a Python that has the server, which is installed first if need be.

    Raises:
        SetupError: No folder can be written, or the installation failed.
    """
    if has_module(server.module):
        return sys.executable
    program = Program(name=name, requirements=(server.requirement,), constraints=server.constraints)
    return str(own_environments.installed(program) / "bin" / "python")


def has_module(name: str) -> bool:
    """Tell whether the running Python has a module."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # nor the package that it would be in
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
