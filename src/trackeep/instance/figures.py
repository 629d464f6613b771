"""What stands behind every chart: the same figures as a table, and as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance.frame import show
from trackeep.store.export_files import harmless

# The name of a row or a column: a page writes a day as its reader chose to see days, a file as ISO 8601.
Label = str | date | datetime


@dataclass(frozen=True)
class TableOf:
    """A chart's figures: its name, what its first column is, the other columns, and rows of figures.

    A figure is a number, a word, or None where nothing is known.
    """

    title: str
    first: str
    columns: tuple[Label, ...]
    rows: tuple[tuple[Label, tuple[int | float | str | None, ...]], ...]


def figure_page(request: Request, nav: str, table: TableOf, *, chart: str, csv_file: str) -> Response:
    """The twin of a chart as a page; `chart` and `csv_file` are the addresses below the base path."""
    return show(request, "figure_page.html", nav, table=table, chart_href=chart, csv_href=csv_file)


def figure_csv(name: str, table: TableOf) -> Response:
    """The twin of a chart as the file `name`.csv."""
    rows = ((_in_file(label), *figures) for label, figures in table.rows)
    return csv_response(f"{name}.csv", (table.first, *map(_in_file, table.columns)), rows)


def _in_file(label: Label) -> str:
    if isinstance(label, datetime):
        return label.isoformat(timespec="minutes")
    return label.isoformat() if isinstance(label, date) else label


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A table as a file to keep."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    disposition = f'attachment; filename="{name}"'
    headers = {"content-disposition": disposition, "cache-control": "no-store"}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
