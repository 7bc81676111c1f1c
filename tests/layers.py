"""Reads a module's syntax tree and says where it breaks the rules of the layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

VALUES = frozenset({"errors", "model", "lazy", "values"})
PURE = frozenset({"notebook", "refs", "manifest", "diffing"})
DISK = frozenset({"durable", "faults", "looking", "mapped"})
BELOW_REPOSITORY = VALUES | PURE | DISK | {"environment", "text", "stores"}

MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "values": frozenset(),
    "durable": frozenset(),
    "faults": frozenset(),
    "looking": frozenset({"errors"}),
    "mapped": frozenset({"durable", "errors", "model"}),
    "lazy": frozenset(),
    "text": frozenset(),
    "model": frozenset({"errors", "text", "values"}),
    "environment": VALUES,
    "notebook": VALUES | {"text"},
    "refs": VALUES | {"text"},
    # Metadata names are part of the protocol of a store; the stores themselves stay out of reach.
    "manifest": VALUES | {"text", "stores.base"},
    "diffing": VALUES | {"text", "notebook"},
    "stores": VALUES | DISK | {"text"},
    "repository": BELOW_REPOSITORY,
    "workspace": BELOW_REPOSITORY | {"repository"},
    "jupyter": BELOW_REPOSITORY | {"repository", "workspace"},
    "scheduling": BELOW_REPOSITORY | {"repository", "workspace"},
    "cli": BELOW_REPOSITORY | {"repository", "workspace", "scheduling"},
}
"""Each layer, from the bottom, and the layers, or single modules, that it may import."""

PUBLIC_FACE = "__init__"
"""Re-exports lazily from the upper layers, so it is exempt, and closed to the layers themselves."""

SURROUNDINGS = (
    "os.environ",
    "os.environb",
    "os.getenv",
    "os.path.expanduser",
    "os.path.expandvars",
    "pathlib.Path.home",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.perf_counter",
    "time.localtime",
    "random",
    "secrets",
    "uuid",
    "getpass",
    "platformdirs",
)
TERMINAL = ("print", "input", "sys.stdout", "sys.stderr", "sys.stdin")
SHELL = ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput")

EDGE_LAYERS = frozenset({"cli", "jupyter", "environment"})
EXCEPTIONS = {
    # Plays the part of a server: it gives version IDs and times of its own.
    "stores/local": ("secrets", "time.time", "time.time_ns", "datetime.datetime.now"),
    "stores/retry": ("time.monotonic",),
}


def find_violations(path: str, tree: ast.Module) -> list[str]:
    """Return what the module at *path*, below the package, does against the rules.

    Args:
        path: Such as ``manifest/records.py``.
        tree: Its syntax tree.
    """
    layer = layer_of(path)
    if layer not in MAY_IMPORT and layer != PUBLIC_FACE:
        return [f"{path}: {layer} has no layer; give it one in tests/layers.py"]
    found = list(_effects(path, layer, tree))
    if layer != PUBLIC_FACE:
        found += _imports(path, layer, tree)
    return found


def layer_of(path: str) -> str:
    """Return the layer of a module: its top folder, or its own name."""
    first = PurePosixPath(path).parts[0].removesuffix(".py")
    return "cli" if first == "__main__" else first


def _imports(path: str, layer: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for module in _imported_modules(path, node):
            target = module.split(".")[0]
            if target == PUBLIC_FACE:
                yield f"{path}:{_line(node)}: {layer} may not import the public face"
            elif target != layer and not {target, module} & MAY_IMPORT[layer]:
                yield f"{path}:{_line(node)}: {layer} may not import {module}"


def _imported_modules(path: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            parts = alias.name.split(".")
            if parts[0] == "nbvc":
                yield ".".join(parts[1:]) or PUBLIC_FACE
    elif isinstance(node, ast.ImportFrom):
        parts = _absolute(path, node)
        if parts[0] == "nbvc" and len(parts) > 1:
            yield ".".join(parts[1:])
        elif parts[0] == "nbvc":
            for alias in node.names:
                if alias.name != "__version__":
                    yield alias.name if alias.name in MAY_IMPORT else PUBLIC_FACE


def _absolute(path: str, node: ast.ImportFrom) -> list[str]:
    """Return the parts of the module that *node* imports from, relative ones resolved."""
    named = node.module.split(".") if node.module else []
    if node.level == 0:
        return named
    package = ["nbvc", *PurePosixPath(path).parts[:-1]]
    return package[: len(package) - node.level + 1] + named


def _effects(path: str, layer: str, tree: ast.Module) -> Iterator[str]:
    forbidden = [*SHELL]
    if layer not in EDGE_LAYERS:
        forbidden += SURROUNDINGS
    if layer != "cli":
        forbidden += TERMINAL
    allowed = next((names for prefix, names in EXCEPTIONS.items() if path.startswith(prefix)), ())
    forbidden = [name for name in forbidden if name not in allowed]
    names = _names(tree)
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if id(node) in inner:
            # The longest chain is looked at, so that each use is reported once.
            continue
        used = _dotted(node, names)
        hit = next((name for name in forbidden if _within(used, name)), None)
        if hit is None and "os.getenv" in forbidden:
            hit = _home_method(node)
        if hit is None:
            hit = _shell_argument(node)
        if hit is not None:
            yield f"{path}:{_line(node)}: {layer} uses {hit}"


def _names(tree: ast.Module) -> dict[str, str]:
    """Return what each imported name stands for: ``P`` for ``pathlib.Path``."""
    names = {name: name for name in TERMINAL if "." not in name}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return ``os.environ.get`` for such a chain of names, or nothing for any other node."""
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value, names)
        return f"{inner}.{node.attr}" if inner else ""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return names.get(node.id, "")
    return ""


def _within(used: str, name: str) -> bool:
    return used == name or used.startswith(f"{name}.")


def _home_method(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute) and node.attr == "expanduser":
        return "expanduser"
    return None


def _shell_argument(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            given = keyword.value
            is_off = isinstance(given, ast.Constant) and not given.value
            if keyword.arg == "shell" and not is_off:
                return "shell="
    return None


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)
