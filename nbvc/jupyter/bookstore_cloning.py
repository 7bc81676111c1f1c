"""``POST /api/bookstore/clone`` and ``/fs-clone``: copy a file into the server's folder.

The copy goes through the contents manager, as everything that a user saves there, so that a cloned
notebook gets its first version. Nothing is overwritten.
"""

from __future__ import annotations

import base64
import json
import posixpath
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import ensure_async
from tornado.web import authenticated

from nbvc import looking
from nbvc.errors import (
    AccessDenied,
    InvalidInput,
    InvalidNotebook,
    NotFound,
    StoreNotFound,
    VersionNotFound,
)
from nbvc.jupyter.asking import Asked
from nbvc.jupyter.bookstore import BookstoreHandler
from nbvc.model import Data, VersionId
from nbvc.stores.opening import S3_SCHEME, ConnectionOptions, open_store, parse_s3_url
from nbvc.text import printable_line
from nbvc.values import dataclass
from nbvc.workspace.files import read_file, stamp

if TYPE_CHECKING:
    from nbvc.jupyter.extension import NbvcExtension
    from nbvc.stores.base import Store
    from nbvc.workspace.core import Workspace

MAX_CLONE_BYTES = 256 << 20
"""What Jupyter would take in one request."""

MAX_NAME_BYTES = 240
"""A file system allows 255 for a name; a number may be put into it."""

MAX_PATH_BYTES = 1024
_Read = Callable[[bytes], dict[str, Any]]
_NOTEBOOKS = frozenset({".ipynb", ".jpynb"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An object in a bucket, as a request names it.

    Attributes:
        bucket: The bucket.
        key: The key, in all of the bucket.
        version_id: Which version; ``None`` for the current one.
    """

    bucket: str
    key: str
    version_id: VersionId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is to be copied.

    Attributes:
        data: The bytes.
        version_id: Their version in the bucket, where it keeps versions.
    """

    data: Data
    version_id: VersionId | None


class _Copying(BookstoreHandler):
    def values_of(self, data: bytes) -> dict[str, Any]:
        """Return a notebook as its bytes have it: each text may be a list of lines."""
        found: dict[str, Any] = json.loads(data)
        return found

    async def copy(self, data: Data, target: str) -> dict[str, Any]:
        """Save *data* at *target*, or beside it under a name that is free; return the saved model.

        The bytes of a text or another file come through as they are.

        Raises:
            NotFound: There is no such folder.
            InvalidInput: The path is hidden.
            InvalidNotebook: It would be a notebook, and is none.
        """
        contents: Any = self.contents_manager
        folder, name = posixpath.split(target)
        if folder and not await ensure_async(contents.dir_exists(folder)):
            raise NotFound(f"There is no folder {printable_line(folder)} here.")
        if not contents.allow_hidden and await ensure_async(contents.is_hidden(target)):
            raise InvalidInput("The copy would be a hidden file, which this server does not show.")
        model = await self.versioning.run(partial(_model, data, name, self.values_of))
        async with self.extension.cloning:  # two at once would find the same name free
            name = await ensure_async(contents.increment_filename(name, folder, insert="-"))
            path = f"{folder}/{name}" if folder else name
            model |= {"name": name, "path": path}
            await ensure_async(contents.save(dict(model), path))
        return model


class CloneHandler(_Copying):
    """``POST /api/bookstore/clone``."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Copy an object of a bucket."""
        body = self.body
        wanted = wanted_of(body)
        target = target_of(body, wanted.key)
        found = await self.versioning.run(partial(fetch, self.extension, wanted))
        copied = await self.copy(found.data, target)
        copied["s3_path"] = f"{S3_SCHEME}{wanted.bucket}/{wanted.key.lstrip('/')}"
        if found.version_id is not None:
            copied["versionID"] = found.version_id
        self.reply(copied)


class FolderCloneHandler(_Copying):
    """``POST /api/bookstore/fs-clone``."""

    def values_of(self, data: bytes) -> dict[str, Any]:
        """Return a notebook as Jupyter shows it: in the present format, with the lines joined."""
        import nbformat

        found = nbformat.reads(data.decode(), as_version=4)  # type: ignore[no-untyped-call]
        return dict(found)

    @authenticated
    @authorized
    async def post(self) -> None:
        """Copy a file of the configured folder."""
        body = self.body
        path = body.text("relpath", "")
        file = await self.versioning.run(partial(file_of, self.extension, path))
        target = target_of(body, path)
        data = await self.versioning.run(partial(_read, file, path))
        self.reply(await self.copy(data, target))


# What is copied


def wanted_of(asked: Asked) -> Wanted:
    """Return which object a request names.

    Raises:
        InvalidInput: It names none.
    """
    bucket, key = asked.text("s3_bucket", ""), asked.text("s3_key", "")
    if not bucket.strip("/"):
        raise InvalidInput("Must have a bucket to clone from.", hint="Give s3_bucket.")
    if not key.strip("/"):
        raise InvalidInput("Must have a key to clone from.", hint="Give s3_key.")
    version_id = asked.text("s3_version_id", "")
    return Wanted(bucket=bucket, key=key, version_id=VersionId(version_id) if version_id else None)


def check_bucket(extension: NbvcExtension, bucket: str) -> None:
    """Check that a file may be cloned from *bucket*. Asks no store.

    Raises:
        StoreNotFound: The server has no bucket at all.
        AccessDenied: It is neither the server's own, nor allowed.
    """
    store = extension.versioning.folders.root_store()
    if not store.startswith(S3_SCHEME):
        raise StoreNotFound(
            "This server keeps its versions in a folder, not in a bucket, so it clones from none.",
            hint='Set c.NbvcExtension.store = "s3://..." in its configuration.',
        )
    if bucket not in {parse_s3_url(store)[0], *extension.clone_allowed_buckets}:
        raise AccessDenied(
            "Nothing is cloned from that bucket by this server.",
            hint="Who runs it can allow that with c.NbvcExtension.clone_allowed_buckets.",
        )


def fetch(extension: NbvcExtension, wanted: Wanted) -> Found:
    """Return the object that a request names, read with the user's own credentials.

    Raises:
        StoreNotFound: There is no such bucket.
        AccessDenied: It may not be cloned from.
        VersionNotFound: There is no such object, or version of it.
        InvalidInput: It is too large.
    """
    check_bucket(extension, wanted.bucket)
    try:
        return _fetch(extension, wanted)
    except VersionNotFound as error:
        of = f", version {printable_line(wanted.version_id)}," if wanted.version_id else ""
        raise VersionNotFound(
            f"There is no {printable_line(wanted.key)}{of} in that bucket."
        ) from error


def _fetch(extension: NbvcExtension, wanted: Wanted) -> Found:
    folders = extension.versioning.folders
    workspace = folders.at(folders.root / "any.ipynb")
    bucket, root = parse_s3_url(workspace.store_url)
    inside = f"{root}/" if root else ""
    if wanted.bucket == bucket and wanted.key.startswith(inside):
        # Through the repository, which finds versions also where they were packed.
        return _get(workspace.connect().store, wanted.key.removeprefix(inside), wanted.version_id)
    with closing(_open(workspace, wanted.bucket)) as store:
        return _get(store, wanted.key, wanted.version_id)


def _open(workspace: Workspace, bucket: str) -> Store:
    """Open another bucket where the user says that it is, or else where their own one is."""
    session = workspace.session
    url = f"{S3_SCHEME}{bucket}"
    own = session.settings.connection(workspace.store_url)
    options = session.settings.connection(url)
    if options == ConnectionOptions(timeout_seconds=options.timeout_seconds):
        options = own
    environment = session.environment
    return open_store(
        url,
        options=options,
        sleep=environment.sleep,
        jitter=environment.jitter,
        room=environment.cache_dir,
    )


def _get(store: Store, key: str, version_id: VersionId | None) -> Found:
    head = store.head(key, version_id)
    _check_size(head.size_bytes)
    blob = store.get(key, head.version_id)
    return Found(data=blob.data, version_id=head.version_id)


def file_of(extension: NbvcExtension, path: str) -> Path:
    """Return the file of the configured folder that *path* names, with links followed.

    Raises:
        InvalidInput: *path* is empty.
        NotFound: It leads out of the folder, or there is no such file.
    """
    if not path:
        raise InvalidInput(
            "Request malformed, must provide a non-empty relative path.", hint="Give relpath."
        )
    missing = NotFound(
        f"There is no file {printable_line(path)} in the folder that is cloned from."
    )
    if path.startswith("/") or len(path.encode()) > MAX_PATH_BYTES:
        raise missing
    try:
        folder = looking.resolve(Path(extension.clone_folder))
        file = looking.resolve(folder / path)
    except OSError as error:
        raise missing from error
    if folder not in file.parents or stamp(file, shown=path) is None:
        raise missing
    return file


def _read(file: Path, shown: str) -> Data:
    found = stamp(file, shown=shown)
    _check_size(found.size_bytes if found else 0)
    return read_file(file, shown=shown)[0]


def _check_size(size_bytes: int) -> None:
    if size_bytes > MAX_CLONE_BYTES:
        raise InvalidInput(f"The file is larger than {MAX_CLONE_BYTES >> 20} MiB.")


# Where to


def target_of(asked: Asked, source: str) -> str:
    """Return the path of the copy that a request wants; by default the name of *source*.

    Raises:
        InvalidInput: It can be no path below the server's root.
    """
    wanted = asked.text("target_path", "") or posixpath.basename(source.rstrip("/"))
    path = posixpath.normpath(wanted.strip("/") or ".")
    names = path.split("/")
    if path == "." or ".." in names or "\\" in path:
        raise InvalidInput("The copy needs a path below the folder of the server.")
    if any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        raise InvalidInput(f"A name in the path of the copy is longer than {MAX_NAME_BYTES} bytes.")
    return path


def _model(data: Data, name: str, read: _Read) -> dict[str, Any]:
    """Return *data* as Jupyter's contents have it."""
    if posixpath.splitext(name)[1] in _NOTEBOOKS:
        return {"type": "notebook", "format": "json", "content": _notebook(bytes(data), read)}
    try:
        return {"type": "file", "format": "text", "content": str(data, "utf-8")}
    except UnicodeDecodeError:
        encoded = base64.encodebytes(data).decode("ascii")
        return {"type": "file", "format": "base64", "content": encoded}


def _notebook(data: bytes, read: _Read) -> dict[str, Any]:
    """Return the values of a notebook, as one that nobody trusts yet.

    Jupyter believes what a save says of trust, and signs it: a stranger's outputs would run.
    """
    try:
        found = read(data)
        if not isinstance(found.get("nbformat"), int):
            raise InvalidNotebook("The file is no notebook: it has no nbformat.")
        sheets = found.get("worksheets", []) if found["nbformat"] < 4 else [found]
        for cell in (cell for sheet in sheets for cell in sheet["cells"]):
            cell.setdefault("metadata", {}).pop("trusted", None)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InvalidNotebook("The file is no notebook, whatever its name says.") from error
    return found
