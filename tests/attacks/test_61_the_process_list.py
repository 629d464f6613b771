"""Attack 61: mallory, another user of the same computer, reads with what the programs on it were started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from terminal import on_terminal

# Notes what it was started with, who may read that file and its folder, and what is in it.
BROWSER = """#!/bin/sh
echo "$@" > {notes}/arguments
file=$(echo "$1" | sed s,^file://,,)
stat -c %a "$file" "$(dirname "$file")" > {notes}/modes
cat "$file" > {notes}/page
echo The page was read.
"""
CODE = re.compile(r"/setup\?code=([0-9A-Z-]{20,})")
COMMANDS = {
    "login": ("login", "--broker", "http://127.0.0.1:9"),
    "serve": ("serve", "--demo", "--open", "--port", "0", "--no-worker"),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
def test_the_set_up_code_is_no_argument(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The browser is started with a file that only its user may read, which leads on and is gone after."""
    notes, data = tmp_path / "notes", tmp_path / "data"
    notes.mkdir()
    program = tmp_path / "browser"
    program.write_text(BROWSER.format(notes=notes))
    program.chmod(0o700)
    env = {"TRACKEEP_DATA_DIR": str(data), "TRACKEEP_BASE_URL": "http://localhost:9", "BROWSER": str(program)}
    if words[0] == "serve":
        del env["TRACKEEP_BASE_URL"]
    seen = on_terminal(*words, env=env, columns=300, stop_when=lambda text: "The page was read." in text)
    code = CODE.search(seen.text)
    assert code, seen.text
    assert seen.text.count(code[1]) == 1
    assert code[1] not in (notes / "arguments").read_text()
    assert (notes / "modes").read_text().split() == ["600", "700"]
    assert 'http-equiv="refresh" content="0; url=http://localhost:' in (notes / "page").read_text()
    assert code[1] in (notes / "page").read_text()
    assert not list(data.glob("open-*"))
