"""Charts of pull requests: where their time goes, and how big they are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from trackeep.instance.charts import Caption, figure
from trackeep.templates import shown

PART_CLASSES = ("k-b1", "k-o2", "k-b3")
GAP = 0.3
_BASE, _TALLEST = 156, 128
_BIG = ("XL", "XXL")


def stack(parts: Sequence[float | None], p90: float | None, longest: float, caption: Caption) -> Markup:
    """Three durations in a row and a tick where nine in ten are done; `longest` is the scale of all rows.

    Where the tick would be beyond the scale, the line to it runs to the edge.
    """
    drawn, x = [], 0.0
    for cls, seconds in zip(PART_CLASSES, parts, strict=True):
        width = 90 * (seconds or 0) / longest if longest else 0
        if width:
            bar = '<rect class="{}" x="{}%" width="{}%" y="4" height="20" rx="3"/>'
            drawn.append(Markup(bar).format(cls, f"{x:.1f}", f"{max(0.4, width):.1f}"))
            x += max(0.4, width) + GAP
    if p90 is not None and longest:
        at = 90 * p90 / longest
        if at > x:
            whisker = '<line class="whisk" x1="{}%" x2="{}%" y1="14" y2="14"/>'
            drawn.append(Markup(whisker).format(f"{x:.1f}", f"{min(at, 100):.1f}"))
        if p90 <= longest:
            tick = '<line class="p90" x1="{0}%" x2="{0}%" y1="0" y2="28"/>'
            drawn.append(Markup(tick).format(f"{at:.1f}"))
    return figure(28, caption, Markup("").join(drawn))


def size_bars(sizes: Sequence[tuple[str, str, int, str]], caption: Caption) -> Markup:
    """A bar per size that leads to its list: (name, lines in words, how many, address)."""
    top = max((count for _, _, count, _ in sizes), default=0) or 1
    step = 98.4 / max(1, len(sizes))
    drawn = [Markup('<line class="zero" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_BASE)]
    for place, (name, lines, count, href) in enumerate(sizes):
        x, height = 2 + place * step, _TALLEST * count / top
        drawn.append(
            Markup(
                '<a href="{href}" aria-label="{count} of size {name}, {lines}">'
                '<rect class="hit" x="{x}%" width="{w}%" y="0" height="{base}"/>'
                '<rect class="{cls}" x="{x}%" width="{w}%" y="{y}" height="{h}" rx="3"/>'
                '<text class="mid v" x="{mid}%" y="{over}">{count}</text></a>'
                '<text class="mid v" x="{mid}%" y="175">{name}</text>'
                '<text class="mid alt" x="{mid}%" y="192">{lines}</text>'
            ).format(
                href=href,
                name=name,
                lines=lines,
                count=f"{count:,}",
                cls="k-o2" if name in _BIG else "k-b2",
                x=f"{x:.1f}",
                w=f"{step * 0.78:.1f}",
                mid=f"{x + step * 0.39:.1f}",
                base=_BASE,
                y=f"{_BASE - height:.0f}",
                h=f"{height:.0f}",
                over=f"{_BASE - height - 6:.0f}",
            )
        )
    # A picture has no links inside; a group of links has a name and a description, too.
    return Markup(
        '<svg class="chart linked" height="196" role="group" aria-labelledby="{key}-t" '
        'aria-describedby="{key}-d">'
        '<title id="{key}-t">{title}</title><desc id="{key}-d">{text}</desc>{body}</svg>'
    ).format(
        key=caption.key,
        title=shown(caption.title),
        text=caption.description,
        body=Markup("").join(drawn),
    )
