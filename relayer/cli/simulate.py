"""`makegood sla simulate`: what an agreement would have paid in the past."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relayer.cli.output import output_options
from relayer.cli.session import DOCUMENT, session_options
from relayer.document.quantities import show_in_unit, show_share, show_time
from relayer.errors import ConfigurationError
from relayer.protocol.terms import BPS, NOBODY, PPM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.cli.output import Output
    from relayer.cli.session import Session
    from relayer.document import Document
    from relayer.simulation.calendar import Row
    from relayer.simulation.course import Course, LevelCourse, WindowCourse

SHOWN_CALENDARS = 2
"""Windows whose calendars are drawn unasked."""
SHOWN_PAYMENTS = 20
_STYLES = {".": "green", "x": "yellow", "X": "bold red", "?": "blue", "n": "dim", "-": "dim"}


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

    agreement = session.document(document)
    course = course_of(session, agreement, Wanted(**options))
    output = session.output
    if svg is not None:
        from relayer.simulation.svg import picture

        try:
            svg.write_text(picture(agreement, course, currency=currency), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{svg} cannot be written: {error.strerror}") from error
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
    output.table(
        ["window", "from", "to", "level", "judged", "good", "bad", "unknown", "n/a", "longest", "availability", "average", "credit"],
        [
            [
                window.number,
                show_time(window.start),
                show_time(window.end),
                document.levels[number].name,
                *_cells(document, number, level),
                show_share(level.credit, BPS),
            ]
            for window in course.windows
            for number, level in enumerate(window.levels)
        ],
    )  # fmt: skip
    output.line()
    output.table(
        ["window", "fee", "credit", f"{currency} to the consumer", "to the provider", "owed", "judged"],
        [
            [
                window.number,
                document.amount(window.fee),
                show_share(window.credit, BPS),
                document.amount(window.to_consumer),
                document.amount(window.to_provider) if window.complete else None,
                document.amount(window.short) if window.short else None,
                show_time(window.judged_at) if window.judged_at else "not yet",
            ]
            for window in course.windows
        ],
    )  # fmt: skip
    payments = [(window, payment) for window in course.windows for payment in window.payments]
    if payments:
        output.line()
        waits = document.terms.challenge_period if document.terms.arbiter != NOBODY else 0
        output.table(
            ["window", "certain at", *(["paid from"] if waits else []), currency, "credit", "because of", "interval"],
            [
                [
                    window.number,
                    show_time(payment.at),
                    *([show_time(payment.at + waits)] if waits else []),
                    document.amount(payment.amount),
                    show_share(payment.credit, BPS),
                    document.levels[payment.level].name,
                    show_time(payment.interval),
                ]
                for window, payment in payments[:SHOWN_PAYMENTS]
            ],
        )  # fmt: skip
        if len(payments) > SHOWN_PAYMENTS:
            output.note(f"and {len(payments) - SHOWN_PAYMENTS:,} more payments; --json has all")
    output.line()
    output.fields(
        [
            ("to the consumer", f"{document.amount(course.to_consumer)} {currency}"),
            ("to the provider", f"{document.amount(course.to_provider)} {currency}"),
            ("may be left", _leaving(course)),
        ]
    )


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
    name = document.levels[level].name
    rows = calendar(window, level)
    head = Text(f"{name}, {show_time(window.start)} to {show_time(window.end)}\n", style="bold")
    columns = len(rows[0].cells)
    hours = "".join(f"{hour:02}          " for hour in range(0, 24, 6))
    head.append(f"        {hours}" if columns == 24 else "        M T W T F S S", style="dim")
    lines = [head, *(_line(document, row, currency) for row in rows)]
    legend = ". good   x some bad   X all bad   ? unknown   n not applicable   - not judged"
    lines.append(Text(legend, style="dim"))
    with console.capture() as capture:
        for line in lines:
            console.print(line)
    output.line(capture.get().rstrip("\n"))
    output.line()


def _line(document: Document, row: Row, currency: str) -> Any:
    from rich.text import Text

    line = Text(f"{row.label:<8}")
    for cell in row.cells:
        sign = cell.look.value
        line.append(
            "■ " if sys.stdout.isatty() and sign in ".xX" else f"{sign} ",
            style=_STYLES.get(sign, ""),
        )
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
