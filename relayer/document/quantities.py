"""Quantities as people write them in an SLA, read exactly: nothing is rounded, what does not fit is refused.

Every reader takes what stands in the document and raises ValueError, saying what is allowed. Writers give it back.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from eth_utils.address import is_checksum_address, to_checksum_address

from oracles import BadRequest
from relayer.protocol.terms import BPS, MAX_CREDIT, PPM

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress

    from oracles import Unit

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
DURATION = r"([0-9]{1,12})([smhd])"
PERCENT = r"([0-9]{1,12}(?:\.[0-9]{1,30})?) ?%"
MAX_PLACES = 60
AMOUNT = rf"[0-9]{{1,60}}(?:\.[0-9]{{1,{MAX_PLACES}}})?"
QUANTITY = r"[0-9]{1,12}(?:\.[0-9]{1,30})? ?[A-Za-z%]*"
ADDRESS = r"0x[0-9a-fA-F]{40}"
BYTES32 = r"0x[0-9a-fA-F]{64}"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
MONTH = "month"
WINDOW = f"{DURATION}|{MONTH}"
_CALENDAR = re.compile(r"[0-9]+ ?(?:M|mo|months?|y|years?|w|weeks?)", re.IGNORECASE)


def duration(value: object) -> int:
    """Seconds of "90s", "5m", "1h" or "30d"."""
    if isinstance(value, str) and (match := re.fullmatch(DURATION, value)):
        return int(match[1]) * _SECONDS[match[2]]
    if isinstance(value, str) and _CALENDAR.fullmatch(value):
        raise ValueError("calendar months, weeks and years are not supported; write days: 30d")
    raise ValueError("write a whole number and a unit (s, m, h, d): 90s, 5m, 1h, 30d")


def window(value: object) -> int:
    """Seconds of a billing window; 0 for "month", a calendar month in UTC."""
    if value == MONTH:
        return 0
    try:
        seconds = duration(value)
    except ValueError:
        seconds = 0
    if not seconds:
        raise ValueError(f"write a duration, such as 30d, or {MONTH} for calendar months in UTC")
    return seconds


def time(value: object) -> int:
    """UNIX seconds of "2027-01-01T00:00:00Z" (RFC 3339, UTC, whole seconds)."""
    allowed = "write a time in UTC to the second: 2027-01-01T00:00:00Z"
    if not isinstance(value, str) or not re.fullmatch(TIME, value):
        raise ValueError(allowed)
    try:
        seconds = int(datetime.strptime(value, _TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise ValueError(f"there is no such time; {allowed}") from None
    if seconds < 0:
        raise ValueError("times before 1970 are not supported")
    return seconds


def credit(value: object) -> int:
    """Basis points of "12.5%". More than 100% needs a bond, which is looked for later."""
    return _share(value, BPS, MAX_CREDIT, "0.01%")


def ppm(value: object) -> int:
    """Parts per million of "99.95%"."""
    return _share(value, PPM, PPM, "0.0001%")


def amount(value: object, decimals: int) -> int:
    """The token's smallest units in "100.00"."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(AMOUNT, text):
        raise ValueError('write an amount of the token: "100.00"')
    units = Fraction(text) * Fraction(10**decimals)
    if units.denominator != 1:
        raise ValueError(f"the token has {decimals} decimals: it cannot be paid exactly")
    return units.numerator


def in_unit(value: object, unit: Unit) -> int:
    """Steps of the unit in "99.9%" or "250ms". A bare number will do for counts and for 0."""
    written = ", ".join(f'"99{notation}"' for notation in unit.written if notation != "count")
    example = f"write it with its unit: {written}" if written else "write a whole number"
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(example)  # noqa: TRY004 - all readers raise ValueError
    text = str(value)
    if not re.fullmatch(QUANTITY, text):
        raise ValueError(example)
    bare = text.strip().replace(".", "").isdigit()
    if bare and unit.name != "count" and Fraction(text) != 0:
        raise ValueError(f"a number of what? {example}")
    try:
        steps = unit.amount(text)
    except BadRequest:
        raise ValueError(example) from None
    if steps.denominator != 1:
        raise ValueError(f"this is not a whole number of {unit.name}, in which readings are signed")
    return steps.numerator


def address(value: object) -> ChecksumAddress:
    """An account. In mixed case its checksum (EIP-55) must hold."""
    if not isinstance(value, str) or not re.fullmatch(ADDRESS, value):
        raise ValueError("write an address: 0x and 40 hexadecimal digits")
    digits = value[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(value):
        raise ValueError("the checksum of the address is wrong: a digit may be mistyped")
    if int(digits, 16) == 0:
        raise ValueError("the zero address is nobody's")
    return to_checksum_address(value)


def bytes32(value: object) -> bytes:
    """32 bytes in hexadecimal."""
    if not isinstance(value, str) or not re.fullmatch(BYTES32, value):
        raise ValueError("write 32 bytes: 0x and 64 hexadecimal digits")
    return bytes.fromhex(value[2:])


def _share(value: object, whole: int, most: int, smallest: str) -> int:
    if not isinstance(value, str) or not (match := re.fullmatch(PERCENT, value)):
        raise ValueError('write a percentage: "99.9%"')
    parts = Fraction(match[1]) * whole / 100
    if parts.denominator != 1:
        raise ValueError(f"percentages here are multiples of {smallest}")
    if parts > most:
        raise ValueError(f"at most {show_share(most, whole)}")
    return parts.numerator


def show_amount(units: int, decimals: int) -> str:
    """An amount in tokens, exactly: at least two decimal places, and as many as it needs."""
    whole, rest = divmod(units, 10**decimals)
    places = str(rest).zfill(decimals).rstrip("0") if decimals else ""
    return f"{whole}.{places.ljust(min(2, decimals), '0')}" if decimals else str(whole)


def show_share(parts: int, whole: int) -> str:
    """A share in percent, exactly."""
    return f"{_plain(Decimal(parts) * 100 / whole)}%"


def show_in_unit(steps: int, unit: Unit) -> str:
    """A threshold in the notation that people prefer."""
    if unit.name == "ppm":
        return show_share(steps, PPM)
    return str(steps) if unit.name == "count" else f"{steps} {unit.name}"


def show_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)


def show_duration(seconds: int) -> str:
    """The shortest of the notations that :func:`duration` reads."""
    for unit, length in reversed(_SECONDS.items()):
        if seconds % length == 0 and seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def show_window(seconds: int) -> str:
    """What :func:`window` reads."""
    return show_duration(seconds) if seconds else MONTH


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
