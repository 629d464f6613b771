"""Badges and the calendar card as SVG: no script, nothing from elsewhere, light and dark; pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from trackeep import templates
from trackeep.instance import words
from trackeep.instance.charts_calendar import STEP_PX, TOP_PX, Calendar, months
from trackeep.metrics.contributions import levels

HEIGHT_PX, PAD_PX, MARK_PX, FONT_PX = 22, 8, 10, 11
CARD_PAD_PX, CARD_HEAD_PX, CARD_FOOT_PX = 20, 52, 44
# As look/app.css has them: canvas, edge, text, second text, five steps of activity.
LIGHT = ("#fff", "#d1d9e0", "#1f2328", "#59636e", "#ebeff3")
DARK = ("#0d1117", "#2f3742", "#f0f6fc", "#9198a1", "#1c232c")
RAMPS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "green": (("#98dea6", "#41b966", "#02853c", "#024e20"), ("#115026", "#027e38", "#2eb45c", "#a0e4ae")),
    "blue": (("#a4cfff", "#48a2ff", "#046fc7", "#004077"), ("#164472", "#166ab8", "#3a9bfd", "#b0d5fe")),
    "violet": (("#d3bdfe", "#b180fc", "#824aca", "#4c277c"), ("#4c3371", "#794db6", "#ac77fa", "#d9c6fe")),
    "orange": (("#fdba8c", "#e58131", "#a75605", "#633001"), ("#653308", "#9f5102", "#e1791b", "#ffc29a")),
    "mono": (("#c6cbd1", "#959da5", "#626a73", "#2f363d"), ("#3a4149", "#646c75", "#9199a2", "#d0d5da")),
}
LONGEST_TEXT = 80


@dataclass(frozen=True)
class Picture:
    """An SVG document and the policy under which a browser may show it."""

    svg: str
    policy: str


def badge(label: str, value: str, ramp: str = "green") -> Picture:
    """One line: our mark, what is counted, and how many."""
    label, value = _short(label), _short(value)
    label_px, value_px = _width(label), _width(value) * 1.06
    at = PAD_PX + MARK_PX + 6
    width = round(at + label_px + 6 + value_px + PAD_PX)
    text = '<text class="{}" x="{}" y="15" textLength="{}" lengthAdjust="spacingAndGlyphs">{}</text>'
    body = (
        _box(width, HEIGHT_PX, 5)
        + _mark(PAD_PX, (HEIGHT_PX - MARK_PX) / 2)
        + Markup(text).format("s", at, round(label_px), label)
        + Markup(text).format("v", round(at + label_px + 6), round(value_px), value)
    )
    return _picture((width, HEIGHT_PX), f"{label}: {value}", "", body, ramp)


def card(calendar: Calendar, name: str, ramp: str = "green") -> Picture:
    """The contributions of twelve months, day by day; `name` is whose, "" where that is not said."""
    lead = (calendar.first.weekday() + 1) % 7
    columns = (len(calendar.days) + lead + 6) // 7
    size = (columns * STEP_PX + 2 * CARD_PAD_PX, TOP_PX + 7 * STEP_PX + CARD_HEAD_PX + CARD_FOOT_PX)
    total = words.counted(calendar.total, "contribution")
    head = Markup('<text class="t" x="{}" y="32">{}</text>').format(CARD_PAD_PX, f"{total} in 12 months")
    if name:
        place = '<text class="s" x="{}" y="32" text-anchor="end">{}</text>'
        head += Markup(place).format(size[0] - CARD_PAD_PX, _short(name))
    grid = Markup('<g class="s m" transform="translate({} {})">{}</g>').format(
        CARD_PAD_PX,
        CARD_HEAD_PX,
        Markup("").join([*months(calendar, lead, columns), *_cells(calendar, lead)]),
    )
    span = f"From {words.day(calendar.first)} to {words.day(calendar.last)}."
    body = _box(*size, 12) + head + grid + _legend(*size)
    return _picture(size, f"{total} in 12 months", span, body, ramp)


def _cells(calendar: Calendar, lead: int) -> list[Markup]:
    """Their levels only: how many there were on which day is more than the picture is asked to tell."""
    grade = levels(calendar.counts.get(day, 0) for day in calendar.days)
    cell = '<rect class="l{}" x="{}" y="{}" width="11" height="11" rx="2.5"/>'
    return [
        Markup(cell).format(level, place // 7 * STEP_PX, place % 7 * STEP_PX + TOP_PX)
        for place, level in enumerate(grade, start=lead)
    ]


def _legend(width: float, height: float) -> Markup:
    y, right = height - 18, width - CARD_PAD_PX
    parts = [Markup('<text class="s m" x="{}" y="{}" text-anchor="end">Less</text>').format(right - 102, y)]
    for level in range(5):
        cell = '<rect class="l{}" x="{}" y="{}" width="11" height="11" rx="2.5"/>'
        parts.append(Markup(cell).format(level, right - 96 + level * STEP_PX, y - 9))
    parts.append(Markup('<text class="s m" x="{}" y="{}" text-anchor="end">More</text>').format(right, y))
    return Markup("").join(parts)


def _mark(x: float, y: float) -> Markup:
    cell = '<rect class="l{}" x="{:.1f}" y="{:.1f}" width="2.8" height="2.8" rx=".8"/>'
    places = (
        (2, 0, 0),
        (3, 1, 0),
        (2, 2, 0),
        (1, 0, 1),
        (3, 1, 1),
        (1, 2, 1),
        (1, 0, 2),
        (4, 1, 2),
        (1, 2, 2),
    )
    cells = (Markup(cell).format(level, x + column * 3.6, y + row * 3.6) for level, column, row in places)
    return Markup("").join(cells)


def _box(width: float, height: float, radius: float) -> Markup:
    box = '<rect class="b" x=".5" y=".5" width="{}" height="{}" rx="{}"/>'
    return Markup(box).format(width - 1, height - 1, radius)


def _picture(size: tuple[float, float], title: str, text: str, body: Markup, ramp: str) -> Picture:
    style = STYLES.get(ramp, STYLES["green"])
    described = Markup("<desc>{}</desc>").format(text) if text else ""
    svg = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img">'
        "<title>{title}</title>{described}<style>{style}</style>{body}</svg>\n"
    ).format(w=size[0], h=size[1], title=_short(title), described=described, style=Markup(style), body=body)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Picture(
        str(svg), f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; sandbox"
    )


def _short(text: str) -> str:
    """What may stand in a picture: no control character, and never so much that it has no end."""
    shown = templates.shown("".join(letter for letter in text if not "\ud800" <= letter <= "\udfff"))
    plain = "".join(letter for letter in str(shown) if letter not in "\ufffe\uffff")
    return plain if len(plain) <= LONGEST_TEXT else f"{plain[: LONGEST_TEXT - 1]}…"


def _width(text: str) -> float:
    """About how wide a text is drawn; the font is the visitor's, so the picture says how wide it must be."""
    return sum(_letter_width(letter) for letter in text) * FONT_PX


def _letter_width(letter: str) -> float:
    if letter in "iljI|.,:;'!":
        return 0.29
    if letter in " frt()[]/-·":
        return 0.37
    if letter in "mwMW@%…" or ord(letter) > 0x2E7F:
        return 0.98
    return 0.68 if letter.isupper() else 0.57


def _style(ramp: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    shared = (
        "text{font:11px -apple-system,BlinkMacSystemFont,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif}"
        ".v,.t{font-weight:600}.t{font-size:14px}.m,.m text{font-size:10px}.b{stroke-width:1}"
    )
    dark = _colours(DARK, ramp[1])
    return f"{shared}{_colours(LIGHT, ramp[0])}@media(prefers-color-scheme:dark){{{dark}}}"


def _colours(plain: tuple[str, ...], ramp: tuple[str, ...]) -> str:
    canvas, edge, text, second, empty = plain
    steps = "".join(f".l{level}{{fill:{colour}}}" for level, colour in enumerate((empty, *ramp)))
    return f".b{{fill:{canvas};stroke:{edge}}}.v,.t{{fill:{text}}}.s,.s text{{fill:{second}}}{steps}"


STYLES = {name: _style(ramp) for name, ramp in RAMPS.items()}
