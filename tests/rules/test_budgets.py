"""Files, functions and signatures stay small enough to be read at once."""

import ast
import re

import pytest
from rules.source import Source, package, tests

FILE_LINES, FUNCTION_LINES, NESTING, PARAMETERS, LINE = 500, 60, 3, 6, 110
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match)
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "services", "managers", "misc"}

everywhere = pytest.mark.parametrize("source", (*package(), *tests()), ids=lambda source: source.name)


@everywhere
def test_a_file_has_at_most_500_lines(source: Source) -> None:
    """A longer file has two subjects."""
    assert source.text.count("\n") <= FILE_LINES


@everywhere
def test_a_function_has_at_most_60_lines(source: Source) -> None:
    """A longer function has two jobs."""
    long = [f.name for f in source.functions() if (f.end_lineno or f.lineno) - f.lineno + 1 > FUNCTION_LINES]
    assert not long


@everywhere
def test_blocks_nest_at_most_three_deep(source: Source) -> None:
    """Deeper logic wants a name of its own."""
    deep = [f.name for f in source.functions() if _depth(f.body) > NESTING]
    assert not deep


@pytest.mark.parametrize("source", package(), ids=lambda source: source.name)
def test_a_function_takes_at_most_six_parameters(source: Source) -> None:
    """More of them belong together in one object."""
    wide = []
    for f in source.functions():
        names = [
            a.arg
            for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)
            if a.arg not in ("self", "cls")
        ]
        # click hands every option over as a parameter of its own.
        is_command = any("option" in ast.unparse(d) or "argument" in ast.unparse(d) for d in f.decorator_list)
        if len(names) > PARAMETERS and not is_command:
            wide.append(f.name)
    assert not wide


@everywhere
def test_a_file_says_in_one_sentence_what_it_is(source: Source) -> None:
    """Every file starts with its docstring, whose first line is a whole sentence."""
    first = (ast.get_docstring(source.tree) or "").split("\n")[0]
    assert re.search(r"[.:;,?]$", first) or first.endswith((".", "…")), f"{source.name}: {first!r}"
    assert len(first) <= LINE


def test_every_test_states_its_promise() -> None:
    """Each test has a docstring."""
    silent = [
        f"{source.name}::{function.name}"
        for source in tests()
        for function in source.functions()
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent


def test_public_functions_are_explained() -> None:
    """Every public top-level function of three or more statements has a docstring."""
    silent = [
        f"{source.name}::{node.name}"
        for source in package()
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and len(node.body) >= 3
        and not ast.get_docstring(node)
    ]
    assert not silent


def test_no_file_is_called_after_nothing() -> None:
    """A file is named by a noun of the field, never by `utils` and its like."""
    assert not [source.name for source in package() if source.path.stem in NO_NAMES]


def test_no_mocks() -> None:
    """Tests use real parts: no mock library and no patching."""
    words = re.compile(
        r"\bunittest\.mock\b|\bMagicMock\b|\bmonkeypatch\b|\bpytest[.]mark[.]skip|\brespx\b|\baioresponses\b"
    )
    guilty = [
        source.name
        for source in tests()
        if source.path.name != "test_budgets.py" and words.search(source.text)
    ]
    assert not guilty


def _depth(body: list[ast.stmt]) -> int:
    deepest = 0
    for node in body:
        if isinstance(node, BLOCKS):
            deepest = max(deepest, 1 + max(_depth(part) for part in _bodies(node)))
    return deepest


def _bodies(node: ast.stmt) -> list[list[ast.stmt]]:
    bodies = [getattr(node, name, []) for name in ("body", "finalbody")]
    orelse = getattr(node, "orelse", [])
    # `elif` is the same depth as its `if`.
    if isinstance(node, ast.If) and len(orelse) == 1 and isinstance(orelse[0], ast.If):
        bodies.extend(_bodies(orelse[0]))
    else:
        bodies.append(orelse)
    bodies.extend(handler.body for handler in getattr(node, "handlers", []))
    bodies.extend(case.body for case in getattr(node, "cases", []))
    return bodies
