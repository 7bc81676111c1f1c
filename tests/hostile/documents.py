"""Records, states and settings as a hostile store may hold them: sealed, and not what they claim.

Each entry says which members of a good document are replaced, and by what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.hostile.notebooks import OBEYED

Members = Mapping[str, Any]

HUGE = 10**4_000
KEY = "ada/project/a.ipynb"
_SOURCE = {"area": "workspace", "key": "a/b.ipynb", "number": 1, "version_id": "x"}
_CHANGES = {"cells_added": 1, "cells_removed": 0, "cells_changed": 0, "outputs_only": False}
_SEGMENT = {"key": KEY, "first": 1, "last": 1}

REFUSED_RECORDS: dict[str, Members] = {
    "a size without measure": {"size_bytes": HUGE},
    "a negative size": {"size_bytes": -5},
    "a fraction as size": {"size_bytes": 1.5},
    "a number as author": {"author": 5},
    "a list as author": {"author": [OBEYED]},
    "null as message": {"message": None},
    "an empty version ID": {"version_id": ""},
    "a version ID that a terminal obeys": {"version_id": OBEYED},
    "a version ID with NUL": {"version_id": "\0"},
    "a version ID with a newline": {"version_id": "a\nb"},
    "a version ID that is no text": {"version_id": ["x"]},
    "a surrogate as version ID": {"version_id": "\ud800"},
    "a version ID of 100,000 letters": {"version_id": "x" * 100_000},
    "text as changes": {"changes": "many"},
    "a list as changes": {"changes": [1]},
    "an empty object as changes": {"changes": {}},
    "changes of other members": {"changes": {"a": 1}},
    "texts in changes": {"changes": {**_CHANGES, "cells_added": OBEYED}},
    "null in changes": {"changes": {**_CHANGES, "cells_removed": None}},
    "negative changes": {"changes": {**_CHANGES, "cells_changed": -1}},
    "changes without measure": {"changes": {**_CHANGES, "cells_changed": HUGE}},
    "a number as a flag": {"changes": {**_CHANGES, "outputs_only": 1}},
    "a parent without measure": {"parent": HUGE},
    "a negative parent": {"parent": -1},
    "a text as parent": {"parent": "1"},
    "no time": {"saved_at": "soon"},
    "a number as time": {"saved_at": 5},
    "a time without zone": {"saved_at": "2026-01-01"},
    "a year without measure": {"saved_at": "99999-01-01T00:00:00Z"},
    "a number as write ID": {"write_id": 5},
    "a source that a terminal obeys": {"source": {**_SOURCE, "version_id": OBEYED}},
    "a source number that is a text": {"source": {**_SOURCE, "number": OBEYED}},
    "a source number without measure": {"source": {**_SOURCE, "number": HUGE}},
    "a source outside": {"source": {**_SOURCE, "key": "../../b.ipynb"}},
    "a source in a control folder": {"source": {**_SOURCE, "key": ".git/b.ipynb"}},
    "a source in another area": {"source": {**_SOURCE, "area": "../published"}},
    "a list as source": {"source": [1]},
    "a text as source": {"source": "x"},
    "an empty object as source": {"source": {}},
    "a path as digest": {"digest": "../../../etc/passwd"},
    "upper case as digest": {"digest": "A" * 64},
    "a number as digest": {"digest": 5},
    "a path as prev": {"prev": "../x"},
    "a path as stands_for": {"stands_for": "../x"},
    "first 0": {"first": 0},
    "a negative first": {"first": -5},
    "first beyond the record": {"first": 10**12},
    "a text as first": {"first": "1"},
    "null as copies": {"recent": None},
    "a text as copies": {"recent": "abc"},
    "an object as copies": {"recent": {"a": 1}},
    "numbers as copies": {"recent": [1, 2]},
    "number 0": {"number": 0},
    "a negative number": {"number": -2},
    "a number without measure": {"number": HUGE},
    "true as number": {"number": True},
    "a text as number": {"number": "2"},
    "format 2": {"format": 2},
    "a text as format": {"format": "1"},
    "a format without measure": {"format": HUGE},
}
"""Members of a record that make it none."""

HARMLESS_RECORDS: dict[str, Members] = {
    "texts that a terminal obeys": {"author": OBEYED, "message": f"{OBEYED}\n{OBEYED}"},
    "a message of a million letters": {"message": "x" * 1_000_000},
    "the first moment": {"saved_at": "0001-01-01T00:00:00Z"},
    "the last moment": {"saved_at": "9999-12-31T23:59:59.999999Z"},
    "a token that a terminal obeys": {"write_id": OBEYED},
    "an empty token": {"write_id": ""},
    "a size beyond all disks": {"size_bytes": 2**53 - 1},
    "changes beyond all notebooks": {"changes": {**_CHANGES, "cells_added": 2**53 - 1}},
    "a parent that does not exist": {"parent": 9_999_999_999},
    "its own parent": {"parent": 2},
    "another digest": {"digest": "0" * 64},
    "another version ID": {"version_id": "\u202eno such version"},
    "unknown members": {"x": OBEYED, "y": [[[[1]]]], OBEYED: OBEYED},
    "a source that is not there": {"source": {**_SOURCE, "key": "no/such\u202e.ipynb"}},
}
"""Members of a record that are odd, or lies, and must only be shown or refused later."""

REFUSED_STATES: dict[str, Members] = {
    "a tag without measure": {"tags": {"t": HUGE}},
    "a tag beyond all numbers": {"tags": {"t": 10**12}},
    "a tag for 0": {"tags": {"t": 0}},
    "a tag for -1": {"tags": {"t": -1}},
    "a tag for a text": {"tags": {"t": "1"}},
    "a tag for a fraction": {"tags": {"t": 1.5}},
    "a tag for 1e300": {"tags": {"t": 1e300}},
    "a tag for null": {"tags": {"t": None}},
    "a list of tags": {"tags": ["t"]},
    "null as tags": {"tags": None},
    "moved outside": {"moved_to": "../x.ipynb"},
    "moved into a control folder": {"moved_to": ".git/x.ipynb"},
    "moved to a number": {"moved_to": 5},
    "moved to nothing": {"moved_to": ""},
    "a segment beyond all numbers": {"segments": [{**_SEGMENT, "last": 10**12}]},
    "a segment without measure": {"segments": [{**_SEGMENT, "first": HUGE}]},
    "a segment from 0": {"segments": [{**_SEGMENT, "first": 0}]},
    "a segment of negative numbers": {"segments": [{**_SEGMENT, "first": -5, "last": -1}]},
    "a segment of fractions": {"segments": [{**_SEGMENT, "first": 1.5}]},
    "a segment outside": {"segments": [{**_SEGMENT, "key": "../x.ipynb"}]},
    "a segment of a list": {"segments": [[KEY, 1, 1]]},
    "a text as segments": {"segments": "abc"},
    "more segments than there may be": {"segments": [_SEGMENT] * 1_001},
    "more tags than there may be": {"tags": {f"t{number}": 1 for number in range(1_001)}},
    "null as segments": {"segments": None},
    "a number as author": {"author": 5},
    "null as author": {"author": None},
    "a list as action": {"action": [OBEYED]},
    "a text as removed": {"removed": "no"},
    "null as removed": {"removed": None},
    "a state of number 0": {"number": 0},
    "a state without measure": {"number": HUGE},
    "a path as prev": {"prev": "x"},
    "an empty prev": {"prev": ""},
    "no time": {"saved_at": "x"},
    "a number as write ID": {"write_id": 5},
    "gone without measure": {"gone": [[1, HUGE]]},
    "gone from -1": {"gone": [[-1, 1]]},
    "a number as gone": {"gone": 5},
    "format 3": {"format": 3},
}
"""Members of a state that make it none."""

HARMLESS_STATES: dict[str, Members] = {
    "tags that a terminal obeys": {"tags": {OBEYED: 1, "\u202e": 2, "a\nb": 2}},
    "tags that a shell obeys": {"tags": {"-rf": 1, "--help": 1, "$(touch pwned)": 1, "\\$(id)": 2}},
    "tags that mean something else": {"tags": {"v1": 2, "latest": 1, "published": 1, "3f": 1}},
    "tags that are paths": {"tags": {"../../x": 1, "/etc/passwd": 1, "": 1}},
    "a tag of nothing": {"tags": {"t": 99}},
    "as many tags as there may be": {"tags": {f"t{number}": 1 for number in range(1_000)}},
    "moved to itself": {"moved_to": KEY},
    "moved elsewhere": {"moved_to": "other/\u202ex.ipynb"},
    "a segment of itself": {"segments": [_SEGMENT]},
    "a segment that is all of it": {"segments": [{**_SEGMENT, "last": 2}]},
    "a segment beyond its end": {"segments": [{**_SEGMENT, "last": 9_999_999_998}]},
    "a segment backwards": {"segments": [{**_SEGMENT, "first": 5}]},
    "a segment of another": {"segments": [{**_SEGMENT, "key": "other/x.ipynb", "last": 5}]},
    "many segments": {"segments": [_SEGMENT] * 100},
    "texts that a terminal obeys": {"author": OBEYED, "action": OBEYED, "write_id": OBEYED},
    "another number": {"number": 7},
    "removed": {"removed": True},
    "gone, all of it": {"gone": [[1, 9_999_999_999]]},
    "unknown members": {"x": OBEYED, OBEYED: OBEYED},
}
"""Members of a state that are odd, or lies."""

REFUSED_SETTINGS: dict[str, Members] = {
    "areas outside": {"areas": {"workspace": "../x", "published": "published"}},
    "areas in the index": {"areas": {"workspace": ".nbvc/x", "published": "published"}},
    "areas that overlap": {"areas": {"workspace": "a", "published": "a/b"}},
    "areas of numbers": {"areas": {"workspace": 1, "published": 2}},
    "a list of areas": {"areas": ["workspace"]},
    "no areas": {"areas": None},
    "a number as identity": {"store_id": 5},
    "texts as capabilities": {
        "capabilities": {"conditional_create": "no", "conditional_replace": "no"}
    },
    "a list of capabilities": {"capabilities": [True, True]},
    "no time": {"created_at": "x"},
    "a number as time": {"created_at": 5},
    "a lock without measure": {"lock": {"days": HUGE, "mode": "GOVERNANCE"}},
    "a lock of no days": {"lock": {"days": 0, "mode": "GOVERNANCE"}},
    "a lock of another mode": {"lock": {"days": 1, "mode": OBEYED}},
    "a number as lock": {"lock": 5},
    "format 2": {"format": 2},
    "a text as format": {"format": "1"},
}
"""Members of ``store.json`` that make it unusable."""

METADATA: dict[str, dict[str, str]] = {
    "a time before all others": {"nbvc-saved-at": "0001-01-01T00:00:00+00:00"},
    "a time after all others": {"nbvc-saved-at": "9999-12-31T23:59:59+00:00"},
    "no time": {"nbvc-saved-at": "x"},
    "no digest": {"nbvc-digest": "../../x"},
    "another digest": {"nbvc-digest": "0" * 64},
    "an author that a terminal obeys": {"nbvc-author": "%1b%5b31m%07%c2%9b%e2%80%ae%00"},
    "a message that looks like ours": {"nbvc-message": "%0a%0derror: x%0ahint: run this"},
    "a parent without measure": {"nbvc-parent": "9" * 500},
    "parent 0": {"nbvc-parent": "0"},
    "a source that a terminal obeys": {
        "nbvc-source-number": "99999999999",
        "nbvc-source-version-id": "%1b[31m",
    },
    "no UTF-8": {"nbvc-author": "%ff%fe%"},
    "a token of somebody else": {"nbvc-write-id": "x"},
}
"""User metadata that any tool can put on a notebook object."""
