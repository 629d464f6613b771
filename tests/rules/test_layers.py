"""Imports go one way."""

import ast
from graphlib import TopologicalSorter

from rules.source import package, suite

FOUNDATIONS = {"errors", "model", "settings_table", "environment", "database", "upgrades", "vault"}
FOUNDATIONS |= {"logs", "connections", "web", "templates", "look"}

# Each package of the left may import itself and what stands on its right; nothing else of ours.
MAY_IMPORT = {
    **{name: FOUNDATIONS for name in FOUNDATIONS},
    "model": set(),
    "errors": set(),
    "settings_table": set(),
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


def test_imports_go_one_way() -> None:
    """A file imports only the layers below its own."""
    wrong = []
    for source in package():
        own = room(source.module)
        allowed = MAY_IMPORT[own] | {own, "", "__version__"}
        for name in source.imports():
            if name.split(".")[0] == "trackeep" and room(name) not in allowed:
                wrong.append(f"{source.name} imports {name}")
    assert not wrong


def test_no_file_leads_back_to_itself() -> None:
    """Reading a file and all that it imports comes to an end; a module that is loaded by name counts, too."""
    files = {source.module: source for source in package()}

    def leads_to(name: str) -> str:
        return name if name in files else name.rpartition(".")[0]

    ways = {}
    for module, source in files.items():
        strings = (node.value for node in ast.walk(source.tree) if isinstance(node, ast.Constant))
        by_name = (text for text in strings if isinstance(text, str) and text in files)
        ways[module] = {leads_to(name) for name in (*source.imports(), *by_name)} & files.keys() - {module}
    # Raises CycleError, which names the files of a circle in their order.
    TopologicalSorter(ways).prepare()


def test_every_room_has_a_rule() -> None:
    """A new package cannot appear without saying what it may import."""
    assert {room(source.module) for source in package()} <= set(MAY_IMPORT)


def test_imports_stand_at_the_top() -> None:
    """Only the command line imports inside functions (for its start-up time); elsewhere that hides cycles."""
    inner = [
        f"{source.name}:{node.lineno}"
        for source in package()
        if room(source.module) != "cli"
        for function in source.functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not inner


def test_only_the_edge_reads_the_environment() -> None:
    """`os.environ` is read by the command line alone (and by the sandbox, for git)."""
    readers = {
        source.name
        for source in package()
        if room(source.module) not in ("cli", "sandbox")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    assert not readers


def test_whoever_works_on_all_tables_knows_all_of_them() -> None:
    """Only `store.schema` has read the file of every table; elsewhere some could be missing unnoticed."""
    wrong = [
        source.name
        for source in (*package(), *suite())
        if not source.path.stem.startswith("tables_") and source.path.stem != "schema"
        if "trackeep.store.tables.metadata" in source.imports()
    ]
    assert not wrong


def test_pages_never_ask_github() -> None:
    """Of the instance only signing in and its end talk to GitHub; every screen reads the database."""
    signing_in = {"login", "direct_login", "connect", "admission", "memberships", "setup"}
    may = signing_in | {"revocation", "app", "site"}
    for source in package():
        if room(source.module) == "instance" and source.path.stem not in may:
            asks = [name for name in source.imports() if name.startswith(("trackeep.github", "aiohttp"))]
            assert not asks, f"{source.name} imports {asks}"
