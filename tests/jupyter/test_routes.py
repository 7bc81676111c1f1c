"""The whole table of routes: who may, in which form errors come, and what the document says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.base.handlers import path_regex
from openapi_spec_validator import validate
from tornado.httpclient import HTTPResponse
from tornado.web import RequestHandler

from nbvc.errors import NbvcError
from nbvc.jupyter.api import AUTH_RESOURCE, BASE, MAX_BODY_BYTES, NotFoundHandler
from nbvc.jupyter.asking import Asked
from nbvc.jupyter.bookstore import NoSuchRouteHandler
from nbvc.jupyter.bookstore_landing import ClonePage, FolderClonePage, NoSuchPage
from nbvc.jupyter.routes import API, PUBLISHING
from tests.jupyter.description import DESCRIPTION, operations, parameters
from tests.jupyter.serving import Server

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PAGES = {ClonePage, FolderClonePage, NoSuchPage}
NO_ROUTE = {NotFoundHandler, NoSuchRouteHandler, NoSuchPage}
READING_POSTS = {f"{BASE}/diff"}
"""What is sent because it is long, and changes nothing."""

PUBLISHING_ON = pytest.mark.parametrize(
    "jp_server_config",
    [{"NbvcExtension": {"publish_enabled": True, "fs_cloning_basedir": "/"}}],
    indirect=True,
)
"""Every route that there can be."""


class RefusingAuthorizer(Authorizer):
    """Refuses everything, and notes what it was asked."""

    asked: list[tuple[str, str]]

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        """Return that it may not."""
        self.asked.append((action, resource))
        return False


def table(server: Server) -> Iterator[tuple[str, type[RequestHandler]]]:
    """Yield each route of the extension, bookstore's too: a path that it takes, and its handler."""
    for pattern, handler, *_ in server.extension.handlers:
        if issubclass(handler, RequestHandler):
            plain = pattern.replace(path_regex, "/mine.ipynb").replace(".*", "nothing")
            plain = re.sub(r"(/\?|/\*)$", "", plain)
            path = re.sub(
                r"\\(.)", r"\1", re.sub(r"\((?:\?[:P].)?[^()]*\)\??", "/mine.ipynb", plain)
            )
            path = path.replace("//", "/").removesuffix("$")
            assert re.fullmatch(pattern, path), (pattern, path)
            yield path, handler


def has(handler: type[RequestHandler], verb: str) -> bool:
    """Return whether *handler* answers *verb*."""
    return getattr(handler, verb.lower()) is not RequestHandler._unimplemented_method


def error_of(response: HTTPResponse) -> dict[str, Any]:
    """Return the error in a reply of any route, which is JSON with the three fields."""
    error: dict[str, Any] = json.loads(response.body)
    assert {"kind", "message", "hint"} <= error.keys(), response.body
    return error


@PUBLISHING_ON
async def test_no_route_answers_who_is_not_logged_in(server: Server) -> None:
    """Whatever the verb."""
    for path, handler in table(server):
        for verb in VERBS:
            response = await server.ask(
                verb, path, headers={"Authorization": ""}, follow_redirects=False
            )
            refused = 302 if handler in PAGES and verb == "GET" else 403  # to where one logs in
            assert response.code == refused or not has(handler, verb), (verb, path)
            assert response.code in {refused, 405}, (verb, path)


@PUBLISHING_ON
async def test_each_route_asks_the_authorizer(server: Server) -> None:
    """To read for GET, and to write for all else; whoever it refuses gets nothing."""
    authorizer = server.app.web_app.settings["authorizer"] = RefusingAuthorizer()
    for path, handler in table(server):
        for verb in filter(lambda verb: has(handler, verb), VERBS):
            authorizer.asked = []
            response = await server.ask(verb, path)
            assert response.code == 403, (verb, path)
            assert handler in PAGES or error_of(response)
            reads = verb == "GET" or path in READING_POSTS or handler in NO_ROUTE
            action = "read" if reads else "write"
            assert authorizer.asked == [(action, AUTH_RESOURCE)], (verb, path)


@PUBLISHING_ON
async def test_a_cookie_alone_changes_nothing(server: Server) -> None:
    """A page of somebody else that a browser sends along with the cookie lacks the XSRF token."""
    token = server.app.identity_provider.token
    login = await server.ask("GET", "/api/status", params={"token": token})
    cookie = "; ".join(each.partition(";")[0] for each in login.headers.get_list("Set-Cookie"))
    without = {"Authorization": "", "Cookie": cookie}
    xsrf = {**without, "Cookie": f"{cookie}; _xsrf=secret", "X-XSRFToken": "secret"}
    for path, handler in table(server):
        for verb in filter(lambda verb: has(handler, verb), VERBS):
            response = await server.ask(verb, path, headers=dict(without))
            assert (response.code == 403) is (verb != "GET"), (verb, path, response.body)
            if verb != "GET":
                assert "_xsrf" in error_of(response)["message"]
                response = await server.ask(verb, path, headers=dict(xsrf))
                assert response.code in {400, 404, 409, 422}, (verb, path, response.body)


@PUBLISHING_ON
async def test_a_verb_that_a_route_does_not_have_is_405(server: Server) -> None:
    """And whatever there is no route for is 404, both as JSON."""
    for path, handler in table(server):
        for verb in VERBS:
            if not has(handler, verb):
                response = await server.ask(verb, path)
                assert response.code == 405, (verb, path)
                assert handler in PAGES or error_of(response)["kind"] == "method-not-allowed"
    for path in ("", "/", "/nothing", "/versions/mine.ipynb", "/statusx", "/..%2f"):
        for verb in VERBS:
            response = await server.ask(verb, f"{BASE}{path}")
            assert (response.code, error_of(response)["kind"]) == (404, "not-found"), path


async def test_publishing_is_not_there_until_it_is_enabled(server: Server) -> None:
    """As bookstore's route."""
    await server.save("mine.ipynb", "x = 1")
    for path in PUBLISHING:
        error = await server.json("POST", f"{BASE}{path}", {"path": "mine.ipynb"}, status=404)
        assert error["kind"] == "not-found"


def test_the_document_is_valid_and_describes_the_routes_that_there_are() -> None:
    """Every route and verb of the table is in it, and nothing else."""
    validate(DESCRIPTION)
    described = {(path, verb) for path, verb, _ in operations()}
    served = {
        (path, verb)
        for path, handler in (API | PUBLISHING).items()
        for verb in VERBS
        if has(handler, verb)
    }
    assert described == served


async def test_the_document_is_served(server: Server) -> None:
    """As it lies beside the handlers."""
    assert await server.json("GET", f"{BASE}/openapi.json") == DESCRIPTION


def error_classes(of: type[NbvcError] = NbvcError) -> Iterator[type[NbvcError]]:
    """Yield every error that nbvc raises on purpose."""
    yield of
    for error in of.__subclasses__():
        yield from error_classes(error)


def test_each_kind_of_error_is_in_the_document() -> None:
    """Those of nbvc, and those of the server itself."""
    described = set(DESCRIPTION["components"]["schemas"]["Error"]["properties"]["kind"]["enum"])
    own = {"bad-request", "forbidden", "method-not-allowed"}
    of_others = {
        "interrupted",
        "some-failed",
        "run-failed",
        "wrong-type",
    }  # commands, bookstore's routes
    assert described == ({error.kind for error in error_classes()} - of_others) | own


def wrong_values(schema: dict[str, Any]) -> Iterator[Any]:
    """Yield values that *schema* does not allow."""
    in_query = schema["in"] == "query"
    kind = schema.get("type", "string")
    if kind == "string":
        yield from ["a" * 5_000] if in_query else ["a" * 5_000, 5, True, ["x"], {"a": 1}, "\ud800"]
    else:
        yield from ["x", "0.5", "None"] if in_query else ["true", 1, [], {}]
    if schema["required"]:
        yield ""


@PUBLISHING_ON
async def test_each_parameter_of_the_document_is_read_and_checked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong or missing one gives 400 and says which; and the handlers read no others."""
    read: set[str] = set()
    text = Asked.text

    def note(asked: Asked, name: str, default: str | None = None) -> str:
        read.add(name)
        return text(asked, name, default)

    def note_flag(asked: Asked, name: str) -> bool:
        read.add(name)
        return flag(asked, name)

    flag = Asked.flag
    monkeypatch.setattr(Asked, "text", note)
    monkeypatch.setattr(Asked, "flag", note_flag)
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    good = {"path": "mine.ipynb", "version": "v1", "tag": "release", "key": "x/mine.ipynb"}
    for path, verb, operation in operations():
        read.clear()
        known = parameters(operation)
        right = {name: good[name] for name, schema in known.items() if schema["required"]}
        for name, schema in known.items():
            for value in wrong_values(schema):
                sent = {**right, name: value}
                in_body = {key: sent[key] for key in sent if known[key]["in"] == "body"}
                in_query = {key: sent[key] for key in sent if known[key]["in"] == "query"}
                response = await server.ask(verb, f"{BASE}{path}", in_body or None, params=in_query)
                where = (verb, path, name, value, response.body)
                assert response.code == 400, where
                error = error_of(response)
                assert error["kind"].startswith("invalid-"), where
                if schema.get("type") and value != "":
                    assert name in error["message"], where
        assert read == known.keys(), (verb, path)


BAD_BODIES = ["", "{", "null", "[]", '"text"', "5", "[" * 60_000, b"\xff\xfe{}", '{"path": NaN}']


@PUBLISHING_ON
async def test_a_body_that_is_no_json_object_is_refused(server: Server) -> None:
    """Also one that no parser survives, or that is too long."""
    for path, verb, operation in operations():
        if operation.get("requestBody", {}).get("description"):
            continue  # the document of a diff
        if "requestBody" in operation:
            for body in BAD_BODIES:
                error = error_of(await server.ask(verb, f"{BASE}{path}", body))
                assert error["kind"] == "invalid-input", (path, body)
            long = json.dumps({"path": "a" * MAX_BODY_BYTES})
            response = await server.ask(verb, f"{BASE}{path}", long)
            assert (response.code, error_of(response)["kind"]) == (413, "too-large")
