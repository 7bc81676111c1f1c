"""The page about REST: its examples give what it shows, and its tables are complete."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from nbvc.jupyter.api import BASE, status_of
from nbvc.jupyter.routes import API, PUBLISHING
from tests.jupyter.description import DESCRIPTION
from tests.jupyter.serving import Server
from tests.jupyter.test_routes import error_classes
from tests.pages import PROJECT, read_blocks

PAGE = "docs/reference/rest.md"
ON = {"NbvcExtension": {"publish_enabled": True, "namespace": "ada/work"}}
_VARYING = {"digest", "version_id", "saved_at", "size_bytes", "next"}


def _examples() -> list[tuple[str, str, Any, Any]]:
    """Return verb, address, body and shown reply of each example of the page, in order."""
    found: list[tuple[str, str, Any, Any]] = []
    for block in read_blocks(PAGE):
        if block.language == "text":
            head, _, body = block.text.strip().partition("\n\n")
            verb, address = head.split(" ")
            found.append((verb, address, json.loads(body) if body else None, None))
        elif block.language == "json":
            found[-1] = (*found[-1][:3], json.loads(block.text))
    return found


def _steady(value: Any) -> Any:
    """Return *value* with the type alone of what differs from server to server."""
    if isinstance(value, dict):
        return {
            key: type(member).__name__ if key in _VARYING else _steady(member)
            for key, member in value.items()
        }
    return [_steady(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("jp_server_config", [ON], indirect=True)
async def test_the_examples_of_the_page_give_what_it_shows(server: Server) -> None:
    """But for digests, times and the like."""
    await server.save("rain.ipynb", "mm = 1")
    await server.save("rain.ipynb", "mm = 2")
    await server.idle()
    examples = _examples()
    assert len([1 for *_, shown in examples if shown]) == 6
    for verb, address, body, shown in examples:
        url = urlsplit(address)
        response = await server.ask(verb, url.path, body, params=dict(parse_qsl(url.query)))
        found = json.loads(response.body)
        assert response.code < 400 or "kind" in (shown or {}), (address, found)
        if shown is not None:
            assert _steady(found) == _steady(shown), address


def test_each_route_and_verb_is_on_the_page() -> None:
    """In the table, as they are served."""
    text = (PROJECT / PAGE).read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z`, .]+`) \| ([A-Z, ]+) \|", text, flags=re.MULTILINE)
    shown = {
        (f"/{route}", verb)
        for routes, verbs in rows
        for route in re.findall(r"`([a-z.]+)`", routes)
        for verb in verbs.split(", ")
    }
    assert {route for route, _ in shown} == (API | PUBLISHING).keys()
    paths = DESCRIPTION["paths"]
    assert shown == {(path, verb.upper()) for path, verbs in paths.items() for verb in verbs}


def test_each_kind_of_error_is_on_the_page_with_its_status() -> None:
    """Those of the server itself too."""
    text = (PROJECT / PAGE).read_text("utf-8")
    rows = re.findall(r"^\| (\d{3}) \| ((?:`[a-z-]+`(?:, )?)+) \|", text, flags=re.MULTILINE)
    shown = {kind: int(status) for status, kinds in rows for kind in re.findall("[a-z-]+", kinds)}
    described = DESCRIPTION["components"]["schemas"]["Error"]["properties"]["kind"]["enum"]
    assert sorted(shown) == described
    for error in error_classes():
        if error.kind in shown:
            made = error.__new__(error)
            assert shown[error.kind] == status_of(made), error
    assert BASE in text
