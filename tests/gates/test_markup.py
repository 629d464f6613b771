"""The markup of every page, also of those that refuse, against the standard."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from filled_instance import Filled
from gates.pages import NO_PAGES, PAGES, unknown_parts
from instance import test_screens
from node_tools import HTML_VALIDATE

# Off: matters of taste; that no two fields of a form share a name, as lists of boxes do; and that hidden text
# is a password to be kept, which a pasted token is not.
TASTE = ("doctype-style", "long-title", "prefer-native-element")
RULES = dict.fromkeys((*TASTE, "form-dup-name", "autocomplete-password"), "off")
# The standard forbids sections there, and what opens and closes is none:
# https://html.spec.whatwg.org/multipage/dom.html#sectioning-content
FORGIVEN = tuple(f"<details> element is not permitted as a descendant of <{name}>" for name in ("dt", "th"))
STRANGE = ("/nowhere", "/r/nobody/nothing", "/commits?since=yesterday", "/auth/callback?code=a&state=b")


@pytest.fixture(scope="session")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return HTML_VALIDATE.install(tmp_path_factory.mktemp("html-validate"))


def test_every_part_of_an_address_stands_for_something() -> None:
    """A new page is looked at by every gate: `PARTS` of gates/pages.py says what to fill in."""
    assert unknown_parts() == set()


def test_what_is_left_out_is_no_page(alice: Filled) -> None:
    """Whoever is signed in gets a file, an answer for programs or a redirect there, never a page of 200."""
    pages = [path for path in NO_PAGES if alice.ask(path)[:2] == (200, "text/html")]
    # The choice between two accounts is shown only after a login as somebody else.
    assert pages == []


def test_the_markup_is_valid(alice: Filled, validator: Path, tmp_path: Path) -> None:
    """Pages in their usual and their filtered form, errors, set-up and sign-in: no error of html-validate."""
    asked = [(path, True) for path in dict.fromkeys([*PAGES, *test_screens.PAGES, *STRANGE])]
    asked += [("/signin", False), ("/privacy", False)]
    files: dict[str, str] = {}
    for number, (path, signed_in) in enumerate(asked):
        _, kind, text = alice.ask(path, signed_in=signed_in)
        assert kind == "text/html", path
        (tmp_path / f"{number}.html").write_text(text)
        files[str(tmp_path / f"{number}.html")] = path
    (tmp_path / ".htmlvalidate.json").write_text(
        json.dumps({"root": True, "extends": ["html-validate:recommended"], "rules": RULES})
    )
    command = ["node", str(validator), "--formatter", "json", *files]
    # A file: the program ends before everything has gone through a pipe.
    with (tmp_path / "said.json").open("w") as said:
        subprocess.run(command, cwd=tmp_path, stdout=said, timeout=120, check=False)
    found = {
        f"{files[page['filePath']]}: {note['ruleId']}: {note['message']} {note['selector']}"
        for page in json.loads((tmp_path / "said.json").read_text())
        for note in page["messages"]
        if not note["message"].endswith(FORGIVEN)
    }
    assert not found, "\n".join(sorted(found))
