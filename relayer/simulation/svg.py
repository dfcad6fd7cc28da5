"""A simulation as a picture: a calendar of each window, and how the credit grew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from relayer.document.quantities import show_in_unit, show_share
from relayer.protocol.terms import BPS, PPM
from relayer.simulation.calendar import DAY, Look, calendar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.document import Document
    from relayer.simulation.calendar import Cell, Row
    from relayer.simulation.course import Course, WindowCourse

_FONT: Final = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
_INK, _QUIET, _LINE, _PAPER = "#1f2933", "#7b8794", "#e4e7eb", "#ffffff"
_GOOD, _UNKNOWN, _ABSENT, _EXCLUDED = "#b7dfc3", "#9fb3c8", "#d9e2ec", "#f0f2f5"
_SOME_BAD, _ALL_BAD = (255, 196, 113), (200, 30, 40)
_LEFT, _TOP, _CELL, _GAP = 76, 118, 18, 2
_WIDTH = 760
_RIGHT = 150
_CHART = 92


def picture(document: Document, course: Course, *, currency: str = "tokens") -> str:
    """One SVG image: a panel for each window and level, below one another.

    :param currency: What people call the token.
    """
    parts: list[str] = []
    top = _TOP
    for window in course.windows:
        for level in range(len(window.levels)):
            drawn, height = _panel(document, window, level, top, currency)
            parts += drawn
            top += height
    head = list(_head(document, course, currency))
    top += 34
    legend = list(_legend(top - 26))
    body = "\n".join([*head, *parts, *legend])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top}" viewBox="0 0 {_WIDTH} {top}" '
        f'font-family="{_FONT}" font-size="12" fill="{_INK}">\n'
        f'<rect width="{_WIDTH}" height="{top}" fill="{_PAPER}"/>\n{body}\n</svg>\n'
    )


def _head(document: Document, course: Course, currency: str) -> Iterator[str]:
    yield _text(32, 42, document.name, size=22, weight=650)
    span = f"{_date(course.terms.start)} to {_date(course.windows[-1].end)}, UTC"
    yield _text(32, 64, span, color=_QUIET, size=13)
    figures = (
        ("to the consumer", document.amount(course.to_consumer), _rgb(_ALL_BAD)),
        ("to the provider", document.amount(course.to_provider), "#2f855a"),
    )
    for number, (label, amount, color) in enumerate(figures):
        right = _WIDTH - 32 - (1 - number) * 170
        yield _text(right, 42, amount, size=22, weight=650, color=color, anchor="end")
        yield _text(right, 64, f"{currency} {label}", color=_QUIET, size=12, anchor="end")
    yield f'<line x1="32" y1="82" x2="{_WIDTH - 32}" y2="82" stroke="{_LINE}"/>'


def _panel(
    document: Document, window: WindowCourse, level: int, top: int, currency: str
) -> tuple[list[str], int]:
    rows = calendar(window, level)
    columns = len(rows[0].cells)
    width = 24 * _CELL // columns
    parts = list(_title(document, window, level, top))
    top += 30
    for column in range(columns):
        if columns != 24 or column % 6 == 0:
            label = f"{column:02}:00" if columns == 24 else "MTWTFSS"[column]
            parts.append(_text(_LEFT + column * width, top, label, color=_QUIET, size=10))
    top += 8
    for number, row in enumerate(rows):
        parts += _row(document, row, top + number * _CELL, width, currency)
    height = 38 + len(rows) * _CELL
    if any(payment.level == level for payment in window.payments) or len(window.levels) == 1:
        parts += _curve(document, window, top + len(rows) * _CELL + 16, currency)
        height += _CHART + 30
    return parts, height + 40


def _title(document: Document, window: WindowCourse, level: int, top: int) -> Iterator[str]:
    course = window.levels[level]
    name = f"{document.levels[level].name}, {_span(window)}"
    yield _text(32, top, name, size=14, weight=600)
    tally = course.tally
    facts = [f"{tally.bad:,} of {tally.planned:,} intervals bad"]
    if tally.unknown:
        facts.append(f"{tally.unknown:,} unknown")
    if course.average is not None:
        facts.append(f"average {show_in_unit(course.average, document.levels[level].unit)}")
    elif course.availability is not None:
        facts.append(f"available {show_share(course.availability, PPM)}")
    facts.append(f"credit {show_share(window.credit, BPS)}")
    yield _text(_WIDTH - 32, top, ", ".join(facts), color=_QUIET, anchor="end")


def _row(document: Document, row: Row, top: int, width: int, currency: str) -> Iterator[str]:
    yield _text(_LEFT - 10, top + 13, row.label, color=_QUIET, size=10, anchor="end")
    for number, cell in enumerate(row.cells):
        color = _color(cell)
        if color is None:
            continue
        left = _LEFT + number * width
        yield (
            f'<rect x="{left}" y="{top}" width="{width - _GAP}" height="{_CELL - _GAP}" rx="3" fill="{color}">'
            f"<title>{_tip(cell)}</title></rect>"
        )
    right = _LEFT + len(row.cells) * width + 14
    if row.bad:
        yield _text(right, top + 13, f"{row.bad:,} bad", size=11)
    if row.amount:
        paid = f"{document.amount(row.amount)} {currency}"
        yield _text(
            _WIDTH - 32, top + 13, paid, size=11, weight=650, color=_rgb(_ALL_BAD), anchor="end"
        )


def _curve(document: Document, window: WindowCourse, top: int, currency: str) -> Iterator[str]:
    """What was certain to be the consumer's, from the window's begin to its end."""
    left, right, bottom = _LEFT, _WIDTH - _RIGHT - 32, top + _CHART
    most = max(window.fee, window.to_consumer, 1)

    def x(at: int) -> float:
        share = (at - window.start) / (window.end - window.start)
        return round(left + min(1.0, max(0.0, share)) * (right - left), 1)

    def y(amount: int) -> float:
        return round(bottom - amount / most * (_CHART - 14), 1)

    yield _text(left - 10, bottom, "0", color=_QUIET, size=10, anchor="end")
    yield _text(left - 10, y(most) + 4, "fee" if most == window.fee else "most", color=_QUIET, size=10, anchor="end")  # fmt: skip
    for level in (0, most):
        yield f'<line x1="{left}" y1="{y(level)}" x2="{right}" y2="{y(level)}" stroke="{_LINE}"/>'
    points, paid = [f"{left},{y(0)}"], 0
    for payment in window.payments:
        points.append(f"{x(payment.at)},{y(paid)}")
        paid += payment.amount
        points.append(f"{x(payment.at)},{y(paid)}")
    points.append(f"{right},{y(paid)}")
    area = " ".join([*points, f"{right},{y(0)}"])
    yield f'<polygon points="{area}" fill="{_rgb(_ALL_BAD)}" opacity="0.10"/>'
    line = " ".join(points)
    yield f'<polyline points="{line}" fill="none" stroke="{_rgb(_ALL_BAD)}" stroke-width="2" stroke-linejoin="round"/>'
    label = f"{document.amount(paid)} {currency}"
    yield _text(right + 10, y(paid) + 4, label, size=12, weight=650, color=_rgb(_ALL_BAD))
    yield _text(right + 10, y(paid) + 20, "certain by then", size=10, color=_QUIET)


def _legend(top: int) -> Iterator[str]:
    left = _LEFT
    items = (
        ("good", _GOOD),
        ("some bad", _rgb(_SOME_BAD)),
        ("all bad", _rgb(_ALL_BAD)),
        ("unknown", _UNKNOWN),
        ("not applicable", _ABSENT),
        ("not judged", _EXCLUDED),
    )
    for label, color in items:
        yield f'<rect x="{left}" y="{top - 10}" width="12" height="12" rx="3" fill="{color}"/>'
        yield _text(left + 18, top, label, color=_QUIET, size=11)
        left += 34 + round(len(label) * 6.2)


def _color(cell: Cell) -> str | None:
    match cell.look:
        case Look.OUTSIDE:
            return None
        case Look.GOOD:
            return _GOOD
        case Look.EXCLUDED:
            return _EXCLUDED
        case Look.ABSENT:
            return _ABSENT
        case Look.UNKNOWN:
            return _UNKNOWN
        case Look.SOME_BAD | Look.ALL_BAD:
            share = cell.share_bad
            return _rgb(
                tuple(
                    round(some + (all_ - some) * share)
                    for some, all_ in zip(_SOME_BAD, _ALL_BAD, strict=True)
                )
            )


def _tip(cell: Cell) -> str:
    at = datetime.fromtimestamp(cell.start, UTC)
    counts = ", ".join(
        f"{count} {verdict.name.lower().replace('_', ' ')}"
        for verdict, count in sorted(cell.counts.items())
    )
    return escape(f"{at:%Y-%m-%d %H:%M} UTC: {counts}")


def _span(window: WindowCourse) -> str:
    start = datetime.fromtimestamp(window.start, UTC)
    last = datetime.fromtimestamp(window.end - 1, UTC)
    if start.day == 1 and (start.year, start.month) == (last.year, last.month):
        return f"{start:%B %Y}"
    return f"{_date(window.start)} to {_date(window.end)}"


def _date(seconds: int) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    text = f"{at.day} {at:%B %Y}"
    return text if seconds % DAY == 0 else f"{text} {at:%H:%M}"


def _rgb(color: tuple[int, ...]) -> str:
    return "#" + "".join(f"{part:02x}" for part in color)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    weight: int = 400,
    color: str = _INK,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{color}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
