"""`makegood sla simulate`: what an agreement would have paid in the past."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relayer.cli.new_file import check_free, write_new
from relayer.cli.output import output_options
from relayer.cli.session import DOCUMENT, session_options
from relayer.document.quantities import show_in_unit, show_share, show_time
from relayer.protocol.terms import BPS, NOBODY, PPM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from relayer.cli.output import Output
    from relayer.cli.session import Session
    from relayer.document import Document
    from relayer.simulation.calendar import Row
    from relayer.simulation.course import Course, LevelCourse, WindowCourse

SHOWN_CALENDARS = 2
"""Windows whose calendars are drawn unasked."""
SHOWN_PAYMENTS = 20
_OFTEN_EMPTY = {"unknown", "n/a", "average", "owed"}
_SHORT = {"longest": "run", "availability": "available", "to the provider": "to provider"}
_STYLES = {".": "green", "x": "yellow", "X": "bold red", "?": "blue", "n": "dim", "-": "dim"}
_MEANINGS = {
    ".": "good",
    "x": "some bad",
    "X": "all bad",
    "?": "unknown",
    "n": "not applicable",
    "-": "not judged",
}


@click.command
@click.argument("document", type=DOCUMENT)
@click.option(
    "--data", "data", multiple=True, metavar="LEVEL=FILE",
    help="A CSV file of time,value; of several reporters' files of a level rule 3 makes one. LEVEL=good: nothing happened.",
)  # fmt: skip
@click.option(
    "--unit", "units", multiple=True, metavar="[LEVEL=]UNIT", help='What numbers in files are in: "%", ratio, ms, ...'
)  # fmt: skip
@click.option(
    "--months",
    type=click.IntRange(min=1, max=120),
    help="Read so many months from the services instead.",
)
@click.option("--days", type=click.IntRange(min=1, max=3_660), help="Or the last so many days.")
@click.option("--reporter", metavar="ADDRESS", help="Read only what this reporter reads.")
@click.option("--as-of", metavar="DATE", help="As if the agreement had begun then: 2026-06-01.")
@click.option(
    "--exclude",
    "excluded",
    multiple=True,
    metavar="FROM/TO",
    help="Both parties had excluded this span.",
)
@click.option(
    "--svg",
    "svg",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw a picture into this file.",
)
@click.option("--calendar/--no-calendar", default=None, help="Draw calendars in the terminal.")
@click.option("--currency", default="tokens", show_default=True, help="What people call the token.")
@session_options
@output_options
def simulate(
    session: Session,
    document: Path,
    *,
    svg: Path | None,
    calendar: bool | None,
    currency: str,
    **options: Any,
) -> None:
    """Replay past readings, and show what DOCUMENT would have paid.

    Readings of another time than the agreement's are taken as if it had begun with their month.
    """
    from relayer.cli.past_readings import Wanted, course_of

    if svg is not None:
        check_free(svg, "--svg")
    agreement = session.document(document)
    course = course_of(session, agreement, Wanted(**options))
    output = session.output
    if svg is not None:
        from relayer.simulation.svg import picture

        write_new(svg, picture(agreement, course, currency=currency), "--svg")
    drawn = sys.stdout.isatty() if calendar is None else calendar
    output.data(
        _as_json(agreement, course),
        lambda: _show(
            output,
            agreement,
            course,
            currency,
            most=len(course.windows) if calendar else SHOWN_CALENDARS if drawn else 0,
        ),
    )
    if svg is not None:
        output.note(f"picture: {svg}")


def _show(output: Output, document: Document, course: Course, currency: str, *, most: int) -> None:
    for window in course.windows[-most:] if most else ():
        for number, _ in enumerate(window.levels):
            _draw(output, document, window, number, currency)
    one_level = len(document.levels) == 1
    _table(
        output,
        ["window", "from", "to", "level", "judged", "good", "bad", "unknown", "n/a", "longest", "availability", "average", "credit"],
        [
            [
                window.number,
                _time(window.start),
                _time(window.end),
                document.levels[number].name,
                *_cells(document, number, level),
                show_share(level.credit, BPS),
            ]
            for window in course.windows
            for number, level in enumerate(window.levels)
        ],
        spare={"to", "good", "level"} if one_level else {"to", "good"},
    )  # fmt: skip
    output.line()
    _table(
        output,
        ["window", "fee", "credit", f"{currency} to the consumer", "to the provider", "owed", "judged"],
        [
            [
                window.number,
                document.amount(window.fee),
                show_share(window.credit, BPS),
                document.amount(window.to_consumer),
                document.amount(window.to_provider) if window.complete else None,
                document.amount(window.short) if window.short else None,
                _time(window.judged_at) if window.judged_at else "not yet",
            ]
            for window in course.windows
        ],
    )  # fmt: skip
    payments = [(window, payment) for window in course.windows for payment in window.payments]
    if payments:
        output.line()
        waits = document.terms.challenge_period if document.terms.arbiter != NOBODY else 0
        _table(
            output,
            ["window", "certain at", *(["paid from"] if waits else []), currency, "credit", "because of", "interval"],
            [
                [
                    window.number,
                    _time(payment.at),
                    *([_time(payment.at + waits)] if waits else []),
                    document.amount(payment.amount),
                    show_share(payment.credit, BPS),
                    document.levels[payment.level].name,
                    _time(payment.interval),
                ]
                for window, payment in payments[:SHOWN_PAYMENTS]
            ],
            spare={"because of"} if one_level else set(),
        )  # fmt: skip
        if len(payments) > SHOWN_PAYMENTS:
            output.note(f"and {len(payments) - SHOWN_PAYMENTS:,} more payments; --json has all")
    output.line()
    output.fields(
        [
            ("to the consumer", f"{document.amount(course.to_consumer)} {currency}"),
            ("to the provider", f"{document.amount(course.to_provider)} {currency}"),
            ("still held", _held(document, course, currency)),
            ("may be left", _leaving(course)),
        ]
    )


def _table(
    output: Output,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    spare: AbstractSet[str] = frozenset(),
) -> None:
    """A table; on a terminal without columns that say nothing, and with short names, since all of them would not fit.

    :param spare: Columns that a person can do without, too.
    """
    shown = list(range(len(columns)))
    if sys.stdout.isatty():
        shown = [
            place
            for place in shown
            if columns[place] not in spare
            and (columns[place] not in _OFTEN_EMPTY or any(row[place] for row in rows))
        ]
        columns = [_SHORT.get(name, name.replace(" to the ", " to ")) for name in columns]
    output.table([columns[place] for place in shown], [[row[p] for p in shown] for row in rows])


def _time(seconds: int) -> str:
    """For people on a terminal; in a pipe it stays the RFC 3339 of documents."""
    if not sys.stdout.isatty():
        return show_time(seconds)
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}Z" if at.second else f"{at:%Y-%m-%d %H:%M}Z"


def _held(document: Document, course: Course, currency: str) -> str | None:
    """The rest of the fees of windows that the readings do not reach the end of."""
    waiting = [window for window in course.windows if not window.complete]
    if not waiting:
        return None
    held = sum(max(0, window.fee - window.to_consumer) for window in waiting)
    missing = sum(
        max(0, level.tally.planned - level.tally.judged)
        for window in waiting
        for level in window.levels
    )
    are = "interval is" if missing == 1 else "intervals are"
    return f"{document.amount(held)} {currency}: {missing:,} {are} not judged"


def _leaving(course: Course) -> str | None:
    after = course.may_leave_after
    if after is None:
        return None
    return f"by the consumer, after window {after}: {course.terms.breaches_to_end} windows had a credit"


def _cells(document: Document, number: int, level: LevelCourse) -> Sequence[object]:
    tally, average = level.tally, level.average
    unit = document.levels[number].unit
    return [
        f"{tally.judged}/{tally.planned}",
        tally.good,
        tally.bad,
        tally.unknown,
        tally.not_applicable,
        tally.longest_run,
        None if level.availability is None else show_share(level.availability, PPM),
        None if average is None else show_in_unit(average, unit),
    ]


def _draw(
    output: Output, document: Document, window: WindowCourse, level: int, currency: str
) -> None:
    """The calendar of a level's window: a character for each hour or day."""
    from rich.console import Console
    from rich.text import Text

    from relayer.simulation.calendar import calendar

    console = Console(markup=False, highlight=False)
    name = output.shown(document.levels[level].name)
    rows = calendar(window, level)
    head = Text(f"{name}, {show_time(window.start)} to {show_time(window.end)}\n", style="bold")
    columns = len(rows[0].cells)
    hours = "".join(f"{hour:02}          " for hour in range(0, 24, 6))
    head.append(f"        {hours}" if columns == 24 else "        M T W T F S S", style="dim")
    shown = output.shown(currency)
    # A square says only what its colour says.
    squares = sys.stdout.isatty() and bool(console.color_system) and not console.no_color
    lines = [head, *(_line(document, row, shown, squares=squares) for row in rows)]
    lines.append(_legend(squares=squares))
    with console.capture() as capture:
        for line in lines:
            console.print(line)
    output.drawn(capture.get().rstrip("\n"))
    output.line()


def _legend(*, squares: bool) -> Any:
    from rich.text import Text

    legend = Text()
    for sign, meaning in _MEANINGS.items():
        legend.append(_shown_as(sign, squares=squares), style=_STYLES[sign])
        legend.append(f" {meaning}   ", style="dim")
    legend.rstrip()
    return legend


def _shown_as(sign: str, *, squares: bool) -> str:
    return "■" if squares and sign in ".xX" else sign


def _line(document: Document, row: Row, currency: str, *, squares: bool) -> Any:
    from rich.text import Text

    line = Text(f"{row.label:<8}")
    for cell in row.cells:
        sign = cell.look.value
        line.append(_shown_as(sign, squares=squares) + " ", style=_STYLES.get(sign, ""))
    if row.bad:
        line.append(f" {row.bad:,} bad")
    if row.amount:
        line.append(f"  {document.amount(row.amount)} {currency}", style="bold red")
    return line


def _as_json(document: Document, course: Course) -> dict[str, Any]:
    return {
        "name": document.name,
        "document": str(document.path),
        "start": show_time(course.terms.start),
        "moved": course.terms.start != document.terms.start,
        "toConsumer": document.amount(course.to_consumer),
        "toProvider": document.amount(course.to_provider),
        "consumerMayLeaveAfter": course.may_leave_after,
        "windows": [
            {
                "window": window.number,
                "start": show_time(window.start),
                "end": show_time(window.end),
                "fee": document.amount(window.fee),
                "creditBps": window.credit,
                "complete": window.complete,
                "judgedAt": show_time(window.judged_at) if window.judged_at else None,
                "toConsumer": document.amount(window.to_consumer),
                "toProvider": document.amount(window.to_provider),
                "owed": document.amount(window.short),
                "levels": [
                    {
                        "name": document.levels[number].name,
                        "planned": level.tally.planned,
                        "judged": level.tally.judged,
                        "good": level.tally.good,
                        "bad": level.tally.bad,
                        "unknown": level.tally.unknown,
                        "notApplicable": level.tally.not_applicable,
                        "longestRun": level.tally.longest_run,
                        "deviation": level.tally.deviation,
                        "availabilityPpm": level.availability,
                        "average": level.average,
                        "creditBps": level.credit,
                    }
                    for number, level in enumerate(window.levels)
                ],
                "payments": [
                    {
                        "certainAt": show_time(payment.at),
                        "paidFrom": show_time(payment.at + document.terms.challenge_period),
                        "amount": document.amount(payment.amount),
                        "creditBps": payment.credit,
                        "level": document.levels[payment.level].name,
                        "interval": show_time(payment.interval),
                    }
                    for payment in window.payments
                ],
            }
            for window in course.windows
        ],
    }
