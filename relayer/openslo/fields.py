"""How the fields of OpenSLO v1 are written. Readers take what stands in the file and raise ValueError, saying what is allowed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from oracles.time_zones import time_zone as iana_zone

NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
LABEL_KEY = r"[a-zA-Z0-9](?:[-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
ANNOTATION_KEY = rf"(?:{NAME}(?:\.{NAME})*/)?{LABEL_KEY}"
DURATION = r"[1-9][0-9]{0,8}[mhdwMQY]"
NUMBER = r"-?[0-9]{1,15}(?:\.[0-9]{1,30})?(?:[eE][-+]?[0-9]{1,2})?"
DATE_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
MAX_DESCRIPTION = 1_050
MAX_DISPLAY_NAME = 63
MAX_PREFIX = 253
UTC_ZONES = frozenset(
    {"UTC", "UCT", "GMT", "Zulu", "Universal", "Greenwich", "GMT0", "GMT+0", "GMT-0"}
    | {f"Etc/{name}" for name in ("UTC", "UCT", "GMT", "Zulu", "Universal", "Greenwich", "GMT0")}
)
"""The names that the IANA database has for UTC."""

_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Duration:
    """A number of units; those of a calendar (M, Q, Y) have no fixed length."""

    count: int
    unit: str

    @property
    def seconds(self) -> int | None:
        """Length [s]; None for months, quarters and years."""
        return self.count * _SECONDS[self.unit] if self.unit in _SECONDS else None

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def name(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(NAME, value):
        return value
    raise ValueError("write a name of up to 63 lower-case letters, digits and inner hyphens")


def text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError("expected a text")


def display_name(value: object) -> str:
    return _short(value, MAX_DISPLAY_NAME)


def description(value: object) -> str:
    return _short(value, MAX_DESCRIPTION)


def label_key(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(LABEL_KEY, value):
        return value
    raise ValueError(
        "the key of a label has up to 63 letters, digits and inner hyphens, underscores and points"
    )


def label(value: object) -> object:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise ValueError("write a text, or a list of texts, in quotes where it could be a number")


def annotation_key(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(ANNOTATION_KEY, value):
        prefix, slash, _ = value.partition("/")
        if not slash or len(prefix) <= MAX_PREFIX:
            return value
    raise ValueError(
        "the key of an annotation is a name of up to 63 letters, digits and inner hyphens, underscores and points, "
        "where it should be after a domain and a slash: my-domain.org/my-key"
    )


def duration(value: object) -> Duration:
    if isinstance(value, str) and re.fullmatch(DURATION, value):
        return Duration(int(value[:-1]), value[-1])
    hint = f'; did you mean "{value}m"?' if _counts(value) else ""
    raise ValueError(
        f"write a whole number above 0 and a unit (m, h, d, w, M, Q, Y): 5m, 1h, 28d, 1M{hint}"
    )


def number(value: object) -> Fraction:
    """Exactly what is written."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, str) and re.fullmatch(NUMBER, value):
        return Fraction(value)
    raise ValueError("write a number: 0.999")


def target(value: object) -> Fraction:
    """What part of the time, or of the events, has to be good."""
    read = number(value)
    if not 0 <= read < 1:
        more = "; 100 % cannot be promised in OpenSLO" if read == 1 else ""
        if 1 < read < 100:
            more = f"; did you mean targetPercent: {value}?"
        raise ValueError(f"a target is at least 0 and less than 1{more}")
    return read


def target_percent(value: object) -> Fraction:
    read = number(value)
    if not 0 <= read < 100:
        more = "; 100 % cannot be promised in OpenSLO" if read == 100 else ""
        raise ValueError(f"a target in percent is at least 0 and less than 100{more}")
    return read


def time_slice_target(value: object) -> Fraction:
    read = number(value)
    if not 0 < read <= 1:
        raise ValueError("the target of a time slice is more than 0 and at most 1")
    return read


def weight(value: object) -> Fraction:
    read = number(value)
    if read <= 0:
        raise ValueError("a weight is more than 0")
    return read


def start_time(value: object) -> int:
    """The moment that is written, as UNIX seconds if its time zone is UTC."""
    allowed = "write a date and a time without its zone: 2027-01-01 00:00:00"
    if not isinstance(value, str) or not re.fullmatch(DATE_TIME, value):
        raise ValueError(allowed)
    try:
        moment = datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"there is no such time; {allowed}") from None
    return int(moment.timestamp())


def time_zone(value: object) -> str:
    allowed = "write a time zone of the IANA database: UTC, America/New_York"
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", value):
        raise ValueError(allowed)
    if value in UTC_ZONES:
        return value
    try:
        iana_zone(value)
    except ValueError:
        raise ValueError(f"there is no such time zone; {allowed}") from None
    return value


def _short(value: object, most: int) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a text")  # noqa: TRY004 - all readers raise ValueError
    if len(value) > most:
        raise ValueError(f"at most {most:,} characters, not {len(value):,}")
    return value


def _counts(value: object) -> bool:
    return str(value).isascii() and str(value).isdigit() and not isinstance(value, bool)


def _pattern(regex: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{regex})$", **more})


def _numeric(**bounds: int) -> WithJsonSchema:
    """Editors read a plain ``0.99`` as a number; in quotes it is a text, and means the same."""
    return WithJsonSchema({"type": ["number", "string"], "pattern": f"^(?:{NUMBER})$", **bounds})


Name = Annotated[str, BeforeValidator(name), _pattern(NAME)]
Text = Annotated[str, BeforeValidator(text), WithJsonSchema({"type": "string", "minLength": 1})]
DisplayName = Annotated[
    str,
    BeforeValidator(display_name),
    WithJsonSchema({"type": "string", "maxLength": MAX_DISPLAY_NAME}),
]
Description = Annotated[
    str,
    BeforeValidator(description),
    WithJsonSchema({"type": "string", "maxLength": MAX_DESCRIPTION}),
]
LabelKey = Annotated[str, BeforeValidator(label_key), _pattern(LABEL_KEY)]
Label = Annotated[
    str | list[str],
    BeforeValidator(label),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
AnnotationKey = Annotated[str, BeforeValidator(annotation_key), _pattern(ANNOTATION_KEY)]
DurationField = Annotated[Duration, BeforeValidator(duration), _pattern(DURATION)]
Number = Annotated[Fraction, BeforeValidator(number), _numeric()]
Target = Annotated[Fraction, BeforeValidator(target), _numeric(minimum=0, exclusiveMaximum=1)]
TargetPercent = Annotated[
    Fraction, BeforeValidator(target_percent), _numeric(minimum=0, exclusiveMaximum=100)
]
TimeSliceTarget = Annotated[
    Fraction, BeforeValidator(time_slice_target), _numeric(exclusiveMinimum=0, maximum=1)
]
Weight = Annotated[Fraction, BeforeValidator(weight), _numeric(exclusiveMinimum=0)]
StartTime = Annotated[int, BeforeValidator(start_time), _pattern(DATE_TIME)]
TimeZone = Annotated[str, BeforeValidator(time_zone), WithJsonSchema({"type": "string"})]
