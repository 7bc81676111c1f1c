"""What the OpenAPI document says, as a check of what the server answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from nbvc.jupyter.api import BASE
from nbvc.jupyter.openapi import DOCUMENT

DESCRIPTION: dict[str, Any] = json.loads(DOCUMENT.read_bytes())
JSON = "application/json"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each described path below the base of the routes, verb, and what is said of them."""
    for path, verbs in DESCRIPTION["paths"].items():
        for verb, said in verbs.items():
            yield path, verb.upper(), said


def parameters(operation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what the query and the body of an operation may hold: name to schema.

    A schema has ``required`` set where it must be there, and ``in``.
    """
    found = {}
    for parameter in map(resolved, operation.get("parameters", ())):
        is_required = parameter.get("required", False)
        found[parameter["name"]] = {
            **parameter["schema"],
            "required": is_required,
            "in": parameter["in"],
        }
    content = operation.get("requestBody", {}).get("content", {}).get(JSON, {})
    schema = content.get("schema", {})
    for name, member in schema.get("properties", {}).items():
        found[name] = {**member, "required": name in schema["required"], "in": "body"}
    return found


def resolved(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference refers to, or *value* where it is none."""
    if "$ref" not in value:
        return value
    found: Any = DESCRIPTION
    for name in value["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def check_reply(method: str, path: str, status: int, content_type: str, body: bytes) -> None:
    """Check that a reply is one that the document describes, with no field that it does not.

    Args:
        method: Such as ``GET``.
        path: Below the server's base URL.
        status: Of the reply.
        content_type: Of the reply.
        body: Of the reply.
    """
    operation = DESCRIPTION["paths"].get(path.removeprefix(BASE), {}).get(method.lower())
    if operation is None:
        assert status in {403, 404, 405}, f"{method} {path} is not described, and gave {status}"
        content = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    else:
        responses = operation["responses"]
        default = responses["default"] if status >= 400 else None
        described = responses.get(str(status), default)
        assert described is not None, f"{method} {path} gave {status}, which is not described"
        content = resolved(described).get("content", {})
    kind = content_type.partition(";")[0]
    if not content:
        assert body == b""
        return
    assert kind in content, f"{method} {path} sent {kind}"
    if "schema" in content[kind]:
        check(json.loads(body), content[kind]["schema"])


def check(value: object, schema: Mapping[str, Any]) -> None:
    """Check *value* against a schema of the document."""
    whole = {"components": _strict(DESCRIPTION["components"]), **_strict(schema)}
    error = next(Draft202012Validator(whole).iter_errors(value), None)
    assert error is None, f"{error.json_path}: {error.message}"


def _strict(schema: Any) -> Any:
    """Return *schema* so that it allows no field that it does not name."""
    if isinstance(schema, list):
        return [_strict(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(member) for key, member in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        strict["additionalProperties"] = False
    return strict
