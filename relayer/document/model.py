"""The shape of an SLA document: which fields there are, and how each is written. What fields mean together: ``checks``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from eth_typing import ChecksumAddress
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from relayer.document import quantities
from relayer.document.hours import PATTERN as HOURS
from relayer.document.hours import hours
from relayer.protocol.feed import MAX_REPORTERS
from relayer.protocol.measurement import MAX_WINDOW_INTERVALS, Comparison
from relayer.protocol.terms import (
    MAX_LEVELS,
    MAX_TIERS,
    MAX_WINDOWS,
    Combination,
    Measure,
    UnknownPolicy,
)

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
MEASURES = {
    "availabilityBelow": Measure.AVAILABILITY_BELOW,
    "badIntervals": Measure.BAD_INTERVALS_AT_LEAST,
    "badRun": Measure.BAD_RUN_AT_LEAST,
    "averageBeyond": Measure.AVERAGE_BEYOND,
}
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


def _pattern(regex: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{regex})$", "examples": [*examples]})


def _written(regex: str, *examples: str) -> WithJsonSchema:
    """What editors may read as a number, too: a plain 2.5 is a text here, and means the same."""
    return WithJsonSchema(
        {
            "type": ["string", "number"],
            "minimum": 0,
            "pattern": f"^(?:{regex})$",
            "examples": [*examples],
        }
    )


def _whole(least: int, most: int) -> Any:
    """Bounds that editors show; who checks them says more."""
    return Field(json_schema_extra={"minimum": least, "maximum": most})


Name = Annotated[str, BeforeValidator(_name), _pattern(_NAME.pattern, "shop-api-2027")]
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": "string", "pattern": "\\S"})]
Address = Annotated[
    ChecksumAddress,
    BeforeValidator(quantities.address),
    _pattern(quantities.ADDRESS, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
]
Bytes32 = Annotated[
    bytes, BeforeValidator(quantities.bytes32), _pattern(quantities.BYTES32, f"0x{'5a' * 32}")
]
Time = Annotated[
    int, BeforeValidator(quantities.time), _pattern(quantities.TIME, "2027-01-01T00:00:00Z")
]
Duration = Annotated[
    int, BeforeValidator(quantities.duration), _pattern(quantities.DURATION, "90s", "5m", "30d")
]
Window = Annotated[
    int, BeforeValidator(quantities.window), _pattern(quantities.WINDOW, "30d", "month")
]
Credit = Annotated[
    int, BeforeValidator(quantities.credit), _pattern(quantities.PERCENT, "10%", "12.5%")
]
Ppm = Annotated[int, BeforeValidator(quantities.ppm), _pattern(quantities.PERCENT, "99.95%")]
HoursOfWeek = Annotated[
    int, BeforeValidator(hours), _pattern(HOURS, "sat-sun", "mon-fri 22:00-24:00")
]
Quantity = Annotated[
    str | int,
    BeforeValidator(_quantity),
    _written(quantities.QUANTITY, "99%", "250ms", "3"),
]
Amount = Annotated[str | int, BeforeValidator(_amount), _written(quantities.AMOUNT, "100.00")]


class _Part(BaseModel):
    """Unknown fields are refused, and nothing is converted: "12" is no number."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=False,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )


class DataSource(_Part):
    """A monitoring service and what is asked of it; ``spec`` is the adapter's business."""

    type: Text
    """The name of its adapter: `makegood monitor list`."""
    spec: dict[str, Any]
    """The adapter's own fields: docs/oracles/."""


class Indicator(_Part):
    data_source: DataSource
    metric: Text
    """One that the adapter offers, such as availability, error_rate, latency or throughput."""


class Objective(_Part):
    """An interval is good if its value is ``op`` ``value``."""

    op: Literal["lt", "lte", "gt", "gte", "eq", "neq"]
    """How the value of an interval is compared."""
    value: Quantity
    """With what, in a unit of the metric."""


class Reporter(_Part):
    """A key that signs readings; by default it reads the indicator's data source."""

    key: Address
    data_source: DataSource | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_key(cls, value: object) -> object:
        return {"key": value} if isinstance(value, str) else value


class Reporters(_Part):
    keys: list[Reporter] = Field(json_schema_extra={"minItems": 1, "maxItems": MAX_REPORTERS})
    """1, or 3 to 31 accounts that sign readings, in any order."""
    quorum: int = _whole(1, MAX_REPORTERS - 1)
    """How many readings must agree."""
    tolerance: Quantity = 0
    """By how much two readings that agree may differ."""


class TierModel(_Part):
    """One condition and what it costs."""

    availability_below: Ppm | None = None
    """Fewer than this share of the intervals are good."""
    bad_intervals: Annotated[int, _whole(1, MAX_WINDOW_INTERVALS)] | None = None
    """At least so many intervals are bad."""
    bad_run: Annotated[int, _whole(1, MAX_WINDOW_INTERVALS)] | None = None
    """At least so many intervals in a row are bad."""
    average_beyond: Quantity | None = None
    """The average of the window's values is worse than this; the level needs a range."""
    credit: Credit
    """What is paid back, as a share of the window's fee."""

    @model_validator(mode="after")
    def _one_condition(self) -> TierModel:
        if len(self._given) != 1:
            *others, last = MEASURES
            raise ValueError(f"a tier has one condition: {', '.join(others)} or {last}")
        return self

    @property
    def measure(self) -> Measure:
        return MEASURES[self.field]

    @property
    def field(self) -> str:
        """The field that holds the limit, as it is written."""
        return self._given[0]

    @property
    def limit(self) -> str | int:
        """The limit; that of an average is still to be read in the metric's unit."""
        found: str | int = getattr(self, _TIER_FIELDS[self.field])
        return found

    @property
    def _given(self) -> list[str]:
        return [name for name, own in _TIER_FIELDS.items() if getattr(self, own) is not None]


_TIER_FIELDS = {info.alias or name: name for name, info in TierModel.model_fields.items()}
del _TIER_FIELDS["credit"]


class ValueRange(_Part):
    """Values are clamped to it, so that a window has an average."""

    best: Quantity
    """Better values count as this one."""
    worst: Quantity
    """Worse values count as this one."""


class Exclusions(_Part):
    """How much of a window both parties may exclude by signature, and how long before."""

    allowance: Duration
    """How much of a window, a whole number of intervals."""
    notice: Duration = 0
    """How long before it begins."""


class LevelModel(_Part):
    """A service level: what is measured, what is promised, what a breach costs."""

    name: Name
    """Unique in the document."""
    indicator: Indicator
    objective: Objective
    interval: Duration
    """The smallest span that is judged."""
    start: Time | None = None
    """Begin of the feed's window 0, by default the term's start; earlier if the feed is shared."""
    reporters: Reporters
    settle_delay: Duration
    """A reading counts this long after its interval's end: metrics of clouds change for a while."""
    report_every: Duration
    """How often all is well is reported; a breach is reported at once."""
    report_deadline: Duration
    """After this anyone may record what is missing as unknown; at least settleDelay and twice reportEvery, at most 30 days."""
    tiers: list[TierModel] = Field(default=[], max_length=MAX_TIERS)
    """The largest credit whose condition is met counts."""
    credit_per_bad_interval: Credit = 0
    """A credit for each bad interval, added to that of the tiers."""
    range: ValueRange | None = None
    """Values are clamped to it, so that a window has an average."""
    hours_off: list[HoursOfWeek] = []
    """Hours of the week, UTC, that are not judged."""
    exclusions: Exclusions | None = None
    not_applicable: Literal["good", "removed"] = "good"
    """Intervals without anything to measure are good, or leave the denominator."""
    readings: Literal["public", "private"] = "public"
    """Who may fetch signed readings before they are on the chain."""
    salt: Bytes32 | None = None
    """For a feed that several agreements share: all of them say the same."""
    slo: dict[str, Any] | None = None
    """An OpenSLO SLO in place, instead of indicator, objective and interval."""
    slo_ref: Text | None = None
    """The name of an OpenSLO SLO in this file or in those of spec.openslo."""
    occurrences: Literal["averageOfIntervals"] | None = None
    """Only for an SLO of Occurrences: it is judged by the average of its intervals."""


class Parties(_Part):
    """Names and contacts stay off the chain."""

    provider: Address
    """The account that promises, and is paid."""
    consumer: Address
    """The account that pays, and is credited."""


class Settlement(_Part):
    """Where the money is held, and what it is."""

    chain_id: int = Field(ge=1, lt=1 << 53)
    """The network: 1 is Ethereum."""
    escrow: Address
    """The contract that holds the money."""
    oracle: Address
    """The contract that judges."""
    token: Address
    """The ERC-20 token that is paid."""
    decimals: int = Field(ge=0, le=36)
    """The token's."""


class Money(_Part):
    """What the consumer pays; the ``bond`` of the provider pays credits that are larger than the fee."""

    fee_per_window: Amount
    """Of the token."""
    bond: Amount = 0
    """The provider's collateral, without which no window can be funded."""


class Term(_Part):
    """When the agreement runs; a ``window`` of 0 seconds is a calendar month."""

    start: Time
    """Begin of window 0."""
    open_by: Time | None = None
    """Last moment at which the agreement can be opened; at most, and by default, start."""
    window: Window
    """What is billed at once: a whole number of every level's intervals, or month: a calendar month (UTC)."""
    windows: int = _whole(1, MAX_WINDOWS)
    """How many, up to 512."""
    prepaid_windows: Annotated[int, _whole(0, MAX_WINDOWS)] | None = None
    """How many are paid at opening: 1; 0 with a bond or amends, where none can be."""


class Credits(_Part):
    combine: Literal["worst", "sum"] = "worst"
    """Of several levels the worst counts, or their sum."""
    cap: Credit = 10_000
    """Most that a window costs, as a share of its fee."""


class Unknown(_Part):
    """What an interval without agreed reading counts as, and what too many of them cost."""

    count_as: Literal["excluded", "good", "bad"] = "excluded"
    """What intervals without an agreed reading count as."""
    max_share: Ppm = 1_000_000
    """If more than this share of the intervals is unknown, credit is due."""
    credit: Credit = 0
    """The least that such a window costs."""


class Dispute(_Part):
    """Who decides disputes, how long a payment waits for one, what it costs to raise one and lose."""

    arbiter: Address
    """Who decides."""
    challenge_period: Duration
    """How long a payment waits for a dispute, up to 30 days."""
    deposit: Amount = 0
    """What a party deposits to dispute a window, and forfeits if it loses."""


class Termination(_Part):
    """The consumer may end the agreement after so many breached windows, either party with notice."""

    breaches: Annotated[int, _whole(0, (1 << 16) - 1)] = 0
    """After so many windows with a credit the consumer may end the agreement; 0: never."""
    notice: Duration = 0
    """How long before it takes effect either party may end the agreement; 0: never."""


class Legal(_Part):
    """The contract in words; hashed with the rest, not interpreted."""

    uri: Text | None = None
    """Where it can be read."""
    hash: Bytes32 | None = None
    """Of its file."""
    text: Text | None = None
    """It, or a part of it."""


class Metadata(_Part):
    name: Name
    """What people call the document: lower-case letters, digits, hyphens."""
    description: Text | None = None
    """What it is about."""


class SpecModel(_Part):
    parties: Parties
    settlement: Settlement
    money: Money
    term: Term
    openslo: list[Text] = []
    """OpenSLO files, or folders of them, below the folder of this file."""
    levels: list[LevelModel] = Field(min_length=1, max_length=MAX_LEVELS)
    credits: Credits = Credits()
    unknown: Unknown = Unknown()
    dispute: Dispute | None = None
    termination: Termination = Termination()
    amends: Bytes32 | None = None
    """Id of the agreement that these terms amend or renew."""
    salt: Bytes32
    """Makes ids and commitments unguessable; a fresh one for every agreement."""
    legal: Legal | None = None


class DocumentModel(_Part):
    api_version: Literal["makegood/v1"]
    kind: Literal["SLA"]
    metadata: Metadata
    spec: SpecModel
