"""Imports go one way."""

import ast

import pytest
from rules.source import Source, package

FOUNDATIONS = {"errors", "model", "environment", "database", "vault", "logs", "web", "look"}

# Each package of the left may import itself and what stands on its right; nothing else of ours.
MAY_IMPORT = {
    **{name: FOUNDATIONS for name in FOUNDATIONS},
    "model": set(),
    "errors": set(),
    "sandbox": set(),
    "metrics": {"model"},
    "handshake": FOUNDATIONS,
    "github": FOUNDATIONS,
    "store": FOUNDATIONS | {"metrics"},
    "sync": FOUNDATIONS | {"store", "github", "handshake"},
    "broker": FOUNDATIONS | {"github", "handshake"},
    "instance": FOUNDATIONS | {"sync", "store", "github", "handshake", "metrics"},
    "demo": FOUNDATIONS,
    "cli": FOUNDATIONS
    | {"demo", "instance", "broker", "sync", "store", "github", "handshake", "metrics", "sandbox"},
    "__main__": {"cli"},
    "": set(),
}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("source", package(), ids=lambda source: source.name)
def test_imports_go_one_way(source: Source) -> None:
    """A file imports only the layers below its own."""
    own = room(source.module)
    allowed = MAY_IMPORT[own] | {own, "", "__version__"}
    wrong = [
        name for name in source.imports() if name.split(".")[0] == "trackeep" and room(name) not in allowed
    ]
    assert not wrong, f"{source.name} may not import {wrong}"


def test_every_room_has_a_rule() -> None:
    """A new package cannot appear without saying what it may import."""
    assert {room(source.module) for source in package()} <= set(MAY_IMPORT)


@pytest.mark.parametrize("source", package(), ids=lambda source: source.name)
def test_imports_stand_at_the_top(source: Source) -> None:
    """Only the command line imports inside functions (for its start-up time); elsewhere that hides cycles."""
    if room(source.module) == "cli":
        return
    inner = [
        f"line {node.lineno}"
        for function in source.functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not inner, f"{source.name} imports inside a function: {inner}"


@pytest.mark.parametrize("source", package(), ids=lambda source: source.name)
def test_only_the_edge_reads_the_environment(source: Source) -> None:
    """`os.environ` is read by the command line alone; everybody else is handed settings."""
    reads = [
        node for node in ast.walk(source.tree) if isinstance(node, ast.Attribute) and node.attr == "environ"
    ]
    assert not reads or room(source.module) in {"cli", "demo", "sandbox"}, source.name


def test_pages_never_ask_github() -> None:
    """Of the instance only signing in talks to GitHub; every screen reads the database."""
    may = {"login", "connect", "app", "serve", "setup"}
    for source in package():
        if room(source.module) == "instance" and source.path.stem not in may:
            asks = [name for name in source.imports() if name.startswith(("trackeep.github", "aiohttp"))]
            assert not asks, f"{source.name} imports {asks}"
