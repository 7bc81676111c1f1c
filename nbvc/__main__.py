"""``python -m nbvc``, and the command ``nbvc``."""

import gc
import sys

_NEW_OBJECTS_BEFORE_COLLECTION = 10_000
"""Python's own 700 makes it look for garbage a hundred times among modules that all stay."""


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, even while it is still starting."""
    gc.set_threshold(_NEW_OBJECTS_BEFORE_COLLECTION)
    try:
        from nbvc.cli.main import run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # or Python would look for cycles, as it ends, in all that goes anyway: 10 ms


if __name__ == "__main__":
    main()
