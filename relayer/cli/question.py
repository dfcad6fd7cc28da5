"""What a person wants a monitoring service to be asked: a service and fields, an indicator's file, or a level of an SLA."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin

import click

from oracles import MonitoringError, load
from relayer import yaml_lines
from relayer.document import quantities
from relayer.errors import ConfigurationError
from relayer.names import nearest
from relayer.yaml_lines import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oracles import AnyService, Query
    from relayer.cli.session import Session
    from relayer.yaml_lines import Location, Node, Problem

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
        spec = dict(_field(service, text) for text in fields)
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
    at: Location = ("indicator",) if tree.get("indicator") else ()
    below = tree.get(*at) or tree
    source, metric = below.get("dataSource"), below.get("metric")
    kind, spec = below.get("dataSource", "type"), below.get("dataSource", "spec")
    if source is None or metric is None or kind is None:
        raise ConfigurationError(
            f"{path} is neither an SLA document nor an indicator",
            hint="an indicator has dataSource.type, dataSource.spec and metric: see samples/",
        )
    known: dict[Location, tuple[str, ...]] = {
        (): ("indicator", "interval") if at else ("dataSource", "metric", "interval"),
        (*at, "dataSource"): ("type", "spec"),
    }
    if at:
        known[at] = ("dataSource", "metric")
    if problems := list(_unknown(tree, known)):
        raise InvalidFile(path, problems)
    name = str(kind.plain())
    fields = spec.plain() if spec else {}
    return Question(
        name,
        dict(fields) if isinstance(fields, dict) else {},
        str(metric.plain()),
        _interval_of(tree, path),
        _known(name).SETTLE_DELAY,
    )


def _unknown(tree: Node, known: dict[Location, tuple[str, ...]]) -> Iterator[Problem]:
    """Fields that nothing would read, at the places where only known ones may stand."""
    for at, names in known.items():
        node = tree.get(*at)
        fields = node.value if node and isinstance(node.value, dict) else {}
        for name in fields:
            if name not in names:
                said = f"unknown field; {nearest(name, names)}"
                yield tree.problem((*at, name), said, at_key=True)


def _interval_of(tree: Node, path: Path) -> int:
    node = tree.get("interval")
    if node is None:
        return DEFAULT_INTERVAL
    try:
        return quantities.duration(node.plain())
    except ValueError as error:
        raise InvalidFile(path, [tree.problem(("interval",), str(error))]) from None


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


def _field(service: type[AnyService], text: str) -> tuple[str, Any]:
    """Name and value of "samples=5": a number where it looks like one, unless the field is a text.

    A single value of a list is a list of one: "servers=1.1.1.1" is "servers=[1.1.1.1]".
    """
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise ConfigurationError(f'--set "{text}" is not NAME=VALUE', hint="such as url=https://…")
    found = yaml_lines.parse(value, Path(f"--set {name}")).plain()
    field = service.Spec.model_fields.get(name)
    if field is None:
        return name, found
    if isinstance(found, int) and _is_text(field.annotation):
        return name, value.strip()  # unit=1, tenant=0
    element = _element(field.annotation)
    if element is None:
        return name, found
    several = found if isinstance(found, list) else [found]
    if _is_text(element):
        return name, [str(one) if type(one) is int else one for one in several]  # expect=[1, 2]
    return name, found if isinstance(
        found, str
    ) else several  # expect_status=2xx, =200, =[200, 204]


def _is_text(annotation: Any) -> bool:
    """Whether a field is a text and nothing else: `str`, `str | None`."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    inner = [one for one in get_args(annotation) if one is not NoneType]
    return all(map(_is_text, inner)) if inner else annotation is str


def _element(annotation: Any) -> Any:
    """What a list has in it; None where a field is no list."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (list, tuple):
        return get_args(annotation)[0]
    if annotation is not None and get_origin(annotation) not in (dict, Literal):
        found = (_element(one) for one in get_args(annotation))
        return next((one for one in found if one is not None), None)
    return None


def _seconds(text: str) -> int:
    try:
        return quantities.duration(text)
    except ValueError as error:
        raise ConfigurationError(f'--interval "{text}": {error}') from error
