"""Parameters of a run: how they are typed, and what a record may hold of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nbvc import looking
from nbvc.errors import InvalidInput, NotFound
from nbvc.manifest.executions import MAX_PARAMETERS_BYTES
from nbvc.manifest.sealing import canonical
from nbvc.workspace.public_text import is_secret_name

MAX_PARAMETERS_FILE_BYTES = 10_000_000
_MORE = "..."
_WORDS = {"True": True, "False": False, "None": None}


def typed_value(text: str) -> Any:  # noqa: ANN401
    """Return what *text* means as a parameter, as papermill's ``-p`` reads it.

    ``True``, ``False`` and ``None`` are those; what Python reads as a whole number or as a number
    is one; all else is text.
    """
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def read_file(file: Path) -> dict[str, Any]:
    """Return the parameters in a YAML or JSON file, as papermill's ``-f`` reads it.

    Raises:
        NotFound: There is no such file.
        InvalidInput: It is no YAML, or holds something other than names with values.
    """
    import yaml
    from papermill.iorw import NoDatesSafeLoader

    if not looking.is_file(file):
        raise NotFound(f"There is no file {file}.")
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_PARAMETERS_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_PARAMETERS_FILE_BYTES:
        raise InvalidInput(f"{file} is longer than {MAX_PARAMETERS_FILE_BYTES:,} bytes.")
    try:
        found = yaml.load(data, Loader=NoDatesSafeLoader)  # noqa: S506 - derived from the safe one
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise InvalidInput(f"{file} is no YAML{where}.") from error
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise InvalidInput(f"{file} holds something other than names with values.")
    return found


def looks_secret(name: str, value: object) -> bool:
    """Return whether a parameter may hold a secret: a text, by a name such as ``api_key``."""
    return isinstance(value, str) and is_secret_name(name)


def recorded(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a record says of *parameters*, and the names of those whose values it leaves out.

    Left out is what looks like a secret by its name, and what would make the record too long; where
    even the names would, ``...`` stands for the last of them. The notebook has all of them.
    """
    kept: dict[str, Any] = {}
    names: list[str] = []
    room = MAX_PARAMETERS_BYTES - len(canonical({}))
    for name, value in parameters.items():
        taken = None if looks_secret(name, value) else _length({name: value})
        if taken is not None and taken <= room:
            kept[name] = _plain(value)
            room -= taken
        else:
            names.append(name)
    return kept, tuple(_fitting(names))


def _fitting(names: Iterable[str]) -> Iterable[str]:
    room = MAX_PARAMETERS_BYTES
    for name in names:
        room -= _length({name: 0}) or MAX_PARAMETERS_BYTES
        if room < 0:
            yield _MORE
            return
        yield name


def _length(member: Mapping[str, Any]) -> int | None:
    """Return the length of a member in canonical JSON, ``None`` where that cannot hold it."""
    try:
        return len(canonical(_plain(member))) - 1
    except (TypeError, ValueError, RecursionError, UnicodeError):
        return None


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return *value* as JSON knows it: numbers that it does not know, as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
