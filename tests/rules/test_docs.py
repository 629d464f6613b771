"""What the documentation says is what the program does."""

import re

from rules.source import ROOT

from trackeep.cli import COMMANDS
from trackeep.environment import KNOWN_NAMES
from trackeep.metrics.definitions import DEFINITIONS

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    """The tables of README and docs/broker.md and the list in the code name the same settings."""
    tables = (ROOT / "README.md").read_text() + (ROOT / "docs" / "broker.md").read_text()
    named = set(re.findall(r"\bTRACKEEP_[A-Z_]+\b", tables))
    documented = {name if name in KNOWN_NAMES else name.removesuffix("_FILE") for name in named}
    assert documented == set(KNOWN_NAMES)


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


def test_every_figure_is_defined_in_the_documentation() -> None:
    """docs/metrics.md has exactly the definitions that the pages show."""
    table = re.findall(r"^\| (.+?) \| (.+) \|$", (ROOT / "docs" / "metrics.md").read_text(), re.M)
    documented = {pair for pair in table if pair != ("figure", "how it is computed")}
    assert documented == {(one.title, one.words) for one in DEFINITIONS.values()}


def test_every_definition_is_shown() -> None:
    """Each definition is behind a button of some page."""
    room = ROOT / "src" / "trackeep" / "instance"
    pages = "".join(path.read_text() for path in room.glob("templates/*.html"))
    tiles = (room / "dashboard.py").read_text()
    for key in DEFINITIONS:
        assert f'how("{key}"' in pages or f'"{key}"' in tiles or key == "compared", key
    assert '"compared"' in pages
