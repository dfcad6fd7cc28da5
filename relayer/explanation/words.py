"""Durations, counts and dates as people say them. All times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def plural(count: int, noun: str) -> str:
    """So many of something: "1 minute", "5,000 minutes"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def small(count: int) -> str:
    """A number of things; as a word up to ten."""
    return _SMALL[count] if 0 <= count < len(_SMALL) else f"{count:,}"


def duration(seconds: int) -> str:
    """A length of time, exact: "1 hour and 30 minutes"."""
    parts = []
    for length, noun in _UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(plural(count, noun))
    if not parts:
        return "no time"
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def every(seconds: int) -> str:
    """How often something happens: every "minute", every "5 minutes"."""
    for length, noun in _UNITS:
        if seconds % length == 0:
            count = seconds // length
            return noun if count == 1 else plural(count, noun)
    raise ValueError(f"{seconds} s is no interval")


def noun(seconds: int) -> str:
    """What one interval is called: "minute" if it is one, else "interval"."""
    return "interval" if " " in every(seconds) else every(seconds)


def intervals(count: int, seconds: int) -> str:
    """A number of intervals: "50 minutes", or "10 intervals of 5 minutes"."""
    name = noun(seconds)
    return (
        plural(count, name)
        if name == every(seconds)
        else f"{plural(count, name)} of {every(seconds)}"
    )


def downtime(count: int, seconds: int) -> str:
    """How long so many intervals are, in whole intervals if they are a unit of time: "404 minutes", "6 hours and 45 minutes"."""
    return (
        intervals(count, seconds) if noun(seconds) == every(seconds) else duration(count * seconds)
    )


def compact(seconds: int) -> str:
    """A length of time for tables: "4 h 25 min"."""
    parts = []
    for length, short in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {short}")
    return " ".join(parts) or "0 s"


def moment(seconds: int) -> str:
    """A time: "1 January 2027, 00:00 UTC"."""
    at = datetime.fromtimestamp(seconds, UTC)
    clock = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
    return f"{at.day} {at:%B %Y}, {clock} UTC"


def month(seconds: int, *, short: bool = False) -> str:
    """The month that holds a time: "June 2027"."""
    return f"{datetime.fromtimestamp(seconds, UTC):{'%b' if short else '%B'} %Y}"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def listed(parts: list[str], last: str = "and") -> str:
    """Several things: "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"
