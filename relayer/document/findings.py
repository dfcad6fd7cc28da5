"""Problems of a document, collected on the way at their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from relayer.yaml_lines import Location, Node, Problem


class Findings:
    """Problems collected on the way, at their lines."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree
        self.problems: list[Problem] = []

    def add(self, location: Location, message: str | None, value: object = None) -> None:
        """Notes a message, if there is one, about ``value`` as it was written."""
        if message:
            shown = f'found "{value}"; ' if isinstance(value, str | int) else ""
            self.problems.append(self._tree.problem(location, shown + message))

    def read(self, location: Location, reader: Callable[..., int], *arguments: Any) -> int | None:
        """What ``reader`` makes of the arguments; None, and a problem, if it refuses."""
        try:
            return reader(*arguments)
        except ValueError as error:
            self.add(location, str(error), arguments[0])
            return None
