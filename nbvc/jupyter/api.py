"""What all routes of the extension share: who may, what goes wrong, how that is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError, authenticated

from nbvc.errors import (
    AccessDenied,
    Ambiguous,
    Conflict,
    IntegrityError,
    InvalidConfig,
    InvalidInput,
    NbvcError,
    NotFound,
    StoreError,
)
from nbvc.jupyter.asking import Asked
from nbvc.jupyter.limits import Busy, TimedOut, TooLarge
from nbvc.jupyter.people import author_of
from nbvc.refs import Latest, Selector
from nbvc.workspace import describing
from nbvc.workspace.core import Workspace

if TYPE_CHECKING:
    from nbvc.jupyter.extension import NbvcExtension
    from nbvc.jupyter.versioning import Versioning

BASE = "/nbvc/api/v1"
AUTH_RESOURCE = "nbvc"
"""What an authorizer is asked about: ``read`` for GET, ``write`` for all else."""

MAX_BODY_BYTES = 64 << 10
RETRY_AFTER_SECONDS = 5

_STATUS: tuple[tuple[type[NbvcError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Ambiguous, HTTPStatus.CONFLICT),
    (Conflict, HTTPStatus.CONFLICT),
    (AccessDenied, HTTPStatus.FORBIDDEN),
    (IntegrityError, HTTPStatus.BAD_GATEWAY),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (TimedOut, HTTPStatus.GATEWAY_TIMEOUT),
    (Busy, HTTPStatus.SERVICE_UNAVAILABLE),
)
_KINDS = {
    HTTPStatus.BAD_REQUEST: "bad-request",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
}
_HINTS = {
    HTTPStatus.FORBIDDEN: "Send the token of the server, or its cookie with the XSRF token.",
    HTTPStatus.NOT_FOUND: f"GET {BASE}/openapi.json lists the routes.",
    HTTPStatus.METHOD_NOT_ALLOWED: f"GET {BASE}/openapi.json lists what each route takes.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The log of the server says more.",
}
_T = TypeVar("_T")


class NbvcHandler(APIHandler):
    """A route of ``/nbvc/api/v1``. Errors are JSON with ``kind``, ``message`` and ``hint``.

    Each verb of a subclass is decorated with ``@authenticated`` and ``@authorized``.
    """

    auth_resource = AUTH_RESOURCE
    max_body_bytes = MAX_BODY_BYTES
    hints: Mapping[HTTPStatus, str] = _HINTS
    """What to say of an error of the server itself."""

    @property
    def content_security_policy(self) -> str:
        """The usual policy; what a browser shows as a page all the same can do nothing there."""
        return f"{super().content_security_policy}; sandbox"

    @property
    def extension(self) -> NbvcExtension:
        """The extension, with its configuration."""
        found: NbvcExtension = self.settings["nbvc"]
        return found

    @property
    def versioning(self) -> Versioning:
        """What makes and finds versions."""
        return self.extension.versioning

    @property
    def query(self) -> Asked:
        """The query of the request."""
        return Asked.from_query(self.request.query_arguments)

    @property
    def body(self) -> Asked:
        """The body of the request."""
        return Asked.from_body(self.request.body)

    @property
    def author(self) -> str | None:
        """Who sent the request; ``None`` where nobody knows."""
        return author_of(self)

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse what is too long, once it is known that who sent it may ask."""
        await super().prepare()
        if len(self.request.body) > self.max_body_bytes:
            raise TooLarge(f"The body of the request is longer than {self.max_body_bytes:,} bytes.")

    async def with_notebook(self, path: str, work: Callable[[Workspace, str], _T]) -> _T:
        """Do *work*, beside the event loop, with the notebook that the server calls *path*.

        Args:
            path: The notebook, which need not exist.
            work: Gets its workspace, whose store can be used, and its path there.

        Raises:
            NotFound: It is hidden, and the server shows nothing that is.
            NbvcError: There is no such notebook or workspace, or what *work* raises.
        """
        self._require_disk()
        self._refuse_hidden(path)

        def do() -> _T:
            workspace, relative = self.versioning.find(path)
            self.versioning.folders.prepare(workspace)
            return work(workspace, relative)

        return await self.versioning.run(do)

    async def with_folder(self, path: str, work: Callable[[Workspace, Path], _T]) -> _T:
        """Do *work*, beside the event loop, with the folder that the server calls *path*.

        Args:
            path: The folder; empty for the root.
            work: Gets its workspace, whose store can be used, and the folder, absolute.

        Raises:
            NotFound: There is no such folder, or it is hidden.
            NbvcError: It is no folder of this server, or what *work* raises.
        """
        self._require_disk()
        self._refuse_hidden(path)

        def do() -> _T:
            workspace, folder = self.versioning.find_folder(path)
            self.versioning.folders.prepare(workspace)
            return work(workspace, folder)

        return await self.versioning.run(do)

    async def settle(self, path: str, selector: Selector) -> None:
        """Where the latest version is meant, wait until what was saved just now is in the store.

        Raises:
            Conflict: It is not, and goes on waiting: another version would be taken for it.
        """
        if isinstance(selector.base, Latest):
            await self.with_notebook(path, self.versioning.settle)

    def _require_disk(self) -> None:
        """Check that the notebooks of this server are the files in its root.

        Raises:
            InvalidConfig: They are somewhere else, where nbvc neither finds nor writes them.
        """
        if not self.extension.is_supported:
            raise InvalidConfig(
                "This server does not keep its notebooks as files, so they have no versions here."
            )

    def _refuse_hidden(self, path: str) -> None:
        if is_hidden(path) and not self.settings["contents_manager"].allow_hidden:
            raise NotFound(f"There is no {path!a} here.")

    def reply(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Answer with *value* as JSON."""
        self.set_status(status)
        self.finish(json.dumps(value, ensure_ascii=False, default=describing.plain))

    def log_exception(self, *details: Any) -> None:
        """Log only what nobody expected; what is told to the client is no news to the log."""
        if not isinstance(details[1], NbvcError):
            super().log_exception(*details)

    def write_error(self, status_code: int, **details: Any) -> None:
        """Answer with what went wrong."""
        status, shown = self.told(status_code, details)
        self.reply(shown, status)

    def status_of(self, error: NbvcError) -> HTTPStatus:
        """Return the HTTP status that says what *error* says."""
        return status_of(error)

    def told(
        self, status_code: int, details: Mapping[str, Any]
    ) -> tuple[HTTPStatus, dict[str, Any]]:
        """Return what went wrong, and nothing of it that a browser must not see.

        Args:
            status_code: What Tornado makes of it.
            details: What ``write_error`` is told.
        """
        _, error, _ = details.get("exc_info", (None, None, None))
        if isinstance(error, NbvcError):
            if isinstance(error, Busy):
                self.set_header("Retry-After", str(RETRY_AFTER_SECONDS))
            status, told = self.status_of(error), error
        else:
            status, told = HTTPStatus(status_code), self._of_server(status_code, error)
        shown = self.versioning.public.clean(told, self.versioning.folders.opened()).to_dict()
        if told is not error:
            shown["kind"] = _KINDS.get(status, "error")
        return status, shown

    def _of_server(self, status_code: int, error: BaseException | None) -> NbvcError:
        """Return what the server itself says is wrong."""
        reason = error.log_message if isinstance(error, HTTPError) else None
        return NbvcError(reason or self._reason, hint=self.hints.get(HTTPStatus(status_code)))


class NotFoundHandler(NbvcHandler):
    """Whatever there is no route for below ``/nbvc/api/v1``."""

    @authenticated
    @authorized(action="read")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer with 404, in the same form as every other error."""
        raise HTTPError(HTTPStatus.NOT_FOUND, "There is no such route.")

    post = put = patch = delete = get


def is_hidden(path: str) -> bool:
    """Return whether a part of *path* begins with a dot, as Jupyter's file managers see it."""
    return any(
        part.startswith(".") for part in PurePosixPath(path).parts if part not in {".", ".."}
    )


def status_of(error: NbvcError) -> HTTPStatus:
    """Return the HTTP status that says what *error* says."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR
