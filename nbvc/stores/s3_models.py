"""How botocore reads its description of S3: the same files, and less of a wait for each command.

botocore lists the folders of all four hundred services that it knows before it opens one of them,
twice, and reads its descriptions into a kind of dictionary from before dictionaries kept their
order. Together that was half the time of making a client.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader, create_loader
from botocore.session import Session


def quick_session(profile: str | None) -> Session:
    """Return a session of botocore that reads its descriptions quickly.

    Args:
        profile: Profile in the AWS configuration, or ``None`` for what the user's variables say.
    """
    session = Session(profile=profile)
    paths = create_loader(session.get_config_variable("data_path")).search_paths
    session.register_component("data_loader", _QuickLoader(paths))
    return session


class _QuickFiles(JSONFileLoader):
    """Reads descriptions into plain dictionaries."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401
        """Return what the file holds, whose name lacks its suffix; ``None`` where there is none."""
        for suffix, unpack in ((".json", bytes), (".json.gz", gzip.decompress)):
            try:
                data = Path(file_path + suffix).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            return json.loads(unpack(data))
        return None


class _QuickLoader(Loader):
    """Looks for the service that is asked for, and no other.

    Args:
        paths: Where descriptions are; the default places are among them.
    """

    FILE_LOADER_CLASS = _QuickFiles

    def __init__(self, paths: list[str]) -> None:
        super().__init__(extra_search_paths=paths, include_default_search_paths=False)

    def list_available_services(self, type_name: str) -> Any:  # noqa: ANN401
        """Return the names of all services, which are listed if somebody goes through them."""
        names = super().list_available_services
        return _Services(self.search_paths, lambda: names(type_name))


class _Services:
    def __init__(self, paths: Iterable[str], names: Callable[[], Iterable[str]]) -> None:
        self._paths = paths
        self._names = names

    def __contains__(self, name: str) -> bool:
        return any(Path(path, name).is_dir() for path in self._paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())
