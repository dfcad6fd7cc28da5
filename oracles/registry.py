"""Adapters by name: the built-in ones, and those of other packages by entry point.

Another package offers an adapter in its pyproject.toml::

    [project.entry-points."makegood.oracles"]
    my_service = "my_package.my_service:MyService"
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from oracles.base import AnyService, MonitoringService, choices
from oracles.errors import BadRequest, MissingExtra, UnknownService

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP: Final = "makegood.oracles"

BUILT_IN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "azure_monitor": "oracles.azure_monitor:AzureMonitor",
        "cloudwatch": "oracles.cloudwatch:CloudWatch",
        "datadog": "oracles.datadog:Datadog",
        "dns_probe": "oracles.dns_probe:DnsProbe",
        "dynatrace": "oracles.dynatrace:Dynatrace",
        "gcp_monitoring": "oracles.gcp_monitoring:GcpMonitoring",
        "http_probe": "oracles.http_probe:HttpProbe",
        "icmp_probe": "oracles.icmp_probe:IcmpProbe",
        "json_http": "oracles.json_http:JsonHttp",
        "prometheus": "oracles.prometheus:Prometheus",
        "ratio": "oracles.ratio:Ratio",
        "replay": "oracles.replay:Replay",
        "sliding": "oracles.sliding:Sliding",
        "tcp_probe": "oracles.tcp_probe:TcpProbe",
        "tls_probe": "oracles.tls_probe:TlsProbe",
    }
)

EXTRAS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "azure_monitor": "azure",
        "cloudwatch": "aws",
        "datadog": "datadog",
        "dns_probe": "dns",
        "gcp_monitoring": "gcp",
        "json_http": "json",
    }
)
"""The pip extra of the built-in adapters that need one."""


def available() -> list[str]:
    """The names that `load` knows, sorted. Imports none of the adapters."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def load(name: str) -> type[AnyService]:
    """The adapter called `name`. A built-in one cannot be replaced by another package's.

    Raises UnknownService, naming what exists; MissingExtra, naming what to install; BadRequest
    when another package's adapter is broken or its name is claimed twice.
    """
    point = _entry_point(name)
    try:
        service = point.load()
    except ModuleNotFoundError as error:
        advice = f": pip install 'makegood[{EXTRAS[name]}]'" if name in EXTRAS else ""
        raise MissingExtra(f"{name} needs the package {error.name}{advice}") from error
    except (ImportError, AttributeError) as error:
        raise BadRequest(f"{name} ({point.value}) cannot be loaded: {error}") from error
    if not (isinstance(service, type) and issubclass(service, MonitoringService)):
        raise BadRequest(f"{name} ({point.value}) is not a MonitoringService")
    if service.name != name:
        raise BadRequest(f"{point.value} is registered as {name} but calls itself {service.name}")
    return service


load_once: Final = cache(load)
"""As `load`, for whoever asks for each of thousands of feeds: `load` looks through all installed packages."""


def _entry_point(name: str) -> EntryPoint:
    if name in BUILT_IN:
        return EntryPoint(name, BUILT_IN[name], GROUP)
    found = {point.value: point for point in entry_points(group=GROUP) if point.name == name}
    if not found:
        raise UnknownService(f"no monitoring service {choices(name, available())}")
    if len(found) > 1:
        raise BadRequest(f"several packages claim {name}: {', '.join(sorted(found))}")
    return next(iter(found.values()))
