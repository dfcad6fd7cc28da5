"""The shape of an SLA document: which fields there are, and how each is written. What fields mean together: ``checks``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from eth_typing import ChecksumAddress
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from relayer.document import quantities
from relayer.protocol.measurement import Comparison
from relayer.protocol.terms import MAX_LEVELS, MAX_TIERS, Combination, Measure, UnknownPolicy

API_VERSION = "makegood/v1"
KIND = "SLA"

OPERATORS = {
    "lt": Comparison.LESS_THAN,
    "lte": Comparison.AT_MOST,
    "gt": Comparison.MORE_THAN,
    "gte": Comparison.AT_LEAST,
    "eq": Comparison.EQUAL_TO,
    "neq": Comparison.NOT_EQUAL_TO,
}
COMBINATIONS = {"worst": Combination.WORST, "sum": Combination.SUM}
UNKNOWN_POLICIES = {
    "excluded": UnknownPolicy.EXCLUDED,
    "good": UnknownPolicy.GOOD,
    "bad": UnknownPolicy.BAD,
}

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def _name(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError("write a name of up to 63 lower-case letters, digits and inner hyphens")


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError("expected a text")


def _quantity(value: object) -> str | int:
    """Read later, when the metric has told its unit."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    raise ValueError("write a quantity with its unit, such as 99% or 250ms")


def _amount(value: object) -> str | int:
    """Read later, when the settlement has told the token's decimals."""
    quantities.amount(value, quantities.MAX_PLACES)
    return value  # type: ignore[return-value] # `amount` has refused everything else


Name = Annotated[str, BeforeValidator(_name)]
Text = Annotated[str, BeforeValidator(_text)]
Address = Annotated[ChecksumAddress, BeforeValidator(quantities.address)]
Bytes32 = Annotated[bytes, BeforeValidator(quantities.bytes32)]
Time = Annotated[int, BeforeValidator(quantities.time)]
Duration = Annotated[int, BeforeValidator(quantities.duration)]
Window = Annotated[int, BeforeValidator(quantities.window)]
Bps = Annotated[int, BeforeValidator(quantities.bps)]
Ppm = Annotated[int, BeforeValidator(quantities.ppm)]
Quantity = Annotated[str | int, BeforeValidator(_quantity)]
Amount = Annotated[str | int, BeforeValidator(_amount)]


class _Part(BaseModel):
    """Unknown fields are refused, and nothing is converted: "12" is no number."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=False,
        arbitrary_types_allowed=True,
    )


class DataSource(_Part):
    """A monitoring service and what is asked of it; ``spec`` is the adapter's business."""

    type: Text
    spec: dict[str, Any]


class Indicator(_Part):
    data_source: DataSource
    metric: Text


class Objective(_Part):
    """An interval is good if its value is ``op`` ``value``."""

    op: Literal["lt", "lte", "gt", "gte", "eq", "neq"]
    value: Quantity


class Reporter(_Part):
    """A key that signs readings; by default it reads the indicator's data source."""

    key: Address
    data_source: DataSource | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_key(cls, value: object) -> object:
        return {"key": value} if isinstance(value, str) else value


class Reporters(_Part):
    keys: list[Reporter]
    quorum: int
    tolerance: Quantity = 0


class TierModel(_Part):
    """One condition and what it costs."""

    availability_below: Ppm | None = None
    bad_intervals: int | None = None
    bad_run: int | None = None
    credit: Bps

    @model_validator(mode="after")
    def _one_condition(self) -> TierModel:
        given = [self.availability_below, self.bad_intervals, self.bad_run]
        if sum(value is not None for value in given) != 1:
            raise ValueError("a tier has one condition: availabilityBelow, badIntervals or badRun")
        return self

    @property
    def condition(self) -> tuple[Measure, int, str]:
        """Measure, limit, and the field that holds the limit."""
        if self.availability_below is not None:
            return Measure.AVAILABILITY_BELOW, self.availability_below, "availabilityBelow"
        if self.bad_intervals is not None:
            return Measure.BAD_INTERVALS_AT_LEAST, self.bad_intervals, "badIntervals"
        return Measure.BAD_RUN_AT_LEAST, self.bad_run or 0, "badRun"


class LevelModel(_Part):
    """A service level: what is measured, what is promised, what a breach costs."""

    name: Name
    indicator: Indicator
    objective: Objective
    interval: Duration
    start: Time | None = None
    reporters: Reporters
    settle_delay: Duration
    report_every: Duration
    report_deadline: Duration
    tiers: list[TierModel] = Field(default=[], max_length=MAX_TIERS)
    credit_per_bad_interval: Bps = 0
    not_applicable: Literal["good", "removed"] = "good"
    readings: Literal["public", "private"] = "public"
    salt: Bytes32 | None = None


class Parties(_Part):
    provider: Address
    consumer: Address


class Settlement(_Part):
    """Where the money is held, and what it is."""

    chain_id: int = Field(ge=1, lt=1 << 53)
    escrow: Address
    oracle: Address
    token: Address
    decimals: int = Field(ge=0, le=36)


class Money(_Part):
    fee_per_window: Amount


class Term(_Part):
    """When the agreement runs; a ``window`` of 0 seconds is a calendar month."""

    start: Time
    open_by: Time | None = None
    window: Window
    windows: int
    prepaid_windows: int = 1


class Credits(_Part):
    combine: Literal["worst", "sum"] = "worst"
    cap: Bps = 10_000


class Unknown(_Part):
    """What an interval without agreed reading counts as, and what too many of them cost."""

    count_as: Literal["excluded", "good", "bad"] = "excluded"
    max_share: Ppm = 1_000_000
    credit: Bps = 0


class Legal(_Part):
    """The contract in words; hashed with the rest, not interpreted."""

    uri: Text | None = None
    hash: Bytes32 | None = None
    text: Text | None = None


class Metadata(_Part):
    name: Name
    description: Text | None = None


class SpecModel(_Part):
    parties: Parties
    settlement: Settlement
    money: Money
    term: Term
    levels: list[LevelModel] = Field(min_length=1, max_length=MAX_LEVELS)
    credits: Credits = Credits()
    unknown: Unknown = Unknown()
    salt: Bytes32
    legal: Legal | None = None


class DocumentModel(_Part):
    api_version: Literal["makegood/v1"]
    kind: Literal["SLA"]
    metadata: Metadata
    spec: SpecModel
