"""What happened, in sentences for people who see this for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayer.protocol.readings import MAX_VALUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from relayer.demo.record import Judged


def short(hexadecimal: str) -> str:
    """An address or a hash, as far as people compare it."""
    return f"{hexadecimal[:10]}…{hexadecimal[-4:]}"


def value(code: int) -> str:
    """An availability: "100 %"."""
    return f"{code / 10_000:g} %" if code <= MAX_VALUE else "no data"


def judged(report: Judged, places: Mapping[str, int]) -> str:
    """What was judged; and where reporters said different things, who said what.

    :param places: Of the reporters in the panel, by their names.
    """
    verdicts = _by_runs(report.codes, lambda interval: _verdict(report.codes[interval]))
    told = f"Judged on chain: {', '.join(verdicts)} ({short(report.transaction)})."
    split = dict.fromkeys(interval for interval, _ in report.outvoted())
    quarrels = _by_runs(split, lambda interval: _quarrel(report, interval, places))
    if len(verdicts) == 1 and len(quarrels) == 1 and len(split) == len(report.codes):
        quarrels = [_quarrel(report, next(iter(split)), places)]
    return " ".join([told, *(quarrel[0].upper() + quarrel[1:] for quarrel in quarrels)])


def _verdict(code: int) -> str:
    return value(code) if code <= MAX_VALUE else "unknown"


def _quarrel(report: Judged, interval: int, places: Mapping[str, int]) -> str:
    said = {
        name: report.said[place][interval]
        for name, place in places.items()
        if interval in report.said.get(place, {})
    }
    losers = {place for number, place in report.outvoted() if number == interval}
    outvoted = " and ".join(name for name in said if places[name] in losers)
    listed = ", ".join(f"{name} {value(code)}" for name, code in said.items())
    if report.codes[interval] > MAX_VALUE:
        return f"{listed}: no two agree."
    return f"{listed}: {outvoted} is OUTVOTED."


def _by_runs(intervals: Iterable[int], said: Callable[[int], str]) -> list[str]:
    """One text for each run of intervals of which the same is said: "intervals 0 to 2: 100 %"."""
    runs: list[tuple[int, int, str]] = []
    for number in sorted(intervals):
        text = said(number)
        if runs and runs[-1][2] == text and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number, text)
        else:
            runs.append((number, number, text))
    return [
        f"interval {a}: {text}" if a == b else f"intervals {a} to {b}: {text}"
        for a, b, text in runs
    ]
