"""Every figure has a definition, every definition a function, and docs/formulas.md holds them all."""

from __future__ import annotations

import ast
import re

from rules.source import ROOT, package

from trackeep.metrics.definitions import DEFINITIONS

PAGE = (ROOT / "docs" / "formulas.md").read_text()
# Time itself and the words are no figures.
NO_FIGURES = {"windows", "definitions", "__init__"}


def functions() -> set[str]:
    return {
        f"{source.path.stem}.{node.name}"
        for source in package()
        if source.module.startswith("trackeep.metrics.") and source.path.stem not in NO_FIGURES
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def test_every_definition_is_a_function_and_every_function_is_defined() -> None:
    """The keys of the definitions are the public functions of the formulas, each once."""
    keys = [each.key for each in DEFINITIONS]
    assert len(keys) == len(set(keys))
    assert set(keys) == functions()


def test_titles_are_not_used_twice() -> None:
    """Two figures of one name could not be told apart."""
    titles = [each.title for each in DEFINITIONS]
    assert len(titles) == len(set(titles))


def test_the_page_says_what_the_program_says() -> None:
    """docs/formulas.md has one row per definition: title, sentence and function, word for word."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([a-z_.]+)` \|$", PAGE, re.M)
    assert rows == [(each.title, each.sentence, each.key) for each in DEFINITIONS]
