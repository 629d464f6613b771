"""Files, functions and signatures stay small enough to be read at once."""

import ast
import re

from rules.source import package, suite

FILE_LINES, FUNCTION_LINES, NESTING, PARAMETERS, LINE = 500, 60, 3, 6, 110
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match)
Function = ast.FunctionDef | ast.AsyncFunctionDef
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "services", "managers", "misc"}

EVERYWHERE = (*package(), *suite())


def test_a_file_has_at_most_500_lines() -> None:
    """A longer file has two subjects."""
    assert not [source.name for source in EVERYWHERE if source.text.count("\n") > FILE_LINES]


def test_a_function_has_at_most_60_lines() -> None:
    """A longer function has two jobs."""
    assert not [
        f"{source.name}::{f.name}"
        for source in EVERYWHERE
        for f in source.functions()
        if (f.end_lineno or f.lineno) - f.lineno + 1 > FUNCTION_LINES
    ]


def test_blocks_nest_at_most_three_deep() -> None:
    """Deeper logic wants a name of its own."""
    assert not [
        f"{source.name}::{f.name}"
        for source in EVERYWHERE
        for f in source.functions()
        if _depth(f.body) > NESTING
    ]


def test_a_function_takes_at_most_six_parameters() -> None:
    """More of them belong together in one object."""
    assert not [
        f"{source.name}::{f.name}"
        for source in package()
        for f in source.functions()
        if _parameters(f) > PARAMETERS
    ]


def test_a_file_says_in_one_sentence_what_it_is() -> None:
    """Every file starts with its docstring, whose first line is one sentence of one line."""
    wordless = []
    for source in EVERYWHERE:
        first = (ast.get_docstring(source.tree) or "").split("\n")[0]
        if not re.search(r"[.:;?…]$", first):
            wordless.append(source.name)
    assert not wordless


def test_every_test_states_its_promise() -> None:
    """Each test has a docstring."""
    silent = [
        f"{source.name}::{function.name}"
        for source in suite()
        for function in source.functions()
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent


def test_public_functions_are_explained() -> None:
    """Every public function of a module has a docstring, but the tiny ones and the handlers of a table."""
    silent = [
        f"{source.name}::{node.name}"
        for source in package()
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and len(node.body) >= 3
        and not ast.get_docstring(node)
        and not _is_handler(node)
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
        for source in suite()
        if source.path.name != "test_budgets.py" and words.search(source.text)
    ]
    assert not guilty


def _parameters(function: Function) -> int:
    # click hands every option over as a parameter of its own.
    if any(word in ast.unparse(d) for d in function.decorator_list for word in ("option", "argument")):
        return 0
    named = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return len([a for a in named if a.arg not in ("self", "cls")])


def _is_handler(function: Function) -> bool:
    """An endpoint or a GraphQL resolver: the table that names it says what it answers."""
    names = [a.arg for a in function.args.args]
    return names[:1] == ["request"] or "info" in names or "_info" in names


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
