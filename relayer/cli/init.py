"""`makegood sla init`: a new document from a template."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from shutil import get_terminal_size
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click

from relayer.cli import init_options
from relayer.cli.new_file import check_free, write_new
from relayer.cli.output import GAP, output_options
from relayer.cli.session import session_options
from relayer.errors import ConfigurationError
from relayer.templates import VERIFIED, Filling, load_template, render, templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.cli.session import Session
    from relayer.document import Document
    from relayer.templates import Rendered, Template

_DEFAULT = "http-service"
_STANDARD_OUTPUT = "-"
_WIDE = 140
"""Columns of a terminal that hold the whole list."""
_LEAST = 12
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SETTLEMENT = ("chain_id", "escrow", "oracle", "token", "decimals")


@click.command
@click.option("--template", "name", default=_DEFAULT, show_default=True, help="Whose terms.")
@click.option("--list", "list_", is_flag=True, help="List the templates instead.")
@click.option(
    "--output",
    "-o",
    "file",
    metavar="FILE",
    help="By default TEMPLATE.yaml; - for standard output.",
)
@click.option("--name", "document_name", help="What people call the agreement.")
@click.option("--provider", metavar="ADDRESS", help="The provider's account.")
@click.option("--consumer", metavar="ADDRESS", help="The consumer's account.")
@click.option(
    "--reporter", "reporters", multiple=True, metavar="ADDRESS", help="Who measures: once, or three times and more."
)  # fmt: skip
@click.option("--fee", metavar="AMOUNT", help="What a window costs.")
@click.option("--start", metavar="DATE", help="When it begins: 2027-01-01, or with T00:00:00Z.")
@click.option("--windows", type=click.IntRange(min=1), help="How many windows.")
@click.option("--chain-id", type=click.IntRange(min=1), help="Where the money is held.")
@click.option("--escrow", metavar="ADDRESS")
@click.option("--oracle", metavar="ADDRESS")
@click.option("--token", metavar="ADDRESS", help="What is paid in.")
@click.option("--decimals", type=click.IntRange(min=0, max=36), help="Of the token.")
@click.option(
    "--set", "-s", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the template: see --list."
)  # fmt: skip
@session_options
@output_options
def init(session: Session, name: str, file: str | None, **options: Any) -> None:
    """Write a new SLA document from a template.

    Comments in it say where its terms are from and what a machine can judge of them. What is not given is marked FILL IN, and the
    document is not valid before it is filled in. Without the settlement's options those of the configured agreements are used.
    """
    if options.pop("list_"):
        _list(session)
        return
    template = load_template(name)
    path = Path(file or f"{template.name}.yaml")
    if file != _STANDARD_OUTPUT:
        check_free(path, "--output")
    filling = _filling(session, template, **options)
    init_options.check(filling)
    try:
        rendered = render(template, filling)
    except ValueError as error:
        raise ConfigurationError(str(error), hint="`makegood sla init --list --json`") from error
    if file == _STANDARD_OUTPUT:
        session.output.line(rendered.text.rstrip("\n"))
        return
    write_new(path, rendered.text, "--output")
    document = None if rendered.missing else _accepted(session, path)
    _report(session, template, path, rendered, document)


def _filling(
    session: Session,
    template: Template,
    *,
    document_name: str | None,
    start: str | None,
    reporters: Sequence[str],
    parameters: Sequence[str],
    **options: Any,
) -> Filling:
    if len(reporters) == 2:
        raise ConfigurationError(
            "two reporters cannot outvote each other", hint="name one, or three and more"
        )
    if all(options[field] is None for field in _SETTLEMENT):
        options |= _configured_settlement(session)
    return Filling(
        name=document_name,
        start=f"{start}T00:00:00Z" if start and _DAY.fullmatch(start) else start,
        reporters=reporters,
        parameters=init_options.parameters(template, parameters),
        **options,
    )


def _configured_settlement(session: Session) -> dict[str, Any]:
    """Contracts and token of the configured agreements, if they all have the same."""
    found: set[tuple[Any, ...]] = set()
    for path in session.config.agreement_files():
        try:
            document = session.document(path)
        except ConfigurationError:
            continue  # not what this command is about; `sla list` says it
        terms, domains = document.terms, document.domains
        found.add(
            (
                document.chain_id,
                domains.escrow.contract,
                terms.oracle,
                terms.token,
                document.token_decimals,
            )
        )
    return dict(zip(_SETTLEMENT, found.pop(), strict=True)) if len(found) == 1 else {}


def _accepted(session: Session, path: Path) -> Document:
    """The document that was written; none stays behind that is wrong."""
    try:
        return session.document(path, adapters=False)
    except ConfigurationError as error:
        path.unlink(missing_ok=True)
        error.hint = "these options make no document, and it was taken away again"
        raise


def _report(
    session: Session, template: Template, path: Path, rendered: Rendered, document: Document | None
) -> None:
    output = session.output
    result = {
        "template": template.name,
        "file": str(path),
        "verified": template.verified,
        "valid": document is not None,
        "agreementId": f"0x{document.agreement_id.hex()}" if document else None,
        "missing": [missing._asdict() for missing in rendered.missing],
    }

    def show() -> None:
        output.fields(
            [
                ("document", path),
                ("terms of", f"{template.title} ({template.vendor})"),
                ("verified", VERIFIED[template.verified]),
                ("agreement id", result["agreementId"]),
            ]
        )
        if rendered.missing:
            output.line()
            output.table(
                ["line", "still to fill in", "what belongs there"],
                [[missing.line, missing.field, missing.what] for missing in rendered.missing],
            )

    output.data(result, show)
    if rendered.missing:
        output.note(f"next: fill in what is marked, then makegood sla validate {path}")
    else:
        output.note(f"next: makegood sla explain {path}")


def _list(session: Session) -> None:
    found = templates()
    rows = [
        {
            "name": template.name,
            "title": template.title,
            "vendor": template.vendor,
            "source": template.source,
            "version": template.version,
            "verified": template.verified,
            "parameters": dict(template.parameters),
        }
        for template in found
    ]
    session.output.data(rows, lambda: _show_list(session, found))


def _show_list(session: Session, found: Sequence[Template]) -> None:
    columns = ["template", "terms of", "version", "verified", "--set"]
    cells = [[t.name, t.title, t.version, t.verified, ", ".join(t.parameters)] for t in found]
    width = get_terminal_size().columns
    if sys.stdout.isatty() and width < _WIDE:
        # A name that is broken cannot be copied, so the rest makes room; --json has all of it.
        columns = [columns[0], columns[1], columns[4]]
        room = width - 2 * GAP - sum(max(len(row[place]) for row in cells) for place in (0, 4))
        cells = [
            [row[0], shorten(row[1], max(_LEAST, room), placeholder="…"), row[4]] for row in cells
        ]
        if room < _LEAST:
            columns, cells = [columns[0], columns[2]], [[row[0], row[2]] for row in cells]
    session.output.table(columns, cells)
