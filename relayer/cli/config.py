"""`makegood config`: the configuration in force."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from relayer.cli.output import output_options
from relayer.cli.session import session_options

if TYPE_CHECKING:
    from relayer.cli.session import Session


@click.command
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@session_options
@output_options
def show(session: Session, *, origin: bool) -> None:
    """Each value of the configuration in force, without secrets."""
    loaded, output = session.loaded, session.output
    values = loaded.shown()

    def for_people() -> None:
        columns = ["name", "value", "origin"] if origin else ["name", "value"]
        rows = [
            [name, _text(value), loaded.origins.get(name)][: len(columns)]
            for name, value in values.items()
        ]
        output.table(columns, rows)

    output.data(
        {
            name: {"value": value, "origin": loaded.origins.get(name)} if origin else value
            for name, value in values.items()
        },
        for_people,
    )


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
