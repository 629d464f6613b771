"""What the documentation says is what the program does."""

import re
import runpy

from rules.source import ROOT

from trackeep.cli import COMMANDS
from trackeep.instance.explanations import EXPLANATIONS
from trackeep.settings_table import KNOWN_NAMES, SETTINGS

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_the_page_of_settings_is_the_table_of_the_programs() -> None:
    """docs/configuration.md is what its tool writes, and each setting has a row."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    written = runpy.run_path(str(ROOT / "tools" / "configuration_page.py"))["text"]()
    assert page == written
    assert all(f"| `{setting.name}` |" in page for setting in SETTINGS)


def test_every_documented_setting_exists() -> None:
    """No page names a setting that the programs do not know."""
    named = {name for page in PAGES for name in re.findall(r"\bTRACKEEP_[A-Z_]*[A-Z]\b", page.read_text())}
    unknown = {name for name in named if name.removesuffix("_FILE") not in KNOWN_NAMES}
    assert unknown <= set(KNOWN_NAMES)


def test_every_link_between_pages_leads_to_a_file() -> None:
    """No page points at a file that is not there."""
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_every_command_in_the_documentation_exists() -> None:
    """`trackeep WORD` in a page is a command of the program."""
    words = {word for page in PAGES for word in re.findall(r"`?\btrackeep ([a-z]+)\b", page.read_text())}
    prose = {"and", "is", "needs", "only", "keeps", "signs", "as", "login", "can", "demo"}
    assert words - prose <= set(COMMANDS), words - prose - set(COMMANDS)


def test_every_room_is_in_the_architecture() -> None:
    """ARCHITECTURE.md names every package and every module of the top level."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for path in sorted((ROOT / "src" / "trackeep").iterdir()):
        if not path.name.startswith("__") and (path.is_dir() or path.suffix == ".py"):
            assert f"`{path.stem}" in text or f"{path.stem}/`" in text, path.name


def test_every_explanation_is_shown() -> None:
    """Each explanation of a figure is behind a button of some page."""
    room = ROOT / "src" / "trackeep" / "instance"
    pages = "".join(path.read_text() for path in room.glob("templates/*.html"))
    tiles = (room / "dashboard.py").read_text()
    for key in EXPLANATIONS:
        assert f'how("{key}"' in pages or f'"{key}",' in tiles, key
