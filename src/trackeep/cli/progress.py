"""How far a sync is: one line a repository on a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import manner
from trackeep.cli.output import plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from trackeep.sync.once import Seen

_WORDS = {"commits": "commits", "pulls": "pull requests", "issues": "issues"}
# More lines than this would push everything else off the screen.
MOST_LINES = 8


class Silent:
    """No progress: not wanted."""

    on_progress: Callable[[Seen], None] | None = None

    def end(self) -> None:
        """Nothing more will be shown."""


def watcher() -> Silent:
    """Who shows the progress of this run: bars on a terminal, lines elsewhere, nobody when not wanted."""
    asked = manner()
    if asked.is_quiet or not asked.has_progress:
        return Silent()
    return Bars() if sys.stderr.isatty() else Lines()


class Lines(Silent):
    """A line whenever another repository is complete: for logs."""

    def __init__(self) -> None:
        self._done = -1
        self.on_progress = self._show

    def _show(self, seen: Seen) -> None:
        progress = seen.progress
        if progress.repositories == 0 or progress.repositories_done == self._done:
            return
        is_first, self._done = self._done < 0, progress.repositories_done
        if is_first and self._done == progress.repositories:
            # Complete before anything was asked: there is no progress to tell of.
            return
        done = f"{progress.repositories_done} of {progress.repositories} repositories"
        click.echo(f"{done}, {progress.commits:,} commits{_left(seen)}", err=True)


class Bars(Silent):
    """One line for the whole and one for each repository that is being fetched."""

    def __init__(self) -> None:
        # Kept out at the start.
        sys.modules.pop("rich", None)
        from rich import progress
        from rich.console import Console

        context = click.get_current_context(silent=True)
        is_plain = context is not None and context.color is False
        self._bars: Progress = progress.Progress(
            progress.BarColumn(20),
            progress.TextColumn("{task.fields[counted]}", justify="right"),
            progress.TextColumn("{task.description}", markup=False),
            console=Console(stderr=True, no_color=is_plain, highlight=False),
            transient=True,
        )
        self._began_at = time.monotonic()
        self._whole = self._bars.add_task("repositories", total=None, counted="")
        self._parts: dict[tuple[str, str], TaskID] = {}
        self._first_done: int | None = None
        self.on_progress = self._show
        self._bars.start()

    def _show(self, seen: Seen) -> None:
        progress = seen.progress
        if self._first_done is None and progress.repositories:
            self._first_done = progress.repositories_done
        words = f"repositories · {progress.commits:,} commits{_left(seen)}{self._eta(seen)}"
        self._bars.update(
            self._whole,
            completed=progress.repositories_done,
            total=progress.repositories or None,
            description=words,
            counted=f"{progress.repositories_done}/{progress.repositories}",
        )
        self._show_parts(seen)

    def _show_parts(self, seen: Seen) -> None:
        shown = {(one.repository, one.stream): one for one in seen.under_way[:MOST_LINES]}
        for gone in self._parts.keys() - shown.keys():
            self._bars.remove_task(self._parts.pop(gone))
        for key, one in shown.items():
            if key not in self._parts:
                self._parts[key] = self._bars.add_task("", total=None, counted="")
            counted = f"{one.done:,}" if one.total is None else f"{one.done:,}/{one.total:,}"
            self._bars.update(
                self._parts[key],
                completed=one.done if one.total else 0,
                total=one.total,
                description=plain(f"{one.repository} {_WORDS[one.stream]}"),
                counted=counted,
            )

    def _eta(self, seen: Seen) -> str:
        from trackeep.instance import words
        from trackeep.metrics.syncing import seconds_left

        first, progress = self._first_done or 0, seen.progress
        done, total = progress.repositories_done - first, progress.repositories - first
        left_s = seconds_left(done, total, time.monotonic() - self._began_at)
        return f" · about {words.duration(left_s)} left" if left_s else ""

    def end(self) -> None:
        self._bars.stop()


def _left(seen: Seen) -> str:
    """What is left of the budget that is used up most."""
    budgets = [one for one in seen.budgets.values() if one.limit]
    if not budgets:
        return ""
    least = min(budgets, key=lambda one: one.remaining / one.limit)
    return f" · {least.remaining:,} of {least.limit:,} requests left"
