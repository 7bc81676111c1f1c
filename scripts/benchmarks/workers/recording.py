"""Run ``nbvc`` and write what it asks of an embedded store as JSON lines, for ``bare_local.py``.

Usage: recording.py FILE ARGUMENTS OF NBVC. A line is the name of the request, its arguments (of a
put: a key that is free, and the size), and how many entries of a listing were read.
"""

import json
import sys
from pathlib import Path

from nbvc.__main__ import main
from nbvc.stores.local import LocalStore

NAMES = ("get", "head", "list_keys", "list_versions")
requests = []


def record() -> None:
    """Put a recorder before each method of the store."""
    for name in NAMES:
        setattr(LocalStore, name, recorded(name, getattr(LocalStore, name)))
    put = LocalStore.put

    def recorded_put(self, key, data, **options):  # noqa: ANN001, ANN003, ANN202
        requests.append(["put", [f"bare/{key}", len(data)], None])
        return put(self, key, data, **options)

    LocalStore.put = recorded_put


def recorded(name, method):  # noqa: ANN001, ANN201
    """Return *method* with a recorder before it."""

    def around(self, *arguments, **options):  # noqa: ANN001, ANN002, ANN003, ANN202
        found = method(self, *arguments, **options)
        entry = [name, list(arguments), None]
        requests.append(entry)
        return counted(found, entry) if name.startswith("list_") else found

    return around


def counted(found, entry):  # noqa: ANN001, ANN201
    """Yield what was found, and count it in *entry*."""
    entry[2] = 0
    for item in found:
        entry[2] += 1
        yield item


if __name__ == "__main__":
    target = Path(sys.argv.pop(1))
    record()
    try:
        main()
    finally:
        target.write_text("".join(json.dumps(request) + "\n" for request in requests))
