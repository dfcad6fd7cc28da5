"""One call for many questions, of which one may spoil it for all: halving finds the culprit."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

from oracles.errors import BadRequest, MonitoringError, Throttled, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

FAULTS: Final = 12
"""Internal errors in a row after which the service itself is to blame: enough to find one of 1,000."""
MOST: Final = 60
"""Internal errors after which no more culprits are looked for: the other questions have to wait."""
HANGS: Final = 2
"""Calls without an answer after which no more are made: each has taken all the time that it had."""
HANG_SECONDS: Final = 600.0
"""For so long it is remembered in how small a call a question was that had no answer."""

_AskedT = TypeVar("_AskedT")
_AnswerT = TypeVar("_AnswerT")


class Hanging:
    """In how small calls questions are to be asked that were in one without an answer. Thread-safe.

    There is no time to look for the culprit while others wait: each attempt asks for halves of what
    hung in the one before. So it comes to stand alone, and costs no other question its answer.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._most: dict[Hashable, tuple[int, float]] = {}

    def note(self, names: Sequence[Hashable]) -> None:
        """A call for these questions had no answer."""
        now = self._clock()
        half = ((len(names) + 1) // 2, now + HANG_SECONDS)
        with self._lock:
            known = {name: most for name, most in self._most.items() if most[1] > now}
            self._most = known | dict.fromkeys(names, half)

    def parts(self, names: Sequence[Hashable]) -> list[list[int]]:
        """The places of these questions, by calls: those that are least likely to hang come last."""
        now, all_ = self._clock(), len(names)
        alike: dict[int, list[int]] = {}
        with self._lock:
            for place, name in enumerate(names):
                most, until = self._most.get(name, (all_, now))
                alike.setdefault(most if until > now else all_, []).append(place)
        parts = []
        for most, places in sorted(alike.items()):
            cut = _begun_elsewhere(places) if len(places) > most else places
            parts += [cut[at : at + most] for at in range(0, len(cut), most)]
        return parts


def halved(
    ask: Callable[[Sequence[_AskedT]], Sequence[_AnswerT]],
    asked: Sequence[_AskedT],
    *,
    refusals: tuple[type[MonitoringError], ...] = (BadRequest,),
    hanging: Hanging | None = None,
    name: Callable[[_AskedT], Hashable] = id,
) -> list[_AnswerT | MonitoringError]:
    """The answers of `ask`, in order; an error stands in the place of each that it concerns.

    `ask` raises MonitoringError for a call as a whole. After one of `refusals`, and after an
    internal error of the service, both halves are asked for: the smallest part that fails keeps the
    error. After one that tells nothing about what was asked (no answer, asked too often), after
    FAULTS internal errors in a row and after MOST, nothing is asked any more: whatever has no answer
    yet has that error.

    `hanging` remembers from one attempt to the next, by `name`, what was in a call that hung: that is
    asked for in smaller ones, and only after HANGS of them nothing is asked any more.
    """
    names = [name(one) for one in asked]
    found: dict[int, _AnswerT | MonitoringError] = {}
    waiting = [list(range(len(asked)))] if asked else []
    if hanging is not None:
        waiting = hanging.parts(names)
    faults = row = hangs = 0
    while waiting:
        part = waiting.pop()
        try:
            given = ask([asked[place] for place in part])
        except MonitoringError as error:
            internal = _is_internal(error)
            faults, row = faults + internal, row + internal
            over = _ends(error) or row >= FAULTS or faults >= MOST
            if hanging is not None and isinstance(error, Unavailable) and error.hung:
                hanging.note([names[place] for place in part])
                hangs += 1
                over = hangs >= HANGS
            elif (internal or isinstance(error, refusals)) and len(part) > 1 and not over:
                # Each attempt begins elsewhere, or the same culprits would use up all of them.
                part = _begun_elsewhere(part)
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


def _begun_elsewhere(places: list[int]) -> list[int]:
    begin = secrets.randbelow(len(places))
    return places[begin:] + places[:begin]


def _ends(error: MonitoringError) -> bool:
    return isinstance(error, Throttled) or (isinstance(error, Unavailable) and not error.answered)


def _is_internal(error: MonitoringError) -> bool:
    return isinstance(error, Unavailable) and error.answered
