"""Charts of lines and of shares: a diverging area, one stacked bar, one bar of a list; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from trackeep.instance.charts import Caption, figure, scale_top

UP_PX, TOP_PX, LEAST_DOWN_PX = 100, 8, 24
LABELS = 6
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}\Z")
_PALE = ("k-b3", "k-b2", "k-b1", "k-l2", "k-o2", "k-v")


@dataclass(frozen=True)
class Span:
    """One step of a diverging chart; with `is_known` false its lines are not counted yet, not zero."""

    label: str
    up: int
    down: int
    is_known: bool


def diverging(spans: Sequence[Span], caption: Caption) -> Markup:
    """Areas above and below one line, on one scale; a step whose lines are not known is an outline."""
    top = scale_top(max((max(span.up, span.down) for span in spans), default=0))
    most_down = max((span.down for span in spans), default=0)
    down_px = max(LEAST_DOWN_PX, round(UP_PX * most_down / top))
    middle = TOP_PX + UP_PX
    line = Markup('<line{} x1="0" x2="100%" y1="{y}" y2="{y}"/>')
    value = Markup('<text x="0" y="{}">{}</text>')
    parts = [
        line.format("", y=TOP_PX),
        value.format(TOP_PX + 14, f"+{top:,}"),
        _half([100 - span.up * 100 / top for span in spans], "", (TOP_PX, UP_PX), floor=100),
        _half([span.down * UP_PX / top for span in spans], " neg", (middle, down_px), floor=0),
        *_unknown(spans, middle),
        line.format(Markup(' class="zero"'), y=middle),
        *_labels(spans, middle + down_px + 26),
    ]
    if most_down:
        parts.insert(2, value.format(middle + down_px - 4, f"−{most_down:,}"))
    return figure(middle + down_px + 32, caption, Markup("").join(parts))


def _half(values: Sequence[float], cls: str, place: tuple[int, int], *, floor: int) -> Markup:
    """One filled line in a box of its own, `place` (y, height) in pixels."""
    drawn = [*values, *values] if len(values) == 1 else values
    last = max(1, len(drawn) - 1)
    points = "".join(f"L{at} {value:.0f}" for at, value in enumerate(drawn))
    return Markup(
        '<svg x="0" width="100%" y="{y}" height="{height}" viewBox="0 0 {last} {height}" '
        'preserveAspectRatio="none"><path class="area{cls}" d="M0 {floor}{points}L{last} {floor}z"/></svg>'
    ).format(y=place[0], height=place[1], last=last, cls=cls, floor=floor, points=points)


def _unknown(spans: Sequence[Span], middle: int) -> list[Markup]:
    step = 100 / max(1, len(spans))
    outline = '<rect class="k-un" x="{}%" width="{}%" y="{}" height="12" rx="2"/>'
    found = [at for at, span in enumerate(spans) if not span.is_known]
    runs: list[list[int]] = []
    for at in found:
        if runs and runs[-1][-1] == at - 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    return [
        Markup(outline).format(f"{run[0] * step:.2f}", f"{len(run) * step:.2f}", middle - 6) for run in runs
    ]


def _labels(spans: Sequence[Span], y: int) -> list[Markup]:
    """Some of the steps' names below the areas; half of them only where there is room."""
    every = max(1, -(-len(spans) // LABELS))
    parts = []
    for number, at in enumerate(range(0, len(spans), every)):
        share = 100 * at / max(1, len(spans) - 1)
        if share > 94:
            continue
        cls = "mid" if at else ""
        spare = " alt" if number % 2 else ""
        text = '<text class="{}{}" x="{}%" y="{}">{}</text>'
        parts.append(Markup(text).format(cls, spare, f"{share:.1f}", y, spans[at].label))
    return parts


def stacked(shares: Sequence[tuple[float, str]], caption: Caption) -> Markup:
    """One bar of shares that add up to 1, each in its own colour, which is a class or `#rrggbb`."""
    parts, at = [], 0.0
    for place, (share, colour) in enumerate(shares, 1):
        part = '<rect{} x="{}%" width="{}%" y="0" height="12" rx="2"/>'
        gap = 0.3 if place < len(shares) else 0.0
        width = max(0.3, share * 100 - gap)
        parts.append(Markup(part).format(_filled(colour), f"{at:.2f}", f"{width:.2f}"))
        at += share * 100
    return figure(12, caption, Markup("").join(parts))


def colour_of(place: int, color: str) -> str:
    """GitHub's own colour where it is one, else one of ours by its place."""
    return color if _COLOR.match(color) else _PALE[place % len(_PALE)]


def swatch(colour: str) -> Markup:
    """The square of a legend in a class or a colour."""
    square = '<svg aria-hidden="true" viewBox="0 0 10 10"><rect{} width="10" height="10" rx="2"/></svg>'
    return Markup(square).format(_filled(colour))


def bar(value: int, most: int) -> Markup:
    """One bar of a list; its number stands beside it."""
    width = 100 * value / most if most else 0
    return Markup(
        '<svg class="bar" height="8" aria-hidden="true"><rect class="base" width="100%" height="8" rx="2"/>'
        '<rect class="k-b2" width="{}%" height="8" rx="2"/></svg>'
    ).format(f"{width:.1f}")


def _filled(colour: str) -> Markup:
    name = "fill" if colour.startswith("#") else "class"
    return Markup(' {}="{}"').format(Markup(name), colour)
