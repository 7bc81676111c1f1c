"""What changed between two versions, or between a version and what nobody has saved."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nbvc.diffing import DiffOptions
from nbvc.jupyter.api import NbvcHandler
from nbvc.jupyter.asking import Asked
from nbvc.jupyter.diff_process import Pair
from nbvc.model import Data, Digest, Version
from nbvc.values import dataclass
from nbvc.workspace.comparing import Comparison, Side
from nbvc.workspace.core import Workspace

MAX_DOCUMENT_BYTES = 64 << 20
_OPTIONS = ("source_only", "ignore_outputs", "ignore_metadata", "ignore_details")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """Two sides of a notebook, and what is known of their difference.

    Attributes:
        sides: What is said of each.
        comparison: Knows whether they were compared before.
        pair: What is to be compared; ``None`` where it was.
        kept: What came of it then.
    """

    sides: dict[str, Any]
    comparison: Comparison
    pair: Pair | None
    kept: bytes


class DiffHandler(NbvcHandler):
    """``/nbvc/api/v1/diff``."""

    max_body_bytes = MAX_DOCUMENT_BYTES

    @authenticated
    @authorized
    async def get(self) -> None:
        """Compare two versions; without ``new``, a version with the file as it is now."""
        await self._diff(new=self.query.text("new", ""))

    @authenticated
    @authorized(action="read")  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """Compare a version with the document in the body, which is stored nowhere."""
        await self._diff(document=self.request.body)

    async def _diff(self, *, new: str = "", document: bytes | None = None) -> None:
        asked = self.query
        compare = partial(
            _compare,
            old=asked.text("old", "latest"),
            new=new,
            document=document,
            options=_options(asked),
        )
        found = await self.with_notebook(asked.text("path"), compare)
        diff = found.kept
        if found.pair is not None:
            diff = await self.versioning.differ.diff(found.pair)
            await self.versioning.run(partial(found.comparison.keep_diff, diff))
        head = json.dumps(found.sides, ensure_ascii=False)
        # The diff is JSON already, and may be long: it is neither read nor written once more here.
        self.write(head[:-1].encode() + b',"diff":')
        self.write(diff)
        self.finish(b"}")


def _options(asked: Asked) -> DiffOptions:
    return DiffOptions(**{name: asked.flag(name) for name in _OPTIONS})


def _compare(
    workspace: Workspace,
    path: str,
    *,
    old: str,
    new: str,
    document: bytes | None,
    options: DiffOptions,
) -> _Compared:
    before = _version_side(workspace, workspace.resolve(path, old))
    if document is not None:
        after = _unversioned_side("unsaved", document)
    elif new:
        after = _version_side(workspace, workspace.resolve(path, new))
    else:
        after = _unversioned_side("file", workspace.read_working_copy(path))
    (old_side, old_facts), (new_side, new_facts) = before, after
    comparison = Comparison(old_side, new_side, options, workspace.session.cache)
    kept = comparison.kept_diff()
    pair = None
    if kept is None:
        waiting = old_side.start(), new_side.start()
        pair = Pair(
            old=waiting[0](),
            new=waiting[1](),
            names=(f"{path}@{old_side.name}", f"{path}@{new_side.name}"),
            options=options,
        )
    sides = {"old": old_facts, "new": new_facts}
    return _Compared(sides=sides, comparison=comparison, pair=pair, kept=kept or b"")


def _version_side(workspace: Workspace, version: Version) -> tuple[Side, dict[str, Any]]:
    repository = workspace.repository
    digest = version.digest or Digest.of(repository.view(version))  # another tool's
    side = Side(
        name=version.name,
        digest=digest,
        start=lambda: repository.backend.parallel.start(lambda: repository.view(version)),
    )
    return side, _facts(side, version.size_bytes, version)


def _unversioned_side(name: str, data: Data) -> tuple[Side, dict[str, Any]]:
    side = Side(name=name, digest=Digest.of(data), start=lambda: lambda: data)
    return side, _facts(side, len(data))


def _facts(side: Side, size_bytes: int, version: Version | None = None) -> dict[str, Any]:
    return {
        "name": side.name,
        "number": version.number if version else None,
        "version_id": version.version_id if version else None,
        "digest": side.digest,
        "size_bytes": size_bytes,
    }
