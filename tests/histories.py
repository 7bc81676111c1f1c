"""Long histories, written straight into a store: 100,000 versions in seconds instead of hours."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count as counting

from nbvc.manifest.layout import Layout, entry_key
from nbvc.manifest.metadata import AUTHOR, MESSAGE, Provenance, to_metadata
from nbvc.manifest.records import WIDEST_STRIDE, _to_document, carried, decode
from nbvc.manifest.sealing import canonical
from nbvc.model import Area, Changes, Digest, NotebookKey, Record, VersionId, WriteId
from nbvc.repository.acts import Known
from nbvc.repository.sequence import CONTENT_TYPE as RECORD_TYPE
from nbvc.stores import local_index
from nbvc.stores.base import NOTEBOOK_TYPE, WRITE_ID, Overwrite, Store, Stored
from nbvc.stores.local import MAX_INLINE_BYTES, LocalStore

START = datetime(2020, 1, 1, tzinfo=UTC)
Put = Callable[[str, bytes, Mapping[str, str], str], Stored]


def notebook(number: int) -> bytes:
    """Return a small, valid notebook that differs for each number."""
    return b'{"cells":[],"metadata":{"n":%d},"nbformat":4,"nbformat_minor":5}\n' % number


def generate(store: Store, layout: Layout, key: NotebookKey, count: int) -> Known:
    """Write *count* versions of *key* with their records, exactly as that many saves would.

    In one transaction where the store is a :class:`LocalStore`; through any other store it is 2
    requests a version. The notebook must be new.

    Args:
        store: Where to write.
        layout: The prefixes of the areas.
        key: The notebook.
        count: How many versions, at least 1.

    Returns:
        What the workspace that made the last save would know.
    """
    prefix, data_key = layout.records(Area.WORKSPACE, key), layout.data_key(Area.WORKSPACE, key)
    documents: deque[bytes] = deque(maxlen=WIDEST_STRIDE)
    with _writing(store) as put:
        for number in range(1, count + 1):
            made, data = _record(number, documents), notebook(number)
            stored = put(data_key, data, _metadata(made), NOTEBOOK_TYPE)
            made["version_id"] = stored.version_id
            document = canonical(_to_document(Record(**made)))
            file = _file(document, documents, carried(number))
            put(entry_key(prefix, number), file, {WRITE_ID: made["write_id"]}, RECORD_TYPE)
            documents.append(document)
    return Known(file=decode(file, what="generated record"), etag=stored.etag)


def _record(number: int, before: deque[bytes]) -> dict[str, object]:
    data = notebook(number)
    return {
        "number": number,
        "digest": Digest.of(data),
        "version_id": VersionId(""),
        "size_bytes": len(data),
        "saved_at": START + timedelta(minutes=number),
        "author": "Ada Lovelace",
        "message": f"Try the larger learning rate, run {number}",
        "parent": number - 1 or None,
        "write_id": WriteId(f"{number:032x}"),
        "changes": Changes(cells_added=1, cells_removed=0, cells_changed=3, outputs_only=False),
        "prev": Digest.of(before[-1]) if before else None,
    }


def _metadata(made: dict[str, object]) -> Mapping[str, str]:
    """Return what ``to_metadata`` would; the message needs no encoding."""
    names = ("digest", "write_id", "saved_at", "parent")
    plain = to_metadata(Provenance(**{name: made[name] for name in names}))
    return {**plain, AUTHOR: str(made["author"]), MESSAGE: str(made["message"])}


def _file(document: bytes, before: deque[bytes], copies: int) -> bytes:
    """Return what ``encode`` would, but from copies that are encoded already."""
    recent = b",".join(before[-back] for back in range(1, copies + 1))
    body = document.replace(b',"message":', b',"first":1,"format":1,"message":', 1)
    body = body.replace(b',"saved_at":', b',"recent":[' + recent + b'],"saved_at":', 1)
    check = hashlib.sha256(body).hexdigest().encode()
    return body[:-1] + b',"check":"' + check + b'"}'


@contextmanager
def _writing(store: Store) -> Iterator[Put]:
    if isinstance(store, LocalStore):
        with store._database.write() as connection:
            yield _bulk_put(store, connection)
    else:
        yield lambda key, data, metadata, content_type: store.put(
            key, data, mode=Overwrite(), metadata=metadata, content_type=content_type
        )


def _bulk_put(store: LocalStore, connection: object) -> Put:
    numbers = counting(1)
    token = hashlib.sha256(repr(connection).encode()).hexdigest()[:8]

    def put(key: str, data: bytes, metadata: Mapping[str, str], content_type: str) -> Stored:
        number, digest, inline = next(numbers), Digest.of(data), len(data) <= MAX_INLINE_BYTES
        if not inline:
            store._blobs.write(digest, data)
        version_id = VersionId(f"L{token}{number:013}")
        content = local_index.Content(
            digest=digest,
            size_bytes=len(data),
            content_type=content_type,
            inline_data=data if inline else None,
        )
        local_index.insert(
            connection,
            key,
            version_id,
            content,
            metadata=metadata,
            modified_at=START + timedelta(minutes=number),
        )
        return Stored(version_id=version_id, etag=digest)

    return put
