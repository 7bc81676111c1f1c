"""202 versions of real notebooks: saved in order, brought back byte for byte, and compared."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import nbdime
import pytest
from moto import mock_aws

from nbvc import diffing
from nbvc.environment import Environment
from nbvc.errors import InvalidNotebook
from nbvc.model import Digest
from nbvc.workspace.core import Workspace
from tests.conftest import make_workspace
from tests.diff_sizes import BROKEN, Size, name_of, nbdime_sizes, pairs_of
from tests.notebook_samples import CORPUS
from tests.s3_server import isolate_aws_settings, new_bucket

pytestmark = pytest.mark.corpus

History = Sequence[Path]
SMALL = "08_dimensionality_reduction"


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, History]:
    """Return the versions of each notebook of the corpus, oldest first."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of notebooks is not beside the project")
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(CORPUS / "handson-ml.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return {
        notebook.name: sorted(notebook.glob("*.ipynb"))
        for notebook in sorted((folder / "handson").iterdir())
    }


@pytest.fixture
def on_s3(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Workspace]:
    """Return a workspace on an S3 bucket, without a cache, so that bytes come from there."""
    isolate_aws_settings(monkeypatch, tmp_path)
    environment.user_config_file.parent.mkdir()
    environment.user_config_file.write_text("cache_size_mb = 0\n")
    with mock_aws():
        store = new_bucket(None)
        make_workspace(environment, store.url)
        with Workspace.open(environment=environment) as workspace:
            yield workspace
        store.close()


def check_round_trip(workspace: Workspace, histories: Mapping[str, History]) -> None:
    """Save every version in order, then check out each and compare its bytes."""
    for name, versions in histories.items():
        for number, version in enumerate(versions, 1):
            save(workspace, f"{name}.ipynb", version, number)
    for name, versions in histories.items():
        path = f"{name}.ipynb"
        logged = list(workspace.log(path))
        assert [version.number for version in logged] == list(range(len(versions), 0, -1))
        for number, version in enumerate(versions, 1):
            workspace.checkout(path, f"v{number}")
            data = (workspace.folder / path).read_bytes()
            assert data == version.read_bytes()
            assert logged[-number].digest == Digest.of(data)


def save(workspace: Workspace, path: str, version: Path, number: int) -> None:
    """Save one version; the three that its author committed broken, only as what they are."""
    data = version.read_bytes()
    (workspace.folder / path).write_bytes(data)
    if f"{version.parent.name}/{version.name}" in BROKEN:
        with pytest.raises(InvalidNotebook):
            workspace.save(path)
        (result,) = workspace.save(path, allow_invalid=True)
    else:
        (result,) = workspace.save(path)
    assert (result.saved, result.number, result.digest) == (True, number, Digest.of(data))


def test_the_corpus_is_whole(histories: Mapping[str, History]) -> None:
    """Eight notebooks, 202 versions."""
    assert (len(histories), sum(map(len, histories.values()))) == (8, 202)


def test_every_version_comes_back_from_the_embedded_store(
    workspace: Workspace, histories: Mapping[str, History]
) -> None:
    """All 202."""
    check_round_trip(workspace, histories)


def test_the_versions_of_one_notebook_come_back_from_s3(
    on_s3: Workspace, histories: Mapping[str, History]
) -> None:
    """The small form of the next test."""
    check_round_trip(on_s3, {SMALL: histories[SMALL]})


def test_no_diff_is_larger_than_that_of_nbdime(histories: Mapping[str, History]) -> None:
    """Neighbours, and first with last: it leads to the other, and changes at most 5 % more."""
    expected = nbdime_sizes()
    larger = {}
    for versions in histories.values():
        for old, new in pairs_of(versions):
            a, b = (diffing.load(path.read_bytes()) for path in (old, new))
            found = diffing.diff_notebooks(a, b)
            assert nbdime.patch_notebook(a, found) == b
            size, theirs = Size.of(found), expected.pop(name_of(old, new))
            if size.cells > 1.05 * theirs.cells or size.operations > 1.05 * theirs.operations:
                larger[name_of(old, new)] = (size, theirs)
    assert larger == {}
    assert expected == {}


@pytest.mark.slow
def test_every_version_comes_back_from_s3(
    on_s3: Workspace, histories: Mapping[str, History]
) -> None:
    """All 202."""
    check_round_trip(on_s3, histories)
