"""For how long a service asks to be left alone: the header Retry-After."""

from __future__ import annotations

import email.utils
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST: Final = 86_400.0
"""Seconds of a pause that are passed on. Whoever reads may wait less: see relayer/sources.py."""


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds in 0..LONGEST, or None where nothing is asked for that means anything.

    The header holds a number, or a date by the clock of the service; `now` [s, UNIX time] stands in
    for that clock where the answer has no date of its own.
    """
    given = {name.lower(): str(value) for name, value in headers.items()}
    said = given.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:6]), LONGEST)
    until, sent = _date(said), _date(given.get("date", ""))
    begin = now if sent is None else sent
    if until is None or begin is None:
        return None
    return min(max(until - begin, 0.0), LONGEST)


def _date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
