"""Months of the Gregorian calendar in UTC: the twin of ``CalendarLib.sol`` (rule 25).

Months are numbered from March of the year 0, as there. 146,097 days repeat, so that years beyond 9999 are no exception.
"""

from __future__ import annotations

from datetime import date, timedelta

_DAY = 86_400
_EPOCH = date(1970, 1, 1)
_ERA_YEARS = 400
_ERA_DAYS = 146_097


def month_of(time: int) -> int:
    """The month that holds a time [s, UNIX time]."""
    eras, days = divmod(time // _DAY, _ERA_DAYS)
    day = _EPOCH + timedelta(days)
    return (day.year + eras * _ERA_YEARS) * 12 + day.month - 3


def start_of(month: int) -> int:
    """When a month begins, and the one before ends [s, UNIX time]."""
    year, index = divmod(month + 2, 12)
    eras, years = divmod(year - _EPOCH.year, _ERA_YEARS)
    days = (date(_EPOCH.year + years, index + 1, 1) - _EPOCH).days
    return (days + eras * _ERA_DAYS) * _DAY
