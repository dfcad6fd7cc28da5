"""An SLA document in which no name stands for an OpenSLO object any more: its canonical form.

An SLO refers to an SLI, an SLI to data sources, and nothing to an SLO but the SLA document: there are no circles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from relayer.openslo.adapters import AGREED, adapter_of
from relayer.yaml_lines import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.openslo.catalogue import Catalogue
    from relayer.yaml_lines import Location, Problem

METRICS: tuple[Location, ...] = (
    ("thresholdMetric",),
    *(("ratioMetric", name) for name in ("good", "bad", "total", "raw")),
)
"""Where the metrics of an SLI are, below its ``spec``."""


class Resolved(NamedTuple):
    """A document without references.

    :param unresolved: Levels of which one leads nowhere; they stay as they are.
    """

    tree: Node
    problems: list[Problem]
    unresolved: frozenset[int]


def resolve(tree: Node, catalogue: Catalogue) -> Resolved:
    """The SLA document with every reference replaced by what it refers to, and without the names of files."""
    problems: list[Problem] = []
    levels = tree.get("spec", "levels")
    if tree.get("spec", "openslo"):
        tree = tree.replaced(("spec", "openslo"), None)
    if levels is None or not isinstance(levels.value, list):
        return Resolved(tree, problems, frozenset())
    resolved: list[Node] = []
    unresolved: set[int] = set()
    for number in range(len(levels.value)):
        before = len(problems)
        resolved.append(_level(tree, number, catalogue, problems))
        if len(problems) > before:
            unresolved.add(number)
    written = Node(levels.line, levels.column, resolved, {}, levels.origin)
    return Resolved(with_levels(tree, written), problems, frozenset(unresolved))


def with_levels(tree: Node, levels: Node) -> Node:
    """The same document with other levels, which stand where they stood."""
    spec = tree.get("spec")
    if spec is None or not isinstance(spec.value, dict) or not isinstance(tree.value, dict):
        return tree
    new_spec = Node(
        spec.line, spec.column, {**spec.value, "levels": levels}, spec.keys, spec.origin
    )
    return Node(tree.line, tree.column, {**tree.value, "spec": new_spec}, tree.keys, tree.origin)


def _level(tree: Node, number: int, catalogue: Catalogue, problems: list[Problem]) -> Node:
    at: Location = ("spec", "levels", number)
    level = tree.get(*at)
    assert level is not None  # noqa: S101 - the caller counted them
    name = level.text("sloRef")
    if name is None:
        own = level.get("slo")
        if own is None or not isinstance(own.value, dict):
            return level
        here = tree.transplant(*at, "slo")
        return level.replaced(("slo",), _slo(here, catalogue, problems))
    if level.get("slo"):
        problems.append(tree.problem((*at, "sloRef"), "write slo or sloRef, not both"))
        return level
    slo = catalogue.find("SLO", name)
    if slo is None:
        problems.append(tree.problem((*at, "sloRef"), catalogue.lack("SLO", name)))
        return level
    return level.replaced(("sloRef",), None).replaced(("slo",), _slo(slo, catalogue, problems))


def _slo(slo: Node, catalogue: Catalogue, problems: list[Problem]) -> Node:
    """An SLO with its SLI and data sources in place."""
    name = slo.text("spec", "indicatorRef")
    if name is not None and slo.get("spec", "indicator") is None:
        sli = catalogue.find("SLI", name)
        if sli is None:
            problems.append(slo.problem(("spec", "indicatorRef"), catalogue.lack("SLI", name)))
            return slo
        parts = [part for part in ("metadata", "spec") if sli.get(part)]
        inline = Node(
            sli.line, sli.column, {part: sli.transplant(part) for part in parts}, {}, sli.origin
        )
        slo = slo.replaced(("spec", "indicatorRef"), None).replaced(("spec", "indicator"), inline)
    for metric in METRICS:
        at: Location = ("spec", "indicator", "spec", *metric, "metricSource")
        if slo.text(*at, "metricSourceRef") is not None:
            slo = _metric_source(slo, at, catalogue, problems)
    return slo


def _metric_source(slo: Node, at: Location, catalogue: Catalogue, problems: list[Problem]) -> Node:
    """The SLO with a data source in place: its type, and what of its connection says what is measured."""
    name = slo.text(*at, "metricSourceRef") or ""
    source = catalogue.find("DataSource", name)
    if source is None:
        problems.append(slo.problem((*at, "metricSourceRef"), catalogue.lack("DataSource", name)))
        return slo
    own, its = slo.text(*at, "type"), source.text("spec", "type")
    if own is not None and its is not None and own != its:
        where = f'the DataSource "{name}" ({catalogue.place(source)}) is of type "{its}"'
        problems.append(
            slo.problem((*at, "type"), f'found "{own}"; {where}: leave one of them out')
        )
        return slo
    if own is None and its is not None:
        slo = slo.replaced((*at, "type"), source.transplant("spec", "type"))
    wanted = AGREED.get(adapter_of(its or ""), ())
    for field, place in _connection(source):
        if field in wanted and slo.get(*at, "spec", field) is None and slo.get(*at, "spec"):
            slo = slo.replaced((*at, "spec", field), source.transplant(*place))
    return slo.replaced((*at, "metricSourceRef"), None)


def _connection(source: Node) -> Iterator[tuple[str, Location]]:
    """The fields of a data source's connection: of a mapping, or of a list of mappings."""
    at: Location = ("spec", "connectionDetails")
    details = source.get(*at)
    if details is None:
        return
    inner = [(*at, number) for number in range(len(details.items()))] or [at]
    for place in inner:
        fields = source.get(*place)
        if fields and isinstance(fields.value, dict):
            yield from ((name, (*place, name)) for name in fields.value)
