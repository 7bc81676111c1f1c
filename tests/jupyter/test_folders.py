"""Which workspace a notebook of a server belongs to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nbvc.environment import Environment
from nbvc.jupyter.folders import Folders
from tests.conftest import make_workspace


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
