"""One call for many questions, of which one may spoil it for all: halving finds the culprit."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, TypeVar

from oracles.errors import BadRequest, MonitoringError, Throttled, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAULTS: Final = 12
"""Internal errors in a row after which the service itself is to blame: enough to find one of 1,000."""
MOST: Final = 60
"""Internal errors after which no more culprits are looked for: the other questions have to wait."""

_AskedT = TypeVar("_AskedT")
_AnswerT = TypeVar("_AnswerT")


def halved(
    ask: Callable[[Sequence[_AskedT]], Sequence[_AnswerT]],
    asked: Sequence[_AskedT],
    *,
    refusals: tuple[type[MonitoringError], ...] = (BadRequest,),
) -> list[_AnswerT | MonitoringError]:
    """The answers of `ask`, in order; an error stands in the place of each that it concerns.

    `ask` raises MonitoringError for a call as a whole. After one of `refusals`, and after an
    internal error of the service, both halves are asked for: the smallest part that fails keeps the
    error. After one that tells nothing about what was asked (no answer, asked too often), after
    FAULTS internal errors in a row and after MOST, nothing is asked any more: whatever has no answer
    yet has that error.
    """
    found: dict[int, _AnswerT | MonitoringError] = {}
    waiting = [list(range(len(asked)))] if asked else []
    faults = row = 0
    while waiting:
        part = waiting.pop()
        try:
            given = ask([asked[place] for place in part])
        except MonitoringError as error:
            internal = _is_internal(error)
            faults, row = faults + internal, row + internal
            over = _ends(error) or row >= FAULTS or faults >= MOST
            if (internal or isinstance(error, refusals)) and len(part) > 1 and not over:
                if len(part) == len(asked):
                    # Each attempt begins elsewhere, or the same culprits would use up all of them.
                    begin = secrets.randbelow(len(part))
                    part = part[begin:] + part[:begin]
                middle = len(part) // 2
                waiting += [part[:middle], part[middle:]]
                continue
            found.update(dict.fromkeys(part, error))
            if over:
                found.update(dict.fromkeys((place for rest in waiting for place in rest), error))
                break
        else:
            row = 0
            found.update(zip(part, given, strict=True))
    return [found[place] for place in range(len(asked))]


def _ends(error: MonitoringError) -> bool:
    return isinstance(error, Throttled) or (isinstance(error, Unavailable) and not error.answered)


def _is_internal(error: MonitoringError) -> bool:
    return isinstance(error, Unavailable) and error.answered
