"""Hours of the week as people write them: ``"mon-fri 22:00-24:00"``, ``"sat-sun"``. Always UTC, whole hours."""

from __future__ import annotations

import re

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_HOURS = 24
PATTERN = (
    rf"({'|'.join(DAYS)})(?:-({'|'.join(DAYS)}))?"
    r"(?: ([01][0-9]|2[0-3]):00-(0[1-9]|1[0-9]|2[0-4]):00)?"
)

_SPAN = re.compile(PATTERN)
_ALLOWED = (
    'write days and whole hours in UTC: "sat-sun", "mon-fri 22:00-24:00", "sun 03:00-05:00"; '
    "a span that passes midnight is written as two"
)


def hours(value: object) -> int:
    """A bit for each hour of the week that a span holds; bit 0 is Monday 00:00 UTC.

    Raises ValueError, saying what is allowed, for anything else.
    """
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(_ALLOWED)
    first = DAYS.index(match[1])
    count = (DAYS.index(match[2] or match[1]) - first) % len(DAYS) + 1
    begin, end = int(match[3] or 0), int(match[4] or DAY_HOURS)
    if end <= begin:
        raise ValueError(_ALLOWED)
    day = (1 << end) - (1 << begin)
    bits = 0
    for number in range(first, first + count):
        bits |= day << number % len(DAYS) * DAY_HOURS
    return bits


def show_hours(bits: int) -> list[str]:
    """The spans that :func:`hours` reads, as few as whole days and neighbouring days make."""
    spans: list[tuple[int, int, int, int]] = []  # first day, last day, begin, end
    for day in range(len(DAYS)):
        for begin, end in _spans_of(bits >> day * DAY_HOURS & (1 << DAY_HOURS) - 1):
            earlier = (day - 1, begin, end)
            found = next((n for n, span in enumerate(spans) if span[1:] == earlier), None)
            if found is None:
                spans.append((day, day, begin, end))
            else:
                spans[found] = (spans[found][0], day, begin, end)
    return [_shown(*span) for span in spans]


def _spans_of(day: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for hour in range(DAY_HOURS):
        if not day >> hour & 1:
            continue
        if spans and spans[-1][1] == hour:
            spans[-1] = (spans[-1][0], hour + 1)
        else:
            spans.append((hour, hour + 1))
    return spans


def _shown(first: int, last: int, begin: int, end: int) -> str:
    days = DAYS[first] if first == last else f"{DAYS[first]}-{DAYS[last]}"
    return days if (begin, end) == (0, DAY_HOURS) else f"{days} {begin:02}:00-{end:02}:00"
