"""What bookstore's own routes share, and ``GET /api/bookstore``.

Success bodies, parameters and status codes are those of bookstore 2.5.1, so that its clients and
the links that people have made go on working. An error is JSON with bookstore's ``message``, and
with ``kind`` and ``hint`` beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from jupyter_server.auth.decorator import authorized
from tornado.web import HTTPError, authenticated

from nbvc.errors import InvalidInput, InvalidNotebook, NbvcError
from nbvc.jupyter.api import NbvcHandler
from nbvc.jupyter.asking import Asked
from nbvc.jupyter.bookstore_settings import is_absolute
from nbvc.stores.opening import S3_SCHEME
from nbvc.text import has_controls

if TYPE_CHECKING:
    from nbvc.jupyter.extension import NbvcExtension

RELEASE = "2.5.1"
"""The release of bookstore that these routes answer like."""


class WrongType(InvalidInput):
    """What was sent is no notebook, and does not say that it is one."""

    kind = "wrong-type"


class _Asked(Asked):
    hint = None  # these routes are bookstore's, and described there

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text that can be the name of something; see :meth:`Asked.text`.

        Raises:
            InvalidInput: It cannot.
        """
        found = super().text(name, default)
        if has_controls(found):
            raise InvalidInput(f"{name} holds a character that no name can hold.")
        return found


class BookstoreHandler(NbvcHandler):
    """A route below ``/api/bookstore``."""

    hints: Mapping[HTTPStatus, str] = {}

    @property
    def query(self) -> Asked:
        """The query of the request."""
        return _Asked.from_query(self.request.query_arguments)

    @property
    def body(self) -> Asked:
        """The body of the request."""
        return _Asked.from_body(self.request.body)

    def status_of(self, error: NbvcError) -> HTTPStatus:
        """Return the status by which bookstore said what *error* says."""
        if isinstance(error, InvalidNotebook):
            return HTTPStatus.UNPROCESSABLE_ENTITY
        if isinstance(error, WrongType):
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        return super().status_of(error)


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
