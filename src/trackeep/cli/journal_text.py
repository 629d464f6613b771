"""A journal as Markdown or HTML that people can paste; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from html import escape

from trackeep.cli.journal import Entry, Journal, Section
from trackeep.cli.output import plain

COMMITS_SHOWN = 30
_VERBS = {
    "merged": "Merged",
    "opened and merged": "Opened and merged",
    "opened": "Opened",
    "closed": "Closed",
    "reviewed": "Reviewed",
    "release": "Released",
    "to review": "Review",
    "returned": "Returned to you:",
    "ready to merge": "Ready to merge:",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}th,td{padding:.2rem .8rem;border-bottom:1px solid #8888;text-align:right}"
    "th:first-child,td:first-child{text-align:left}"
)


def days_text(first: date, last: date) -> str:
    """ "23 to 29 November 2026", with as many parts as the days differ in."""
    end = f"{last.day} {last:%B %Y}"
    if first == last:
        return f"{last:%A} {end}"
    if first.year != last.year:
        return f"{first.day} {first:%B %Y} to {end}"
    return f"{first.day} to {end}" if first.month == last.month else f"{first.day} {first:%B} to {end}"


def markdown(journal: Journal, title: str) -> str:
    """Headings, bullets and links; whatever people wrote is shown as they wrote it and does nothing."""
    lines = [f"## {_md(title)}", "", _subtitle(journal)]
    if journal.figures:
        lines += ["", "| | this week | week before |", "|---|---:|---:|"]
        lines += [f"| {one.name} | {one.now} | {one.before} |" for one in journal.figures]
    for section in journal.sections:
        lines += ["", f"### [{_md(section.repository)}]({section.url})", ""]
        lines += [f"- {_md_entry(entry)}" for entry in _shown(section)]
        lines += [f"- and {_rest(section)} more commits"] if _rest(section) else []
    if not journal.sections:
        lines += ["", "Nothing happened in the repositories you follow."]
    if journal.waiting:
        lines += ["", "### Waiting for you", "", *(f"- {_md_entry(entry)}" for entry in journal.waiting)]
    return "\n".join(lines)


def html(journal: Journal, title: str) -> str:
    """One page of its own that loads nothing from anywhere."""
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{_html(title)}</title>',
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{_html(title)}</h1>",
            f"<p>{_html(_subtitle(journal))}</p>",
            *_html_figures(journal),
            *(line for section in journal.sections for line in _html_section(section)),
            *([] if journal.sections else ["<p>Nothing happened in the repositories you follow.</p>"]),
            *_html_waiting(journal),
            "</body></html>",
        ]
    )


def _subtitle(journal: Journal) -> str:
    days = days_text(journal.first, journal.last)
    return f"{days}, {journal.zone}"


def _shown(section: Section) -> Iterator[Entry]:
    commits = 0
    for entry in section.entries:
        commits += entry.kind == "commit"
        if entry.kind != "commit" or commits <= COMMITS_SHOWN:
            yield entry


def _rest(section: Section) -> int:
    return max(0, sum(entry.kind == "commit" for entry in section.entries) - COMMITS_SHOWN)


def _opening(entry: Entry) -> str:
    if entry.kind == "issue":
        return "Closed issue" if entry.detail == "closed" else "Opened issue"
    return _VERBS[entry.kind]


def _detail(entry: Entry) -> str:
    return "" if entry.kind == "issue" else entry.detail


def _md_entry(entry: Entry) -> str:
    link = f"[{_md(entry.label)}]({entry.url})"
    if entry.kind == "commit":
        return f"{_md_beginning(entry.text)} ({link})"
    detail = _detail(entry)
    return f"{_opening(entry)} {link} {_md(entry.text)}" + (f" ({_md(detail)})" if detail else "")


def _md(text: str) -> str:
    """`text` so that Markdown shows it and makes nothing of it, inside of a line."""
    escaped = re.sub(r"([\\`*\[\]<]|&(?=[#A-Za-z])|~(?=~))", r"\\\1", plain(text))
    # Between letters it is only a letter.
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", escaped)


def _md_beginning(text: str) -> str:
    """The same at the beginning of a line, where a heading or another list could begin."""
    escaped = re.sub(r"^([#+>-])", r"\\\1", _md(text))
    return re.sub(r"^([0-9]{1,9})([.)])", r"\1\\\2", escaped)


def _html_figures(journal: Journal) -> list[str]:
    if not journal.figures:
        return []
    rows = [
        f"<tr><td>{_html(one.name)}</td><td>{_html(one.now)}</td><td>{_html(one.before)}</td></tr>"
        for one in journal.figures
    ]
    head = "<tr><th></th><th>this week</th><th>week before</th></tr>"
    return ["<table>", head, *rows, "</table>"]


def _html_section(section: Section) -> list[str]:
    rest = _rest(section)
    return [
        f'<h2><a href="{escape(section.url)}">{_html(section.repository)}</a></h2>',
        "<ul>",
        *(f"<li>{_html_entry(entry)}</li>" for entry in _shown(section)),
        *([f"<li>and {rest} more commits</li>"] if rest else []),
        "</ul>",
    ]


def _html_waiting(journal: Journal) -> list[str]:
    if not journal.waiting:
        return []
    entries = (f"<li>{_html_entry(entry)}</li>" for entry in journal.waiting)
    return ["<h2>Waiting for you</h2>", "<ul>", *entries, "</ul>"]


def _html_entry(entry: Entry) -> str:
    link = f'<a href="{escape(entry.url)}">{_html(entry.label)}</a>'
    if entry.kind == "commit":
        return f"{_html(entry.text)} ({link})"
    detail = _detail(entry)
    return f"{_opening(entry)} {link} {_html(entry.text)}" + (f" ({_html(detail)})" if detail else "")


def _html(text: str) -> str:
    return escape(plain(text))
