"""``nbvc://`` for fsspec: the versions of notebooks as files that can be read, and not written."""

from __future__ import annotations

import errno
import io
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from glob import has_magic
from typing import Any, NoReturn

from fsspec import AbstractFileSystem
from fsspec.spec import make_instance

from nbvc.environment import Environment
from nbvc.errors import AccessDenied, InvalidInput, InvalidKey, NbvcError, NotFound
from nbvc.model import Version
from nbvc.repository import Repository
from nbvc.scheduling.addresses import parse_address, split_version
from nbvc.scheduling.listing import Entry, below, is_notebook
from nbvc.scheduling.places import Place

_OPTIONS = ("endpoint_url", "region", "profile")


class NbvcFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """Versions of notebooks: ``kylek/notebooks/mine.ipynb?version=v3``. Safe for several threads.

    A path is a notebook key, with any version that ``@`` takes on the command line after
    ``?version=``; without one, the latest. What is read is verified against its digest.

    Errors: ``FileNotFoundError``, ``PermissionError``, ``ValueError`` for a path that cannot be
    read, and ``OSError`` for all else, each with the text of nbvc's own error.

    Args:
        store: URL of the store; by default that of the workspace of the working directory, else
            the one in ``NBVC_STORE``. What is sent to another process names it.
        endpoint_url: Address of an S3 server other than AWS.
        region: AWS region of the bucket.
        profile: AWS profile whose credentials to use.
        storage_options: As fsspec takes them.
    """

    protocol = "nbvc"

    def __init__(
        self,
        store: str | None = None,
        endpoint_url: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        **storage_options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**storage_options)
        self.store = store
        self._flags = dict(zip(_OPTIONS, (endpoint_url, region, profile), strict=True))
        self._opened: dict[tuple[int, str], Repository] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._opened)

    def __reduce__(self) -> Any:  # noqa: ANN401
        """Return what makes the file system again, also in another folder or on another machine."""
        with _translated():
            options = {**self._flags, "store": self._place().store_url}
        return make_instance, (type(self), (), {**self.storage_options, **options})

    # Look

    def info(self, path: str, **_: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the facts of a version, or of a folder.

        Raises:
            FileNotFoundError: There is none.
        """
        name = self._strip_protocol(path)
        with _translated(), self._reading() as place:
            if is_notebook(split_version(name)[0]):
                return _described(name, _resolve(place, name))
            if not name or any(True for _ in below(place.repository, name)):
                return _folder(name)
        raise FileNotFoundError(errno.ENOENT, "No notebook lies there", name)

    def exists(self, path: str, **_: Any) -> bool:  # noqa: ANN401
        """Return whether there is such a version or folder; what cannot be told is an error."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: ANN401
        """Return what lies in a folder. 1 request for each 1,000 notebooks below it.

        Raises:
            FileNotFoundError: There is no such folder.
        """
        name = self._strip_protocol(path)
        if is_notebook(split_version(name)[0]):
            found = {name: self.info(name)}
        else:
            found = self._below(name, maxdepth=1, withdirs=True)
            if name and not found:
                raise FileNotFoundError(errno.ENOENT, "No notebook lies there", name)
        return list(found.values()) if detail else list(found)

    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        **_: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Return all notebooks below a folder, in one listing; see fsspec."""
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        name = self._strip_protocol(path)
        found: dict[str, Any] = {}
        if is_notebook(split_version(name)[0]):
            if self.exists(name):
                found[name] = self.info(name)
        else:
            found = self._below(name, maxdepth=maxdepth, withdirs=withdirs)
            if withdirs and name and found:
                found = {name: _folder(name), **found}
        return dict(sorted(found.items())) if detail else sorted(found)

    def glob(self, path: str, maxdepth: int | None = None, **kwargs: Any) -> Any:  # noqa: ANN401
        """Return what fits a pattern; a version after it goes with each: ``a/*.ipynb?version=v1``.

        Of what has no such version, nothing is said: reading it fails.
        """
        pattern, version = split_version(self._strip_protocol(path))
        if not version:
            return super().glob(path, maxdepth=maxdepth, **kwargs)
        detail = kwargs.pop("detail", False)
        if has_magic(pattern):
            found = [f"{name}{version}" for name in super().glob(pattern, maxdepth=maxdepth)]
        else:
            found = [f"{pattern}{version}"] if self.exists(f"{pattern}{version}") else []
        return {name: self.info(name) for name in found} if detail else found

    def created(self, path: str) -> datetime:
        """Return when a version was saved."""
        saved_at: datetime = self.info(path)["created"]
        return saved_at

    modified = created

    # Read

    def cat_file(
        self,
        path: str,
        start: int | None = None,
        end: int | None = None,
        **_: Any,  # noqa: ANN401
    ) -> bytes:
        """Return the bytes of a version, or a part of them."""
        return self._read(path)[start:end]

    def cat_ranges(
        self,
        paths: list[str],
        starts: Any,  # noqa: ANN401
        ends: Any,  # noqa: ANN401
        max_gap: int | None = None,
        on_error: str = "return",
        **_: Any,  # noqa: ANN401
    ) -> list[Any]:
        """Return parts of versions; each version is looked up and read once, so all parts fit."""
        if max_gap is not None:
            raise NotImplementedError("max_gap")
        starts = starts if isinstance(starts, list) else [starts] * len(paths)
        ends = ends if isinstance(ends, list) else [ends] * len(paths)
        read: dict[str, bytes | OSError] = {}
        for path in paths:
            if path not in read:
                read[path] = self._read_or_error(path, raises=on_error != "return")
        return [
            data if isinstance(data, OSError) else data[start:end]
            for data, start, end in zip((read[path] for path in paths), starts, ends, strict=True)
        ]

    def _open(self, path: str, mode: str = "rb", **_: Any) -> io.BytesIO:  # noqa: ANN401
        if mode != "rb":
            self._refuse(path)
        return io.BytesIO(self._read(path))

    def _read(self, path: str) -> bytes:
        name = self._strip_protocol(path)
        with _translated(), self._reading() as place:
            return place.repository.read(_resolve(place, name))

    def _read_or_error(self, path: str, *, raises: bool) -> bytes | OSError:
        try:
            return self._read(path)
        except OSError as error:
            if raises:
                raise
            return error

    # Write

    def _refuse(self, path: object = None, *_: Any, **__: Any) -> NoReturn:  # noqa: ANN401
        """Say that nothing can be written or removed."""
        text = "nbvc:// is for reading: nbvc save, nbvc run and papermill make new versions"
        raise OSError(errno.EROFS, text, path if isinstance(path, str) else None)

    mkdir = makedirs = rmdir = rm = rm_file = cp_file = touch = _refuse

    # For the methods above

    def _place(self) -> Place:
        return Place.find(Environment.current(), store=self.store, flags=self._flags)

    @contextmanager
    def _reading(self) -> Iterator[Place]:
        """Give the store, opened once in each process; a reader delivers no outbox."""
        found = self._place()
        name = (os.getpid(), found.store_url)
        with self._lock:
            if name not in self._opened:
                self._opened[name] = found.session.open_repository(found.store_url)
            repository = self._opened[name]
        yield Place(found.session, repository=repository)

    def _below(self, name: str, *, maxdepth: int | None, withdirs: bool) -> dict[str, Any]:
        depth = name.count("/") + 1 if name else 0
        with _translated(), self._reading() as place:
            return {
                entry.path: _described_entry(entry)
                for entry in below(place.repository, name)
                if (withdirs or entry.is_notebook)
                and (maxdepth is None or entry.path.count("/") < depth + maxdepth)
            }


def _resolve(place: Place, name: str) -> Version:
    address = parse_address(name)
    return place.resolve(address.key, address.version)


def _described(name: str, version: Version) -> dict[str, Any]:
    return {
        "name": name,
        "size": version.size_bytes,
        "type": "file",
        "created": version.saved_at,
        "number": version.number,
        "digest": version.digest,
        "version_id": version.version_id,
        "author": version.author,
        "message": version.message,
    }


def _described_entry(entry: Entry) -> dict[str, Any]:
    if not entry.is_notebook:
        return _folder(entry.path)
    described = {"name": entry.path, "size": entry.size_bytes, "type": "file"}
    return {**described, "created": entry.saved_at}


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}


@contextmanager
def _translated() -> Iterator[None]:
    """Raise errors of nbvc as those that users of files expect."""
    try:
        yield
    except (NotFound, InvalidKey) as error:  # what cannot be a key does not exist
        raise FileNotFoundError(errno.ENOENT, _told(error)) from error
    except AccessDenied as error:
        raise PermissionError(errno.EACCES, _told(error)) from error
    except InvalidInput as error:
        raise ValueError(_told(error)) from error
    except NbvcError as error:
        raise OSError(errno.EIO, _told(error)) from error


def _told(error: NbvcError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _close_all(opened: dict[tuple[int, str], Repository]) -> None:
    """Close what this process has opened; what its parent had opened is the parent's."""
    while opened:
        (process, _), repository = opened.popitem()
        if process == os.getpid():
            repository.close()
