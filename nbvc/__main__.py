"""``python -m nbvc``, and the command ``nbvc``."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, even while it is still starting."""
    try:
        from nbvc.cli.main import run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
