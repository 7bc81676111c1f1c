"""The scripts that a person and CI run."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parent.parent


def shell_scripts() -> list[Path]:
    """Return every shell script of the project."""
    found = [*(PROJECT / "scripts").iterdir(), PROJECT / ".ci" / "run"]
    return sorted(path for path in found if path.is_file() and first_line(path).endswith("bash"))


def first_line(path: Path) -> str:
    """Return the first line of a file, without its line end."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip()


def name_of(path: Path) -> str:
    """Return the name of a script for the list of tests."""
    return path.relative_to(PROJECT).as_posix()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with blanks in its path that holds the set-up scripts and no more."""
    project = tmp_path / "a project"
    (project / "scripts").mkdir(parents=True)
    for name in ("setup", "setup_environment.py"):
        shutil.copy2(PROJECT / "scripts" / name, project / "scripts" / name)
    shutil.copy2(PROJECT / "pyproject.toml", project)
    return project


def load_setup(project: Path) -> ModuleType:
    """Return the set-up program of *project* as a module."""
    path = project / "scripts" / "setup_environment.py"
    spec = importlib.util.spec_from_file_location("setup_environment", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_ready(project: Path, folder: Path, extra: str) -> None:
    """Leave in *folder* what a finished set-up leaves there."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    setup = load_setup(project)
    (folder / setup.STAMP).write_text(json.dumps(setup.wanted(folder, extra)))


def run_setup(
    script: Path, *arguments: str, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the set-up script with no surroundings but a PATH, and no way to a registry."""
    base = {
        "PATH": os.environ["PATH"],
        "PYTHON": sys.executable,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
    }
    return subprocess.run(
        [script, *arguments],
        cwd=cwd,
        env={**base, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", shell_scripts(), ids=name_of)
def test_script_is_valid_shell_and_executable(script: Path) -> None:
    """Every shell script parses, and can be run by its name."""
    checked = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert checked.stderr == ""
    assert checked.returncode == 0
    assert os.access(script, os.X_OK)


def test_continuous_integration_runs_what_a_person_runs() -> None:
    """CI calls the scripts for lint, the demonstration and the tests, and nothing of its own."""
    text = (PROJECT / ".ci" / "run").read_text()
    assert "for step in lint demo test; do" in text
    assert '"$project/scripts/$step"' in text


def test_continuous_integration_fails_when_one_step_fails(tmp_path: Path) -> None:
    """A failed first step does not stop the later ones, and decides the exit status."""
    for folder in ("scripts", ".ci"):
        (tmp_path / folder).mkdir()
    shutil.copy2(PROJECT / ".ci" / "run", tmp_path / ".ci" / "run")
    for step, status in (("lint", 1), ("demo", 0), ("test", 0)):
        make_program(tmp_path / "scripts" / step, f"echo ran {step}\nexit {status}")
    ran = subprocess.run(
        ["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert [line for line in ran.stdout.splitlines() if line.startswith("ran")] == [
        "ran lint",
        "ran demo",
        "ran test",
    ]


def test_continuous_integration_tells_the_tests_why_ceph_is_missing(tmp_path: Path) -> None:
    """What kept its packages from being installed reaches the summary; nothing else fails."""
    for folder in ("scripts", ".ci"):
        (tmp_path / folder).mkdir()
    shutil.copy2(PROJECT / ".ci" / "run", tmp_path / ".ci" / "run")
    programs = {
        "install-test-packages": "echo log; echo error: no such package >&2; exit 1",
        "lint": "true",
        "demo": "true",
        "test": 'echo "told: $NBVC_TEST_PACKAGES_ERROR"',
    }
    for name, text in programs.items():
        make_program(tmp_path / "scripts" / name, text)
    ran = subprocess.run(
        ["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[-1] == "told: error: no such package"


@pytest.mark.parametrize("has_ceph", [True, False], ids=["with Ceph", "without Ceph"])
def test_tests_say_which_servers_they_ran_on(tmp_path: Path, has_ceph: bool) -> None:
    """A server whose programs are missing is skipped, with the reason and the way to get them."""
    (tmp_path / "scripts").mkdir()
    shutil.copy2(PROJECT / "scripts" / "test", tmp_path / "scripts" / "test")
    (tmp_path / "bin").mkdir()
    make_program(tmp_path / "bin" / "python", "echo ==== 3 passed, 1 skipped in 0.10s ====")
    make_program(tmp_path / "scripts" / "setup", f"echo {tmp_path}")
    missing = 'if [ "$2" = ceph ]; then echo error: Ceph is not installed >&2; exit 77; fi'
    make_program(
        tmp_path / "scripts" / "s3-server",
        ("" if has_ceph else missing) + '\nwhile [ "$1" != -- ]; do shift; done; shift; "$@"',
    )
    ran = subprocess.run(
        [tmp_path / "scripts" / "test"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    *_, last = lines = ran.stdout.splitlines()
    if has_ceph:
        assert lines[-2] == "local ministack localstack ceph tests: all passed"
        assert "12 passed, 4 skipped in" in last
    else:
        assert lines[-4] == "local ministack localstack tests: all passed"
        assert lines[-3] == "SKIPPED the ceph tests: Ceph is not installed"
        assert lines[-2].endswith("as root: scripts/install-test-packages")
        assert "9 passed, 3 skipped in" in last


def make_program(path: Path, text: str) -> None:
    """Write a shell script that can be run."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_set_up_does_nothing_where_the_environment_is_ready(project: Path, tmp_path: Path) -> None:
    """A second run through a symbolic link, without HOME, prints the folder and is silent."""
    make_ready(project, project / ".venv", "dev")
    link = tmp_path / "a link"
    link.symlink_to(project / "scripts" / "setup")
    for extra in ((), ("test",), ("dev",)):
        ran = run_setup(link, *extra, cwd=Path("/"))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout == f"{project / '.venv'}\n"


@pytest.mark.parametrize("change", ["pyproject", "extra", "project", "python", "environment"])
def test_set_up_is_stale_after_a_change(project: Path, change: str) -> None:
    """New requirements, a moved project or another Python mean a new installation."""
    folder = project / ".venv"
    make_ready(project, folder, "test")
    setup = load_setup(project)
    assert setup.is_ready(folder, "test")
    stamp = {**setup.read_stamp(folder), change: ""}
    (folder / setup.STAMP).write_text(json.dumps(stamp))
    assert not setup.is_ready(folder, "test")


def test_set_up_with_more_than_was_installed_is_stale(project: Path) -> None:
    """An environment for the tests does not do for development."""
    make_ready(project, project / ".venv", "test")
    assert not load_setup(project).is_ready(project / ".venv", "dev")


def test_set_up_never_clears_a_folder_that_is_no_environment(project: Path, tmp_path: Path) -> None:
    """NBVC_VENV that names a folder with files in it is refused, and the files stay."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.ipynb").write_text("{}")
    ran = run_setup(project / "scripts" / "setup", cwd=project, NBVC_VENV=str(folder))
    assert ran.returncode == 1
    assert "is not a virtual environment" in ran.stderr
    assert [path.name for path in folder.iterdir()] == ["thesis.ipynb"]


def test_set_up_without_a_suitable_python_says_how_to_name_one(project: Path) -> None:
    """The error names what was tried and the variable to set."""
    ran = run_setup(project / "scripts" / "setup", cwd=project, PYTHON="no-such-python")
    assert ran.returncode == 1
    assert "tried: no-such-python" in ran.stderr
    assert "PYTHON=" in ran.stderr


def test_set_up_without_a_registry_says_so_in_one_line(project: Path) -> None:
    """A network failure is one clear error, not pages of a package manager's output."""
    setup = load_setup(project)
    folder = project / ".venv"
    folder.mkdir()
    refused = "import sys; sys.exit('NewConnectionError: Connection refused')"
    with pytest.raises(setup.SetupError) as caught:
        setup.run(folder, [sys.executable, "-c", refused])
    assert "registry cannot be reached" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Connection refused" in (folder / setup.LOG).read_text()


def test_set_up_shows_the_whole_log_of_any_other_failure(project: Path) -> None:
    """What pip said is on the screen when it fails for a reason that only it can explain."""
    setup = load_setup(project)
    folder = project / ".venv"
    folder.mkdir()
    with pytest.raises(setup.SetupError, match="No space left on device"):
        setup.run(folder, [sys.executable, "-c", "raise OSError('No space left on device')"])


def test_set_up_never_trusts_a_folder_that_others_can_write(project: Path, tmp_path: Path) -> None:
    """A folder in a shared place that others may write is not used for the environment."""
    setup = load_setup(project)
    planted = tmp_path / "planted"
    planted.mkdir()
    planted.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert not setup.is_private(planted)
    assert not setup.is_private(link)
    assert setup.is_private(tmp_path / "fresh")
