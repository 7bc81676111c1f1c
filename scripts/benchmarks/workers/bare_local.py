"""Make requests to an embedded store and nothing else: the least that a command on it costs.

Usage: bare_local.py STORE MODULES, with requests as JSON lines on standard input, as
``recording.py`` writes them. MODULES, separated by commas, are imported first.
"""

import importlib
import json
import sys
from contextlib import suppress
from itertools import islice
from pathlib import Path


def main() -> None:
    """Make the requests, one after the other."""
    folder, modules = sys.argv[1:]
    for name in filter(None, modules.split(",")):
        # What is optional, and not there, was looked for as well.
        with suppress(ImportError):
            importlib.import_module(name)
    requests = [json.loads(line) for line in sys.stdin]
    if not requests:
        return
    from nbvc.stores.base import Overwrite
    from nbvc.stores.local import LocalStore

    store = LocalStore(Path(folder))
    for name, arguments, read in requests:
        if name == "put":
            key, size = arguments
            store.put(key, bytes(size), mode=Overwrite(), metadata={}, content_type="text/plain")
        else:
            found = getattr(store, name)(*arguments)
            if read is not None:
                list(islice(found, read))
    store.close()


if __name__ == "__main__":
    main()
