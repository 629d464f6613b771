"""Charts as SVG: bars are placed in percent and drawn in pixels, so that type never scales. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from trackeep.templates import shown

BASE_PX, TOP_PX = 148, 132


@dataclass(frozen=True)
class Caption:
    """What a chart is called and what it says, for those who do not see it."""

    key: str
    title: str
    description: str


def sparkline(values: Sequence[float | None]) -> Markup:
    """Micro bars, the newest one strong; None and 0 leave the faint line of the base."""
    top = max((value for value in values if value), default=1)
    past, newest = [], ""
    for place, value in enumerate(values):
        if not value:
            continue
        bar = f"M{place * 4} {24 - max(1.5, 24 * value / top):.0f}h3V24h-3z"
        if place == len(values) - 1:
            newest = bar
        else:
            past.append(bar)
    width = len(values) * 4 - 1
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} 24" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="base" d="M0 23h{w}v1H0z"/><path class="a" d="{past}"/>'
        '<path class="z" d="{newest}"/></svg>'
    ).format(w=width, past="".join(past), newest=newest)


def cells(levels: Sequence[int]) -> Markup:
    """The last days of a streak as squares of the calendar's colours."""
    step = 100 / len(levels)
    rects = (
        Markup('<rect class="k-l{}" x="{}%" y="16" width="6%" height="12" rx="2"/>').format(
            level, f"{place * step:.2f}"
        )
        for place, level in enumerate(levels)
    )
    return Markup('<svg class="spark" aria-hidden="true">{}</svg>').format(Markup("").join(rects))


def paired_bars(pairs: Sequence[tuple[str, int, int]], caption: Caption) -> Markup:
    """Two bars per label, such as opened and merged per week, on one scale with at most four lines.

    Every second label is written, so of many those that shall not be are empty.
    """
    top = scale_top(max((max(first, second) for _, first, second in pairs), default=0))
    parts = [_grid(top)]
    step = 96 / max(1, len(pairs))
    width = step * 0.325
    for place, (label, first, second) in enumerate(pairs):
        x = 4 + place * step
        parts += [_bar("k-b2", x, width, first / top), _bar("k-v", x + width + 0.4, width, second / top)]
        if label and place % 2 == 0:
            spare = " alt" if place % 4 else ""
            middle = f"{x + width + 0.2:.1f}"
            parts.append(Markup('<text class="mid{}" x="{}%" y="170">{}</text>').format(spare, middle, label))
    return figure(176, caption, Markup("").join(parts))


def punch_card(levels: Sequence[Sequence[int]], caption: Caption) -> Markup:
    """Seven rows of 24 hours, Monday first, each cell a level from 0 to 4."""
    parts = []
    for row, (name, hours) in enumerate(zip(WEEKDAYS, levels, strict=True)):
        parts.append(Markup('<text x="0" y="{}">{}</text>').format(row * 22 + 14, name))
        for hour, level in enumerate(hours):
            cell = '<rect class="k-l{}" x="{}%" y="{}" width="3.2%" height="18" rx="3"/>'
            parts.append(Markup(cell).format(level, f"{10.5 + hour * 3.73:.2f}", row * 22))
    for hour in (0, 6, 12, 18, 23):
        label = '<text class="mid" x="{}%" y="170">{:02}</text>'
        parts.append(Markup(label).format(f"{10.5 + hour * 3.73 + 1.6:.1f}", hour))
    return figure(176, caption, Markup("").join(parts), cls="punch")


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def area(values: Sequence[float], top: float, caption: Caption) -> Markup:
    """One person's weeks as a filled line; `top` is shared by all of them."""
    last = max(1, len(values) - 1)
    points = "".join(f"L{place} {100 - value * 100 / top:.0f}" for place, value in enumerate(values))
    return Markup(
        '<svg class="spark" role="img" aria-labelledby="{key}-t {key}-d" viewBox="0 0 {last} 100" '
        'preserveAspectRatio="none"><title id="{key}-t">{title}</title><desc id="{key}-d">{text}</desc>'
        '<path class="area who" d="M0 100{points}L{last} 100z"/></svg>'
    ).format(key=caption.key, title=shown(caption.title), text=caption.description, last=last, points=points)


def figure(height: int, caption: Caption, body: Markup, *, cls: str = "") -> Markup:
    return Markup(
        '<svg class="chart {cls}" height="{height}" role="img" aria-labelledby="{key}-t {key}-d">'
        '<title id="{key}-t">{title}</title><desc id="{key}-d">{text}</desc>{body}</svg>'
    ).format(
        cls=cls,
        height=height,
        key=caption.key,
        title=shown(caption.title),
        text=caption.description,
        body=body,
    )


def scale_top(most: int) -> int:
    """The smallest round number that is at least `most`, divisible by 3 or 4 lines without fractions."""
    if most <= 3:
        return 3
    for magnitude in (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000):
        for factor in (3, 4, 6, 8, 9, 12, 15, 20, 30):
            if factor * magnitude >= most:
                return factor * magnitude
    return most


def _grid(top: int) -> Markup:
    lines = 4 if top % 4 == 0 and top % 3 else 3
    parts = []
    for line in range(lines + 1):
        value = top * line // lines
        y = BASE_PX - value * TOP_PX / top
        cls = Markup(' class="zero"') if not line else ""
        parts.append(Markup('<line{} x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(cls, y=f"{y:.0f}"))
        if line:
            parts.append(Markup('<text x="0" y="{}">{}</text>').format(f"{y - 4:.0f}", f"{value:,}"))
    return Markup("").join(parts)


def _bar(cls: str, x: float, width: float, share: float) -> Markup:
    if not share:
        return Markup("")
    height = max(1.0, share * TOP_PX)
    return Markup('<rect class="{}" x="{}%" width="{}%" y="{}" height="{}" rx="2"/>').format(
        cls, f"{x:.2f}", f"{width:.2f}", f"{BASE_PX - height:.0f}", f"{height:.0f}"
    )
