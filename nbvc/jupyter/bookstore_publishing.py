"""``PUT /api/bookstore/publish/{path}``: publish a notebook that the request brings along."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nbvc.errors import InvalidInput, InvalidNotebook
from nbvc.jupyter.bookstore import BookstoreHandler, WrongType
from nbvc.jupyter.people import author_of
from nbvc.model import Area, Digest
from nbvc.repository import Act
from nbvc.repository.acts import Draft
from nbvc.repository.history import version_of
from nbvc.stores.opening import S3_SCHEME

if TYPE_CHECKING:
    from nbvc.jupyter.versioning import Versioning

_MALFORMED = (AttributeError, KeyError, RecursionError, TypeError, ValueError)
"""What nbformat raises for values that have nothing of a notebook."""

MAX_REQUEST_BYTES = 256 << 20
"""A request carries a whole notebook."""

_MAX_REASON = 500


class PublishHandler(BookstoreHandler):
    """There only where publishing is enabled."""

    max_body_bytes = MAX_REQUEST_BYTES

    @authenticated
    @authorized
    async def put(self, path: str) -> None:
        """Save the notebook in the body as a version, and publish that version."""
        path = path.strip("/")
        if not path:
            raise InvalidInput("Must provide a path for publishing.")
        content = _content(await self.versioning.run(partial(_parse, self.request.body)))
        author = author_of(self)
        self.reply(
            await self.versioning.run(
                partial(publish, self.versioning, path, content, author=author)
            )
        )


def publish(
    versioning: Versioning, path: str, content: dict[str, Any], *, author: str | None
) -> dict[str, str]:
    """Save *content* as a version of the notebook at *path*, and publish it; return where it is.

    The key is the one that bookstore would use: the prefix, and behind it the path. The version is
    the latest one of the drafts, if that has these bytes. Durable when this returns.

    Raises:
        InvalidNotebook: It is no valid notebook; nothing was stored.
        InvalidKey: The path cannot be a notebook's.
        Conflict: A version that was saved before is still on its way.
        NbvcError: The store refuses.
    """
    data = written_by_jupyter(content)
    workspace, relative = versioning.find(path)
    versioning.folders.prepare(workspace)
    versioning.settle(workspace, relative)  # what was saved just before comes before this
    repository, key = workspace.connect(), workspace.key_of(relative)
    draft = Draft(data=data, digest=Digest.of(data), parent=None, changes=None)
    environment = workspace.session.environment

    def act() -> Act:
        return Act(
            author=author or workspace.session.author,
            message="",
            now=environment.now(),
            write_id=environment.new_write_id(),
        )

    saved = repository.save(key, draft, act())
    version = version_of(Area.WORKSPACE, key, saved.file.record)
    publication = repository.publish(version, key, act())
    place = repository.layout.data_key(Area.PUBLISHED, key)
    store = repository.store.url
    return {
        "s3_path": f"{store}/{place}" if store.startswith(S3_SCHEME) else place,
        "versionID": publication.file.record.version_id,
    }


def written_by_jupyter(content: dict[str, Any]) -> bytes:
    """Return the bytes that Jupyter would write for a notebook.

    Raises:
        InvalidNotebook: It is not valid.
    """
    import nbformat
    from nbformat.validator import iter_validate

    major = content.get("nbformat")
    if type(major) is not int or major not in nbformat.versions:
        raise _invalid("its nbformat is none that there is")
    try:
        problem = next(iter_validate(content), None)  # type: ignore[no-untyped-call]
        if problem is not None:
            raise _invalid(problem.message)
        # nbformat.writes would give cells with one id new ones, at random.
        node = nbformat.from_dict(content)  # type: ignore[no-untyped-call]
        text: str = nbformat.versions[major].writes_json(node)
        return (text if text.endswith("\n") else f"{text}\n").encode()
    except _MALFORMED as error:
        raise _invalid(type(error).__name__) from error


def _parse(body: bytes) -> Any:
    """Return what the JSON in a body means; ``None`` for an empty one.

    Raises:
        InvalidInput: It is no JSON.
    """
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The body of the request is no JSON.") from error


def _content(model: Any) -> dict[str, Any]:
    """Return the notebook in the model that a client sent, as for Jupyter's contents.

    Raises:
        InvalidInput: There is none.
        WrongType: It is of something else.
        InvalidNotebook: It is empty, or no notebook.
    """
    if not model:
        raise InvalidInput("Bookstore cannot publish an empty model.")
    if not isinstance(model, dict):
        raise InvalidInput("The body of the request is not a JSON object.")
    if model.get("type") != "notebook":
        raise WrongType("Bookstore only publishes notebooks.")
    content = model.get("content")
    if not content:
        raise InvalidNotebook("Bookstore cannot publish empty contents.")
    if not isinstance(content, dict):
        raise _invalid("it is not a JSON object")
    return content


def _invalid(reason: str) -> InvalidNotebook:
    return InvalidNotebook(f"Bookstore cannot publish invalid notebook: {reason[:_MAX_REASON]}")
