"""What bookstore's own routes share, and ``GET /api/bookstore``.

Success bodies, parameters and status codes are those of bookstore 2.5.1, so that its clients and
the links that people have made go on working. An error is JSON with bookstore's ``message``, and
with ``kind`` and ``hint`` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado.web import HTTPError, authenticated

from nbvc.errors import InvalidInput, InvalidNotebook, NbvcError
from nbvc.jupyter.api import NbvcHandler, status_of
from nbvc.jupyter.bookstore_settings import is_absolute
from nbvc.stores.opening import S3_SCHEME
from nbvc.text import has_controls

if TYPE_CHECKING:
    from nbvc.jupyter.extension import NbvcExtension

RELEASE = "2.5.1"
"""The release of bookstore that these routes answer like."""

MAX_REQUEST_BYTES = 256 << 20
"""A publication carries a whole notebook."""

_KINDS = {
    HTTPStatus.BAD_REQUEST: "bad-request",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
}


class WrongType(InvalidInput):
    """What was sent is no notebook, and does not say that it is one."""

    kind = "wrong-type"


class BookstoreHandler(NbvcHandler):
    """A route below ``/api/bookstore``."""

    max_body_bytes = MAX_REQUEST_BYTES

    async def body_value(self) -> Any:
        """Return what the JSON in the body of the request means; ``None`` for an empty body.

        Raises:
            InvalidInput: It is no JSON, or too much of it.
        """
        return await self.versioning.run(partial(_parse, self.request.body))

    def write_error(self, status_code: int, **details: Any) -> None:
        """Answer with what went wrong, and nothing of it that a browser must not see."""
        status, shown = described(self.settings["nbvc"], status_code, details)
        self.reply(shown.to_dict() | {"kind": _kind(shown, status)}, status)


class FeaturesHandler(BookstoreHandler):
    """``GET /api/bookstore``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Say what of bookstore works here. Asks no store."""
        found = await self.versioning.run(partial(features, self.extension))
        self.reply({"release": RELEASE, "features": found})


class NoSuchRouteHandler(BookstoreHandler):
    """Whatever is turned off, or was never there, below ``/api/bookstore``."""

    @authenticated
    @authorized(action="read")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer with 404."""
        raise HTTPError(HTTPStatus.NOT_FOUND, "There is no such route, or it is turned off.")

    post = put = patch = delete = get


def features(extension: NbvcExtension) -> dict[str, bool]:
    """Return which parts of bookstore's interface can be used, by the names that it gave them.

    Raises:
        NbvcError: The configuration of the root cannot be read.
    """
    has_bucket = extension.versioning.folders.root_store().startswith(S3_SCHEME)
    return {
        "bookstore_valid": has_bucket,
        "archive_valid": has_bucket and extension.enabled and extension.is_supported,
        "publish_valid": extension.publish_enabled,
        "s3_clone_valid": has_bucket and clones_buckets(extension),
        "fs_clone_valid": is_absolute(extension.clone_folder),
    }


def clones_buckets(extension: NbvcExtension) -> bool:
    """Return whether files may be cloned from buckets."""
    return extension.s3_clone_enabled and extension.bookstore.enable_s3_cloning


def text_of(values: Mapping[str, Any], name: str) -> str:
    """Return the text that a request gives for *name*; an empty one where it gives none.

    Raises:
        InvalidInput: It is something else, or no text that a name can hold.
    """
    value = values.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or has_controls(value):
        raise InvalidInput(f"{name} is not text, or holds a character that no name can hold.")
    return value


def object_of(value: Any) -> dict[str, Any]:
    """Return *value* as a JSON object; an empty one for an empty body.

    Raises:
        InvalidInput: It is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput("The body of the request is not a JSON object.")
    return value


def described(
    extension: NbvcExtension, status_code: int, details: Mapping[str, Any]
) -> tuple[HTTPStatus, NbvcError]:
    """Return the status, and the error as it may be shown.

    Args:
        extension: The extension.
        status_code: What Tornado makes of it.
        details: What ``write_error`` is told.
    """
    error = details.get("exc_info", (None, None, None))[1]
    status = HTTPStatus(status_code)
    if isinstance(error, NbvcError):
        status = _status(error)
    elif isinstance(error, HTTPError):
        error = NbvcError(error.log_message or status.phrase)
    else:
        error = NbvcError(status.phrase, hint="The log of the server says more.")
    versioning = extension.versioning
    return status, versioning.public.clean(error, versioning.folders.opened())


def _status(error: NbvcError) -> HTTPStatus:
    if isinstance(error, InvalidNotebook):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, WrongType):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    return status_of(error)


def _kind(error: NbvcError, status: HTTPStatus) -> str:
    return error.kind if type(error) is not NbvcError else _KINDS.get(status, error.kind)


def _parse(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The body of the request is not JSON.") from error
