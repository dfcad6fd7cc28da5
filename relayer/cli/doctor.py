"""`makegood doctor`: everything a relayer needs, checked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from relayer.cli.checks import Checkup
from relayer.cli.output import output_options
from relayer.cli.session import DOCUMENT, session_options
from relayer.errors import ChecksFailed

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.cli.session import Session

_SIGNS = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"}
_ASCII = {"ok": "ok", "warning": "warning", "failed": "FAILED", "skipped": "-"}


@click.command
@click.argument("documents", type=DOCUMENT, nargs=-1)
@session_options
@output_options
def doctor(session: Session, documents: tuple[Path, ...]) -> None:
    """Check configuration, database, key, chain, contracts, other reporters and monitoring services.

    Checks the configuration's documents, or only DOCUMENTS. Sends no transaction. Warnings do not count as failed.
    """
    output = session.output
    output.note("checking...")  # without a moving sign: a password may have to be typed
    findings = list(Checkup(session, documents).run())
    encoding = (sys.stdout.encoding or "ascii").lower()
    signs = _SIGNS if encoding.startswith("utf") else _ASCII
    failed = [finding for finding in findings if finding.state == "failed"]
    output.data(
        {"ok": not failed, "checks": [finding.as_json() for finding in findings]},
        lambda: output.table(
            ["", "check", "found", "next step"],
            [[signs[f.state], f.check, f.detail, f.next_step or ""] for f in findings],
        ),
    )
    if failed:
        raise ChecksFailed(f"{len(failed)} of {len(findings)} checks failed")
