"""`makegood sla explain`: a document in plain English."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from relayer.cli.output import output_options
from relayer.cli.session import DOCUMENT, session_options
from relayer.explanation import Table
from relayer.explanation import explain as explanation_of

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.cli.output import Output
    from relayer.cli.session import Session
    from relayer.explanation import Explanation

WIDTH = 80
_FIGURES = (
    r"[0-9]+\.[0-9]{2,}( tokens| [A-Z][A-Za-z]+)?|[0-9.]+%|\b[0-9,]+ (day|hour|minute|second)s?\b"
)


@click.command
@click.argument("document", type=DOCUMENT)
@click.option(
    "--currency",
    default="tokens",
    show_default=True,
    help="What people call the token, such as USDC.",
)
@session_options
@output_options
def explain(session: Session, document: Path, currency: str) -> None:
    """Say in plain English what DOCUMENT means. Needs neither a chain nor a key.

    All numbers are worked out by the arithmetic of the contracts, for the agreement's own months.
    """
    agreement = session.document(document)
    explanation = explanation_of(agreement, currency=currency)
    session.output.data(explanation.as_json(), lambda: _show(session.output, explanation))


def _show(output: Output, explanation: Explanation) -> None:
    from rich import box
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table as RichTable
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else WIDTH, markup=False, highlight=False, emoji=False)
    console.width = min(WIDTH, console.width)
    with console.capture() as capture:
        for section in explanation.sections:
            console.print(Text(output.shown(section.title), style="bold cyan"))
            for part in section.content:
                if isinstance(part, Table):
                    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
                    for column in part.columns:
                        table.add_column(output.shown(column))
                    for row in part.rows:
                        table.add_row(*map(output.shown, row))
                    console.print()
                    console.print(Padding(table, (0, 0, 0, 4)))
                    console.print()
                else:
                    text = Text(output.shown(part))
                    text.highlight_regex(_FIGURES, "bold")
                    console.print(Padding(text, (0, 0, 0, 2)))
            console.print()
    for line in capture.get().rstrip().splitlines():
        output.drawn(line if terminal else line.rstrip())
