"""The shape of the objects of OpenSLO v1 that say what is measured and promised. What fields mean together: ``rules``.

The Alert* kinds are known and ignored: an agreement pays, it does not call anybody.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from relayer.openslo.fields import (
    AnnotationKey,
    Description,
    DisplayName,
    DurationField,
    Label,
    LabelKey,
    Name,
    Number,
    StartTime,
    Target,
    TargetPercent,
    Text,
    TimeSliceTarget,
    TimeZone,
    Weight,
)

API_VERSION = "openslo/v1"


class Part(BaseModel):
    """Unknown fields are refused: a field that is misspelt is a promise that is not kept."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=False,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )


class Metadata(Part):
    name: Name
    """Up to 63 lower-case letters, digits and inner hyphens."""
    display_name: DisplayName | None = None
    labels: dict[LabelKey, Label] = {}
    annotations: dict[AnnotationKey, str] = {}
    """Ours, on an indicator: makegood/metric, makegood/unit, makegood/when-empty."""


class DataSourceSpec(Part):
    description: Description | None = None
    type: Text
    """Prometheus, CloudWatch, AzureMonitor, Datadog, Dynatrace, GoogleCloudMonitoring, HTTP, or an adapter's own name."""
    connection_details: Any
    """How it is reached. No part of what is signed; secrets as ${ENV} or ${file:/path}."""


class DataSource(Part):
    """A monitoring service."""

    api_version: Literal["openslo/v1"]
    kind: Literal["DataSource"]
    metadata: Metadata
    spec: DataSourceSpec


class ServiceSpec(Part):
    description: Description | None = None


class Service(Part):
    """What the objectives are about."""

    api_version: Literal["openslo/v1"]
    kind: Literal["Service"]
    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


class MetricSource(Part):
    metric_source_ref: Name | None = None
    """The name of a DataSource."""
    type: Text | None = None
    """The type of a monitoring service, where no DataSource is named."""
    spec: dict[str, Any] = Field(min_length=1)
    """The adapter's own fields: docs/oracles/."""


class Metric(Part):
    metric_source: MetricSource


class RatioMetric(Part):
    """Good or bad events of all, or a ratio that is measured as such."""

    counter: bool = False
    """Whether the numbers only ever grow."""
    good: Metric | None = None
    bad: Metric | None = None
    total: Metric | None = None
    raw: Metric | None = None
    """A ratio between 0 and 1."""
    raw_type: Literal["success", "failure"] | None = None
    """Whether raw is the share of what was good, or of what was bad."""


class SLISpec(Part):
    description: Description | None = None
    threshold_metric: Metric | None = None
    ratio_metric: RatioMetric | None = None


class SLI(Part):
    """What is measured."""

    api_version: Literal["openslo/v1"]
    kind: Literal["SLI"]
    metadata: Metadata
    spec: SLISpec


class Indicator(Part):
    """An SLI written in place."""

    metadata: Metadata
    spec: SLISpec


class Calendar(Part):
    start_time: StartTime
    """The begin of one of the windows, such as 2027-01-01 00:00:00."""
    time_zone: TimeZone
    """Of the IANA database; here UTC."""


class TimeWindow(Part):
    duration: DurationField
    """1M: a calendar month; or a fixed length, such as 28d: that of spec.term.window."""
    is_rolling: bool = False
    """Rolling windows cannot be billed: false."""
    calendar: Calendar | None = None


class Objective(Part):
    display_name: DisplayName | None = None
    op: Literal["lt", "lte", "gt", "gte"] | None = None
    """How the values of a threshold metric are compared."""
    value: Number | None = None
    """What the values of a threshold metric are compared with."""
    target: Target | None = None
    """The share of intervals that have to be good, or of their ratios, such as 0.999."""
    target_percent: TargetPercent | None = None
    """The same in percent."""
    time_slice_target: TimeSliceTarget | None = None
    """The ratio that makes an interval a good one."""
    time_slice_window: DurationField | None = None
    """The interval, such as 5m."""
    indicator: Indicator | None = None
    indicator_ref: Name | None = None
    composite_weight: Weight | None = None


class SLOSpec(Part):
    description: Description | None = None
    service: Text
    """What it is about, by the name of a Service or any other."""
    indicator: Indicator | None = None
    indicator_ref: Name | None = None
    """The name of an SLI."""
    budgeting_method: Literal["Occurrences", "Timeslices", "RatioTimeslices"]
    """Timeslices: intervals are good or bad. RatioTimeslices: the average of their ratios."""
    time_window: list[TimeWindow] = Field(min_length=1, max_length=1)
    objectives: list[Objective] = Field(min_length=1)
    alert_policies: list[Any] = []
    """Ignored: an agreement pays, it does not call anybody."""


class SLO(Part):
    """What is promised."""

    api_version: Literal["openslo/v1"]
    kind: Literal["SLO"]
    metadata: Metadata
    spec: SLOSpec


class Ignored(Part):
    """An alert: known, and nothing that an agreement could judge."""

    api_version: Literal["openslo/v1"]
    kind: Literal["AlertPolicy", "AlertCondition", "AlertNotificationTarget"]
    metadata: Metadata
    spec: Any = None


KINDS: dict[str, type[DataSource | Service | SLI | SLO | Ignored]] = {
    "DataSource": DataSource,
    "Service": Service,
    "SLI": SLI,
    "SLO": SLO,
    "AlertPolicy": Ignored,
    "AlertCondition": Ignored,
    "AlertNotificationTarget": Ignored,
}
