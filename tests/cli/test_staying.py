"""What a program that stays keeps in memory, and what it does not look at again."""

import subprocess
import sys

LOADED = """
import gc, sys
from trackeep.cli import main
sys.argv = ["trackeep", "--version"]
try:
    main()
except SystemExit:
    pass
import trackeep.cli.serve, trackeep.instance.app
from trackeep.cli.edge import settle
settle()
print(*(name for name in ("alembic", "fastapi", "pydantic", "rich.console") if name in sys.modules))
made = [object.__new__(type("Made", (), {})) for _ in range(1_000)]
print(gc.get_freeze_count(), len(gc.get_objects()))
gc.collect()
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_a_server_loads_little_and_never_searches_it_for_garbage() -> None:
    """No upgrades, JSON API or tables for terminals; what is loaded or joins it early is left alone."""
    said = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout
    _, loaded, at_first, later = said.splitlines()
    assert not loaded
    frozen, searched = map(int, at_first.split())
    assert frozen > 50_000 and searched < frozen / 10
    frozen_later, searched_later = map(int, later.split())
    assert frozen_later > frozen and searched_later < searched
