"""Every table of an instance's database: what works on all of them gets them here, and misses none."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from trackeep.store.tables import metadata

__all__ = ["metadata"]

# A table is known to the metadata once its file was read.
for _file in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if _file.name.startswith("tables_"):
        importlib.import_module(f"trackeep.store.{_file.name}")
