"""What commands say. Data goes to standard output, everything else to standard error, secrets to neither.

With ``--json`` standard output holds exactly one JSON value, and an error is one on standard error::

    {"error": {"type": "…", "message": "…", "hint": "…" or null, "exitCode": 3}}

On a terminal tables are drawn; in a pipe they are lines of tab-separated cells under a line with the columns' names.
Documents and evidence come from the other party: what in them is not printable is escaped before it is styled and shown.
"""

from __future__ import annotations

import json as json_format
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from relayer.cli.printable import printable
from relayer.errors import MakegoodError, Reverted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

PIPE_CLOSED = 141
FEW_COLUMNS = 3
GAP = 3
"""Characters between two columns of a table."""

_Command = TypeVar("_Command", bound="Callable[..., Any]")


class Output:
    """The two streams of one run of the program, and what its options say about them.

    :ivar config_file: What ``--config`` names.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.config_file: Path | None = None
        self._secrets: list[str] = []

    # Data, on standard output.

    def data(self, value: Any, show: Callable[[], None] | None = None) -> None:
        """The result of the command: one JSON value, or what ``show`` prints for people."""
        if self.json or show is None:
            indent = 2 if sys.stdout.isatty() else None
            self.line(json_format.dumps(value, indent=indent, ensure_ascii=False))
        else:
            show()

    def line(self, text: str = "") -> None:
        self.drawn(self.shown(text))

    def drawn(self, text: str) -> None:
        """What rich has drawn, with its styles. The data in it went through :meth:`shown`."""
        try:
            click.echo(self.scrubbed(text))
        except BrokenPipeError:
            self._pipe_closed()

    def fields(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Names and values, one pair a line; what is None is left out."""
        shown = [(name, str(value)) for name, value in pairs if value is not None]
        width = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            self.line(f"{name:<{width}}  {value}" if sys.stdout.isatty() else f"{name}\t{value}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        cells = [[_cell(value) for value in row] for row in rows]
        if not sys.stdout.isatty():
            for row in [list(columns), *cells]:
                self.line("\t".join(" ".join(cell.split()) for cell in row))
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table

        shown = [[self.shown(cell) for cell in row] for row in cells]
        console = Console(markup=False, highlight=False, emoji=False)
        room = console.width - GAP * (len(columns) - 1)
        words = _words([list(columns), *shown])
        few = len(columns) <= FEW_COLUMNS  # a long word in one of few columns may fold
        if shown and not few and sum(words) > room:
            self._blocks(columns, shown)
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        widths = _widths([list(columns), *shown], words, room)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(column, overflow="fold", width=width)  # an id that is cut off is none
        for row in shown:
            table.add_row(*row)
        console.print(table)

    def _blocks(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table that would have to break words: one row below the other, a cell on each line.

        What stands in a column without a name, such as a tick, is put before the cell that follows.
        """
        width = max(len(column) for column in columns)
        for number, row in enumerate(rows):
            if number:
                self.line()
            mark = ""
            for column, cell in zip(columns, row, strict=True):
                if not column:
                    mark = f"{cell} "
                elif cell not in ("", "-"):
                    self.line(f"{column:<{width}}  {mark}{cell}")
                    mark = ""

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            self._pipe_closed()

    # Everything else, on standard error.

    def note(self, text: str) -> None:
        """Something good to know, left out with ``--quiet``."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        click.echo(self.shown(text), err=True)

    def error(self, error: MakegoodError, exit_code: int) -> int:
        """Shows an error and returns the exit code."""
        if self.json:
            content = _as_json(error, exit_code)
            self.warn(json_format.dumps({"error": content}, ensure_ascii=False))
            return exit_code
        click.echo(f"{_red('error:')} {self.shown(error.message)}", err=True)
        if error.hint:
            self.warn(f"hint: {error.hint}")
        return exit_code

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Says what takes a while; on a terminal with a moving sign."""
        if self.quiet:
            yield
        elif self.json or not sys.stderr.isatty():
            self.note(f"{text}...")
            yield
        else:
            from rich.console import Console

            with Console(stderr=True, markup=False, emoji=False).status(self.shown(text)):
                yield

    def confirm(self, question: str) -> bool:
        """Asks a person; only if :attr:`interactive`."""
        return click.confirm(self.shown(question), default=False, err=True)

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    # Secrets, and what would change the terminal.

    def shown(self, text: str) -> str:
        """The text as it may stand on a terminal: printable, and without secrets."""
        return printable(self.scrubbed(text))

    def hide(self, *secrets: str) -> None:
        """From now on these texts appear nowhere."""
        self._secrets += [secret for secret in secrets if secret]
        self._secrets.sort(key=len, reverse=True)

    def scrubbed(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    @staticmethod
    def _pipe_closed() -> None:
        # Whoever reads has enough. Nothing more may be written, not even when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(PIPE_CLOSED)


pass_output = click.make_pass_decorator(Output)


def output_options(command: _Command) -> _Command:
    """``--json``, ``--quiet`` and ``--verbose``, the same in every command."""

    def set_on_output(context: click.Context, option: click.Parameter, value: object) -> None:
        if value and option.name:
            setattr(context.ensure_object(Output), option.name, True)

    for name, text in (
        ("--verbose", "Show the trace of an error."),
        ("--quiet", "Only data and errors."),
        ("--json", "Data as one JSON value, errors as JSON on standard error."),
    ):
        command = click.option(
            name, is_flag=True, expose_value=False, callback=set_on_output, help=text
        )(command)
    return command


def remember_file(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    """``--config`` may stand before the command or after it."""
    if value is not None:
        context.ensure_object(Output).config_file = value


def _as_json(error: MakegoodError, exit_code: int) -> dict[str, Any]:
    content: dict[str, Any] = {
        "type": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exitCode": exit_code,
    }
    if isinstance(error, Reverted):
        content["revert"] = {
            "error": error.error,
            "values": {name: _json_value(value) for name, value in error.values.items()},
        }
    problems, file = getattr(error, "problems", None), getattr(error, "file", None)
    if problems is not None and file is not None:
        content["problems"] = [problem.as_json(file) for problem in problems]
    return content


def _json_value(value: object) -> object:
    """Numbers of a contract may be larger than JSON readers can hold: those go as text."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 53:
        return str(value)
    return value if isinstance(value, str | int | bool | None) else str(value)


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _words(rows: Sequence[Sequence[str]]) -> list[int]:
    """The longest word of each column [places on the terminal]: what a table needs to break none."""
    from rich.cells import cell_len

    return [
        max((cell_len(word) for cell in column for word in cell.split()), default=0)
        for column in zip(*rows, strict=True)
    ]


def _widths(rows: Sequence[Sequence[str]], words: Sequence[int], room: int) -> list[int]:
    """How wide the columns are drawn: no word is broken while all fit, then those of one column."""
    from rich.cells import cell_len

    least = list(words)
    if sum(least) > room:
        longest = least.index(max(least))
        least[longest] = max(1, room - sum(least) + least[longest])
    whole = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for most in range(max(whole), 0, -1):
        widths = [max(low, min(full, most)) for low, full in zip(least, whole, strict=True)]
        if sum(widths) <= room:
            return widths
    return least


def _red(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or not sys.stderr.isatty()
    return text if plain else click.style(text, fg="red", bold=True)
