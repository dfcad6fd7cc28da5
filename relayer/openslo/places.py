"""One level of an SLA document, its SLO, and what is found out about it on the way."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from relayer import yaml_model
from relayer.protocol.terms import PPM

if TYPE_CHECKING:
    from relayer.openslo.model import Objective
    from relayer.yaml_lines import Location, Node, Problem

INDICATOR: Location = ("spec", "indicator")
WINDOW: Location = ("spec", "timeWindow", 0)
OBJECTIVE: Location = ("spec", "objectives", 0)


class Places:
    """The level ``number`` of a document whose tree has an SLO at ``spec.levels[number].slo``.

    Locations are below the SLO.

    :ivar problems: Why there is no such level.
    :ivar notices: What of the SLO does not become a part of it.
    """

    def __init__(self, tree: Node, number: int) -> None:
        self.tree = tree
        self.at: Location = ("spec", "levels", number)
        self.slo: Location = (*self.at, "slo")
        self.problems: list[Problem] = []
        self.notices: list[str] = []

    def text(self, *at: str | int) -> str | None:
        return self.tree.text(*self.slo, *at)

    def found(self, *at: str | int) -> str:
        """How a message names what stands there."""
        node = self.tree.get(*self.slo, *at)
        return yaml_model.found(node.plain() if node else None)

    def node(self, value: str | int | dict[str, Node], *at: str | int) -> Node:
        """A value that follows from what stands at a place, or at the nearest place above it."""
        while self.tree.get(*self.slo, *at) is None:
            at = at[:-1]
        return self.tree.rewritten(value, *self.slo, *at)

    def refuse(self, message: str, *at: str | int) -> None:
        self.problems.append(self.tree.problem((*self.slo, *at), message))

    def refuse_own(self, message: str, *at: str | int) -> None:
        """Refuses what stands in the level beside its SLO."""
        self.problems.append(self.tree.problem((*self.at, *at), message))

    def ppm(self, share: Fraction, *at: str | int) -> int:
        """Parts per million of a share of 1 that is written at a place."""
        parts = share * PPM
        if parts.denominator != 1:
            self.refuse(f"{self.found(*at)}; shares here are multiples of 0.000001 (0.0001 %)", *at)
        return int(parts)

    def target(self, objective: Objective) -> int:
        """The target [ppm]."""
        return self.ppm(target_of(objective), *target_at(objective))


def target_of(objective: Objective) -> Fraction:
    """The target as a share of 1."""
    if objective.target is not None:
        return objective.target
    return (objective.target_percent or Fraction(0)) / 100


def target_at(objective: Objective) -> Location:
    """Where the target is written."""
    return (*OBJECTIVE, "target" if objective.target is not None else "targetPercent")
