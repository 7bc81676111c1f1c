"""Which workspace a notebook of a server belongs to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.environment import Environment
from nbvc.errors import InvalidKey
from nbvc.jupyter.folders import Folders
from nbvc.workspace.accepting import capture
from nbvc.workspace.binding import bind
from nbvc.workspace.naming import waits
from nbvc.workspace.settings import CONFIG_FILE, CONTROL_FOLDER
from tests.conftest import make_workspace
from tests.workspace.helpers import ONE


def test_variables_choose_the_store_of_the_root_alone(
    environment: Environment, tmp_path: Path
) -> None:
    """A bound folder below it keeps its own; else two notebooks would share one history."""
    root, team = environment.cwd, environment.cwd / "team"
    team.mkdir()
    own = (tmp_path / "own").as_uri()
    make_workspace(replace(environment, cwd=team), own, namespace="team")
    for_all = {"NBVC_STORE": (tmp_path / "all").as_uri(), "NBVC_NAMESPACE": "ada"}
    variables = {**environment.variables, **for_all}
    folders = Folders(root, replace(environment, variables=variables))
    above, below = folders.at(root / "mine.ipynb"), folders.at(team / "mine.ipynb")
    assert (above.store_url, above.key("mine.ipynb")) == (for_all["NBVC_STORE"], "ada/mine.ipynb")
    assert (below.store_url, below.key(str(team / "mine.ipynb"))) == (own, "team/mine.ipynb")
    folders.close()


@pytest.mark.parametrize("path", ["circle/mine.ipynb", "link/mine.ipynb"])
def test_a_path_that_leads_nowhere_never_binds_the_root_anew(
    environment: Environment, tmp_path: Path, path: str
) -> None:
    """Links in a circle, or out of the root: the configuration stays."""
    root = environment.cwd
    (tmp_path / "elsewhere").mkdir()
    (root / "circle").symlink_to("circle")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    store = (tmp_path / "other store").as_uri()
    bind(root, store=store, namespace="ada/mine", settings=None, environment=environment)
    before = (root / CONTROL_FOLDER / CONFIG_FILE).read_bytes()
    workspace = Folders(root, environment).at(root / path)
    assert workspace.store_url == store
    with pytest.raises(InvalidKey):
        workspace.relative(root / path)
    assert (root / CONTROL_FOLDER / CONFIG_FILE).read_bytes() == before


def test_who_reads_first_delivers_nothing(environment: Environment) -> None:
    """That is for the worker, which tells of it; a request would wait for the store as well."""
    folders = Folders(environment.cwd, environment)
    workspace = folders.at(environment.cwd / "mine.ipynb")
    (environment.cwd / "mine.ipynb").write_bytes(ONE)
    capture(workspace, "mine.ipynb")
    folders.prepare(workspace)
    assert workspace.repository
    assert waits(workspace, "mine.ipynb")
    workspace.deliver()
    assert not waits(workspace, "mine.ipynb")
    folders.close()
