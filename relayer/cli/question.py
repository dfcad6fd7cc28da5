"""What a person wants a monitoring service to be asked: a service and fields, an indicator's file, or a level of an SLA."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from oracles import MonitoringError, load
from relayer import yaml_lines
from relayer.document import quantities
from relayer.errors import ConfigurationError
from relayer.names import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from oracles import AnyService, Query
    from relayer.cli.session import Session
    from relayer.yaml_lines import Node

_Command = TypeVar("_Command", bound="Callable[..., Any]")

DEFAULT_INTERVAL = 60
_FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Question:
    """A question that can be asked for intervals of the past.

    :param interval: Length of its intervals [s]. They begin at whole multiples of it.
    :param settle_delay: How long after an interval's end its answer counts [s].
    """

    service: str
    spec: dict[str, Any]
    metric: str
    interval: int
    settle_delay: int

    @property
    def query(self) -> Query[Any]:
        """Raises BadRequest if the service cannot be asked so."""
        return load(self.service).query(self.spec, self.metric, first=0, length=self.interval)


def question_options(command: _Command) -> _Command:
    """How commands are told what to ask; see :func:`read_question`."""
    decorated: Any = click.argument("what", metavar="SERVICE|FILE")(command)
    for option in (
        click.option(
            "-s", "--set", "fields", multiple=True, metavar="NAME=VALUE",
            help="A field of the specification, as in a document; may be repeated.",
        ),
        click.option("--metric", help="By default the file's, or the service's first one."),
        click.option("--interval", metavar="DURATION", help="By default the file's, or 60s."),
        click.option("--level", metavar="NAME", help="Which level of an SLA document."),
        click.option("--reporter", metavar="ADDRESS", help="Whose data source, if they differ."),
    ):  # fmt: skip
        decorated = option(decorated)
    result: _Command = decorated
    return result


def read_question(
    session: Session,
    what: str,
    *,
    fields: tuple[str, ...],
    metric: str | None,
    interval: str | None,
    level: str | None,
    reporter: str | None,
) -> Question:
    """The question that the options describe.

    :param what: A service's name, an SLA document, or a file with an ``indicator`` as documents have it.
    :raises ConfigurationError: Saying which option does not fit.
    """
    length = _seconds(interval) if interval else None
    if not what.endswith(_FILES):
        if level or reporter:
            raise ConfigurationError(
                "--level and --reporter belong to an SLA document",
                hint=f"name its file instead of {what}",
            )
        service = _known(what)
        spec = dict(_field(text) for text in fields)
        chosen = metric or next(iter(service.METRICS))
        return Question(what, spec, chosen, length or DEFAULT_INTERVAL, service.SETTLE_DELAY)
    if fields:
        raise ConfigurationError(
            "--set changes nothing that stands in a file",
            hint=f"name a service instead of {what}, or change the file",
        )
    path = Path(what)
    tree = yaml_lines.load(path)
    if tree.get("kind") is None:
        found = _of_indicator(tree, path)
    else:
        found = _of_document(session, path, level, reporter)
    return Question(
        found.service,
        found.spec,
        metric or found.metric,
        length or found.interval,
        found.settle_delay,
    )


def _of_indicator(tree: Node, path: Path) -> Question:
    below = tree.get("indicator") or tree
    source, metric = below.get("dataSource"), below.get("metric")
    kind, spec = below.get("dataSource", "type"), below.get("dataSource", "spec")
    if source is None or metric is None or kind is None:
        raise ConfigurationError(
            f"{path} is neither an SLA document nor an indicator",
            hint="an indicator has dataSource.type, dataSource.spec and metric: see samples/",
        )
    name = str(kind.plain())
    fields = spec.plain() if spec else {}
    return Question(
        name,
        dict(fields) if isinstance(fields, dict) else {},
        str(metric.plain()),
        DEFAULT_INTERVAL,
        _known(name).SETTLE_DELAY,
    )


def _of_document(session: Session, path: Path, level: str | None, reporter: str | None) -> Question:
    document = session.document(path, adapters=True)
    names = [one.name for one in document.levels]
    if level is None and len(names) > 1:
        raise ConfigurationError(
            f"{path} has {len(names)} levels", hint=f"--level {' or '.join(names)}"
        )
    chosen = next((one for one in document.levels if level in (None, one.name)), None)
    if chosen is None:
        raise ConfigurationError(f'{path} has no level "{level}"', hint=nearest(str(level), names))
    source = chosen.source_for(reporter or chosen.feed.panel.reporters[0])
    measurement = chosen.feed.measurement
    return Question(
        source.type,
        dict(source.spec),
        chosen.metric,
        measurement.interval,
        max(measurement.settle_delay, load(source.type).SETTLE_DELAY),
    )


def _known(name: str) -> type[AnyService]:
    try:
        return load(name)
    except MonitoringError as error:
        raise ConfigurationError(str(error), hint="`makegood monitor list` has them all") from error


def _field(text: str) -> tuple[str, Any]:
    """Name and value of "samples=5", as a document has it: a number where it looks like one."""
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise ConfigurationError(f'--set "{text}" is not NAME=VALUE', hint="such as url=https://…")
    return name, yaml_lines.parse(value, Path(f"--set {name}")).plain()


def _seconds(text: str) -> int:
    try:
        return quantities.duration(text)
    except ValueError as error:
        raise ConfigurationError(f'--interval "{text}": {error}') from error
