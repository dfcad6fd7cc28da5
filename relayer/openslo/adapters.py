"""How what OpenSLO says of monitoring services becomes what our adapters are asked.

Only tables: what a document means must not depend on the adapters that happen to be installed where it is read.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPES: Mapping[str, str] = MappingProxyType(
    {
        "azuremonitor": "azure_monitor",
        "cloudwatch": "cloudwatch",
        "datadog": "datadog",
        "dynatrace": "dynatrace",
        "googlecloudmonitoring": "gcp_monitoring",
        "http": "json_http",
        "prometheus": "prometheus",
        "stackdriver": "gcp_monitoring",
    }
)
"""What OpenSLO documents call monitoring services, in lower case; our own names mean themselves."""

AGREED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cloudwatch": ("region",),
        "dynatrace": ("environment",),
        "gcp_monitoring": ("project",),
        "prometheus": ("url", "tenant"),
    }
)
"""What of a DataSource's connectionDetails says what is measured, and not only how it is reached: both parties sign it."""

_SERIES = frozenset(
    {"azure_monitor", "datadog", "dynatrace", "gcp_monitoring", "json_http", "prometheus", "replay"}
)
_UNIT = _SERIES | {"cloudwatch"}


def adapter_of(type_: str) -> str:
    """The adapter for a type of metric source."""
    return TYPES.get(type_.lower(), type_)


def fields_for(adapter: str, unit: str | None, *, counter: bool | None) -> dict[str, str]:
    """Fields of an adapter's specification that follow from what OpenSLO says elsewhere.

    :param unit: What the numbers are in; None if that is not known.
    :param counter: For events, whether their number only grows; None for values.
    """
    fields: dict[str, str] = {}
    if unit is not None and adapter in _UNIT:
        fields["unit"] = unit
    if counter is not None and adapter in _SERIES:
        fields["statistic"] = "increase" if counter else "sum"
    if counter is False and adapter == "cloudwatch":
        fields["statistic"] = "Sum"
    return fields
