"""What a level measures, and whether somebody can measure it: monitoring services, their specifications, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_utils.crypto import keccak
from pydantic import ValidationError

from oracles import METRICS, BadRequest, MissingExtra, canonical, load
from relayer.names import nearest
from relayer.yaml_model import found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eth_typing import ChecksumAddress

    from oracles import AnyService, Metric
    from relayer.document import model
    from relayer.yaml_lines import Location


@dataclass(frozen=True, slots=True)
class DataSource:
    """A monitoring service and what it is asked, as both parties wrote it."""

    type: str
    spec: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "spec": dict(self.spec)}


def sources_of(
    indicator: model.Indicator, reporters: model.Reporters
) -> dict[ChecksumAddress, DataSource]:
    """The data source of each reporter: its own, or the indicator's."""
    return {
        reporter.key: DataSource(chosen.type, chosen.spec)
        for reporter in reporters.keys
        for chosen in [reporter.data_source or indicator.data_source]
    }


def descriptor(salt: bytes, metric: Metric, sources: Mapping[ChecksumAddress, DataSource]) -> bytes:
    """The salted commitment that stands on chain instead of what is measured: keccak256(salt ‖ canonical JSON)."""
    content = {
        "metric": metric.name,
        "sources": {reporter: source.as_json() for reporter, source in sources.items()},
        "unit": metric.unit.name,
    }
    return keccak(salt + canonical(content))


def metric_of(
    indicator: model.Indicator, *, adapters: bool
) -> tuple[Metric | None, list[tuple[Location, str]]]:
    """The level's metric; or, below the indicator, why no service can be asked for it.

    :param adapters: Whether an adapter that is known but not installed is a problem.
    """
    at: Location = ("dataSource", "type")
    try:
        service = load(indicator.data_source.type)
    except MissingExtra as error:
        if adapters:
            return None, [(at, str(error))]
        metrics = METRICS
    except BadRequest as error:
        return None, [(at, str(error))]
    else:
        metrics = service.METRICS
    if metric := metrics.get(indicator.metric):
        return metric, []
    message = f'{indicator.data_source.type} has no metric "{indicator.metric}"'
    return None, [(("metric",), f"{message}; {nearest(indicator.metric, metrics)}")]


def problems_of(
    source: model.DataSource, metric: Metric, start: int, interval: int, *, adapters: bool
) -> Iterator[tuple[Location, str]]:
    """Why the source cannot be asked for the metric of such intervals, with places below the source."""
    try:
        service = load(source.type)
    except MissingExtra as error:
        if adapters:
            yield ("type",), str(error)
        return
    except BadRequest as error:
        yield ("type",), str(error)
        return
    offered = service.METRICS.get(metric.name)
    if offered is None or offered.unit != metric.unit:
        lack = f'{source.type} has no metric "{metric.name}" in {metric.unit.name}'
        yield ("type",), f"{lack}; {nearest(metric.name, service.METRICS)}"
        return
    try:
        service.Spec.model_validate(source.spec)
    except ValidationError as error:
        yield from _spec_problems(service, error)
        return
    try:
        service.query(source.spec, metric.name, first=start, length=interval)
    except MissingExtra as error:  # of a service that this one asks
        if adapters:
            yield ("spec",), str(error)
    except BadRequest as error:
        yield ("spec",), str(error)


def _spec_problems(
    service: type[AnyService], error: ValidationError
) -> Iterator[tuple[Location, str]]:
    names = [info.alias or name for name, info in service.Spec.model_fields.items()]
    for details in error.errors(include_url=False):
        location: Location = ("spec", *details["loc"])
        if details["type"] == "missing":
            yield location, "is missing"
        elif details["type"] == "extra_forbidden":
            known = nearest(str(details["loc"][-1]), names) if len(location) == 2 else "not allowed"
            yield location, f"unknown field of {service.name}; {known}"
        else:
            message = details["msg"][:1].lower() + details["msg"][1:]
            value = details["input"]
            scalar = isinstance(value, str | int) and len(location) > 1
            yield location, f"{found(value)}; {message}" if scalar else message
