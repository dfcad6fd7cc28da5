"""An SLA document with OpenSLO objects, as one in our own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relayer import yaml_model
from relayer.openslo import catalogue
from relayer.openslo.levels import in_own_words
from relayer.openslo.model import SLO
from relayer.openslo.references import with_levels
from relayer.yaml_lines import Node

if TYPE_CHECKING:
    from relayer.openslo.references import Resolved
    from relayer.openslo.refusals import Term
    from relayer.yaml_lines import Location, Problem


@dataclass(frozen=True, slots=True)
class Translation:
    """A document in our own words.

    :param failed: The levels that could not be translated and stand there as they were written.
    """

    tree: Node
    problems: list[Problem]
    notices: list[str]
    failed: frozenset[int]

    def concerns(self, problem: Problem) -> bool:
        """Whether a problem follows from a level that could not be translated."""
        own = [
            f"spec.levels[{number}].{field}"
            for number in self.failed
            for field in ("name", "indicator", "objective", "interval")
        ]
        return any(problem.path == at or problem.path.startswith(f"{at}.") for at in own)


def translate(resolved: Resolved, term: Term | None) -> Translation:
    """Every level that has an SLO, in our own words."""
    tree = resolved.tree
    written = tree.get("spec", "levels")
    problems: list[Problem] = []
    notices: list[str] = []
    failed: set[int] = set()
    levels = written.items() if written else []
    for number, level in enumerate(levels):
        if level.get("slo") is None and level.get("sloRef") is None:
            continue
        if number in resolved.unresolved:
            failed.add(number)
            continue
        at: Location = ("spec", "levels", number, "slo")
        found = list(catalogue.faults_of(tree, at, SLO)) if level.get("slo") else []
        slo, _ = yaml_model.check(SLO, tree, at)
        if slo is None or found:
            problems += found
            failed.add(number)
            continue
        translated = in_own_words(tree, number, slo, term)
        problems += translated.problems
        notices += translated.notices
        if translated.level is None:
            failed.add(number)
        else:
            levels[number] = translated.level
    if written and levels:
        new = Node(written.line, written.column, list(levels), {}, written.origin)
        tree = with_levels(tree, new)
    return Translation(tree, problems, notices, frozenset(failed))
