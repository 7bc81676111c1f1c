"""Listings of S3 that do not tell the truth: they lag behind, repeat themselves, or never end."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, unquote_plus, urlsplit
from xml.etree import ElementTree as ET

from tests.faults.network.proxy import Exchange, Reply
from tests.stores.wire import Request

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
LAST_WRITES = 3
"""Writes that a listing that lags does not know yet: a notebook, its record, an adopted one's."""

_AGAIN = "again"


def is_listing(request: Request) -> bool:
    """Return whether *request* lists objects or versions."""
    query = parse_qs(urlsplit(request.target).query, keep_blank_values=True)
    return request.method == "GET" and ("list-type" in query or "versions" in query)


def lag(exchange: Exchange) -> bytes | None:
    """Answer as if the last writes had not happened yet."""
    if not is_listing(exchange.request):
        return None
    reply = exchange.pass_on()
    bucket = urlsplit(exchange.request.target).path.strip("/")
    late = {
        (unquote(path).removeprefix(f"/{bucket}/"), version_id)
        for path, version_id in exchange.proxy.writes[-LAST_WRITES:]
        if path.startswith(f"/{bucket}/")
    }
    root = _read(reply)
    hidden = [entry for entry in _entries(root) if _is_late(entry, late)]
    for entry in hidden:
        root.remove(entry)
    if not hidden:
        return None
    _mark_latest(root)
    return _written(reply, root)


def repeat_entries(exchange: Exchange) -> bytes | None:
    """List every entry twice."""
    if not is_listing(exchange.request):
        return None
    reply = exchange.pass_on()
    root = _read(reply)
    entries = list(_entries(root))
    for entry in entries:
        root.insert(list(root).index(entry), entry)
    return _written(reply, root) if entries else None


def repeat_page(exchange: Exchange) -> bytes | None:
    """Say that there is a second page, which is the first one again."""
    return _again(exchange, once=True)


def loop(exchange: Exchange) -> bytes | None:
    """Say of every page that there is another, which is the same again."""
    return _again(exchange, once=False)


def _again(exchange: Exchange, *, once: bool) -> bytes | None:
    if not is_listing(exchange.request) or f"={_AGAIN}" in exchange.request.target:
        return None
    reply = exchange.pass_on()
    root = _read(reply)
    if not any(True for _ in _entries(root)):
        return None
    endless = _endless(reply)
    exchange.proxy.promised[_AGAIN] = reply.head + reply.body if once else endless
    return endless


def _endless(reply: Reply) -> bytes:
    root = _read(reply)
    is_versions = root.tag.endswith("ListVersionsResult")
    name = "NextKeyMarker" if is_versions else "NextContinuationToken"
    for tag, text in (("IsTruncated", "true"), (name, _AGAIN)):
        found = root.find(f"{{*}}{tag}")
        if found is None:
            found = ET.SubElement(root, root.tag.rpartition("}")[0] + "}" + tag)
        found.text = text
    return _written(reply, root)


def _read(reply: Reply) -> ET.Element:
    ET.register_namespace("", XMLNS)
    return ET.fromstring(reply.body)


def _written(reply: Reply, root: ET.Element) -> bytes:
    return reply.fitted(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _entries(root: ET.Element) -> Iterator[ET.Element]:
    for entry in root:
        if entry.tag.rpartition("}")[2] in {"Contents", "Version", "DeleteMarker"}:
            yield entry


def _text(entry: ET.Element, tag: str) -> str | None:
    return entry.findtext(f"{{*}}{tag}")


def _is_late(entry: ET.Element, late: set[tuple[str, str]]) -> bool:
    key = unquote_plus(_text(entry, "Key") or "")
    version_id = _text(entry, "VersionId")
    if version_id is None:  # a list of keys
        return key in {path for path, _ in late}
    return (key, version_id) in late


def _mark_latest(root: ET.Element) -> None:
    """Let the first entry of each key be its latest one."""
    seen = set()
    for entry in _entries(root):
        latest = entry.find("{*}IsLatest")
        if latest is not None:
            latest.text = "false" if _text(entry, "Key") in seen else "true"
            seen.add(_text(entry, "Key"))
