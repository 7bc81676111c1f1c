"""``python -m nbvc``."""

from nbvc.cli.main import run

if __name__ == "__main__":
    run()
