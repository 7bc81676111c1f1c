"""What all routes of the extension share: who may, what goes wrong, how that is said."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError, authenticated

from nbvc.errors import (
    AccessDenied,
    Ambiguous,
    Conflict,
    IntegrityError,
    InvalidInput,
    NbvcError,
    NotFound,
    StoreError,
)

if TYPE_CHECKING:
    from nbvc.jupyter.extension import NbvcExtension
    from nbvc.jupyter.versioning import Versioning

BASE = "/nbvc/api/v1"
AUTH_RESOURCE = "nbvc"
"""What an authorizer is asked about: ``read`` for GET, ``write`` for all else."""

_STATUS: tuple[tuple[type[NbvcError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Ambiguous, HTTPStatus.CONFLICT),
    (Conflict, HTTPStatus.CONFLICT),
    (AccessDenied, HTTPStatus.FORBIDDEN),
    (IntegrityError, HTTPStatus.BAD_GATEWAY),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
)


class NbvcHandler(APIHandler):
    """A route of ``/nbvc/api/v1``. Errors are JSON with ``kind``, ``message`` and ``hint``.

    Each verb of a subclass is decorated with ``@authenticated`` and ``@authorized``.
    """

    auth_resource = AUTH_RESOURCE

    @property
    def extension(self) -> NbvcExtension:
        """The extension, with its configuration."""
        found: NbvcExtension = self.settings["nbvc"]
        return found

    @property
    def versioning(self) -> Versioning:
        """What makes and finds versions."""
        return self.extension.versioning

    def reply(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Answer with *value* as JSON."""
        self.set_status(status)
        self.finish(json.dumps(value, ensure_ascii=False))

    def log_exception(self, *details: Any) -> None:
        """Log only what nobody expected; what is told to the client is no news to the log."""
        if not isinstance(details[1], NbvcError):
            super().log_exception(*details)

    def write_error(self, status_code: int, **details: Any) -> None:
        """Answer with what went wrong, and nothing of it that a browser must not see."""
        _, error, _ = details.get("exc_info", (None, None, None))
        if isinstance(error, NbvcError):
            shown = self.versioning.public.clean(error, self.versioning.folders.opened())
            self.reply(shown.to_dict(), status_of(error))
            return
        reason = error.log_message if isinstance(error, HTTPError) else None
        message = reason or self._reason
        self.reply(
            {"kind": _kind(status_code), "message": message, "hint": None}, HTTPStatus(status_code)
        )


class NotFoundHandler(NbvcHandler):
    """Whatever there is no route for below ``/nbvc/api/v1``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer with 404, in the same form as every other error."""
        raise HTTPError(HTTPStatus.NOT_FOUND, "There is no such route.")

    post = put = patch = delete = get


def status_of(error: NbvcError) -> HTTPStatus:
    """Return the HTTP status that says what *error* says."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _kind(status: int) -> str:
    """Return a kind for errors of the server itself: ``forbidden``, ``method-not-allowed``."""
    return HTTPStatus(status).phrase.lower().replace(" ", "-")
