"""What a user means by a path, a key or a URL: a place in a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from nbvc import looking
from nbvc.errors import InvalidInput
from nbvc.manifest.layout import Layout
from nbvc.model import NOTEBOOK_SUFFIX, Area, NotebookKey, check_key_path
from nbvc.refs import Name, Selector, parse_selector
from nbvc.stores.local_errors import FILE_NAME
from nbvc.stores.opening import parse_folder
from nbvc.values import dataclass

MAX_ROOT_DEPTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a store, as a URL names it.

    Attributes:
        store_url: URL of the store.
        area: The area.
        path: What follows the area: the key of a notebook, or a folder of keys (perhaps empty).
        selector: The version that the URL names.
    """

    store_url: str
    area: Area
    path: str
    selector: Selector | None

    @property
    def is_notebook(self) -> bool:
        """Whether it names a notebook rather than a folder."""
        return self.path.endswith(NOTEBOOK_SUFFIX)

    @property
    def key(self) -> NotebookKey:
        """The key of the notebook.

        Raises:
            InvalidKey: It is not a notebook's.
        """
        return NotebookKey(self.path)


def is_url(text: str) -> bool:
    """Return whether *text* is a URL of a store or of something in it."""
    return text.startswith(("s3://", "file://"))


def parse_location(text: str) -> Location:
    """Read a URL such as ``s3://bucket/root/workspace/kylek/mine.ipynb?versionId=...``.

    The area is the first segment that is called ``workspace`` or ``published``; in a folder's URL,
    the first one below the folder that is a store.

    Args:
        text: The URL; a version may follow as ``@v3`` or ``?versionId=``.

    Raises:
        InvalidInput: It names no area.
    """
    layout = Layout()
    path, selector = _split_version(text)
    for _, area, store_url, rest in sorted(_splits(path, layout)):
        if _is_store(store_url):
            if rest:
                check_key_path(rest)
            return Location(store_url=store_url, area=area, path=rest, selector=selector)
    raise InvalidInput(
        f"{text} names no area of a store.",
        hint=f"Write s3://bucket/{layout.workspace}/... for drafts, "
        f"or s3://bucket/{layout.published}/... for what is published.",
    )


def parse_location_in(text: str, store_url: str, layout: Layout) -> Location | None:
    """Read a URL of something in a store whose areas have other prefixes; ``None``: it is not."""
    path, selector = _split_version(text)
    for area in Area:
        root = f"{store_url}/{layout.prefix(area)}"
        if path == root or path.startswith(f"{root}/"):
            rest = path.removeprefix(root).strip("/")
            if rest:
                check_key_path(rest)
            return Location(store_url=store_url, area=area, path=rest, selector=selector)
    return None


def possible_stores(text: str) -> Iterator[str]:
    """Yield the URLs of the stores that *text* may lie in, the shortest first; few of them."""
    path, _ = _split_version(text)
    scheme, _, rest = path.partition("://")
    segments = rest.split("/")
    deepest = len(segments) if scheme == "file" else min(len(segments), MAX_ROOT_DEPTH + 1)
    for depth in range(1, deepest):
        store_url = f"{scheme}://{'/'.join(segments[:depth])}"
        if _is_store(store_url):
            yield store_url


def _split_version(text: str) -> tuple[str, Selector | None]:
    path, mark, query = text.partition("?")
    if mark:
        name, _, version_id = query.partition("=")
        if name != "versionId" or not version_id or "&" in version_id:
            raise InvalidInput(
                f"{text} cannot be read after its '?'.",
                hint="Write ?versionId= and the version ID.",
            )
        version_id = unquote(version_id)  # a '+' in it is no blank
        return path, Selector(base=Name(text=version_id), back=0, text=version_id)
    head, found, version = path.rpartition(f"{NOTEBOOK_SUFFIX}@")
    if found:
        return head + NOTEBOOK_SUFFIX, parse_selector(version)
    return path, None


def _splits(path: str, layout: Layout) -> list[tuple[int, Area, str, str]]:
    """Return each way to read *path* as a store, an area and the rest, with where it is split."""
    local = path.startswith("file://")
    text = unquote(path) if local else path
    splits = []
    for area in Area:
        marker, start = f"/{layout.prefix(area)}", 0
        while (index := text.find(marker, start)) >= 0:
            start, end = index + 1, index + len(marker)
            if text[end : end + 1] in {"", "/"} and index > len("s3://"):
                store_url, rest = text[:index], text[end:].strip("/")
                if local:
                    folder = Path(store_url.removeprefix("file://"))
                    if not folder.is_absolute():  # the URL names another machine
                        continue
                    store_url = folder.as_uri()
                splits.append((index, area, store_url, rest if local else unquote(rest)))
    return splits


def _is_store(store_url: str) -> bool:
    if store_url.startswith("s3://"):
        return True
    try:
        return looking.is_file(parse_folder(store_url) / FILE_NAME)
    except InvalidInput:
        return False
