"""`makegood sla validate`, `sign`, `resolve` and `schema`: documents, without a chain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from relayer.cli.output import Output, output_options, pass_output
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import signatures, words
from relayer.document.hours import show_hours
from relayer.document.quantities import (
    show_duration,
    show_in_unit,
    show_share,
    show_time,
    show_window,
)
from relayer.document.schema import published
from relayer.document.yaml_text import as_yaml
from relayer.errors import ConfigurationError
from relayer.protocol.terms import BPS, NOBODY, PPM, Combination

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.cli.session import Session
    from relayer.document import Document
    from relayer.document.signatures import Role, Signatures


@click.command
@click.argument("document", type=DOCUMENT)
@session_options
@output_options
def validate(session: Session, document: Path) -> None:
    """Check DOCUMENT and say what it promises. Needs neither a chain nor a key."""
    agreement = session.document(document, adapters=True)
    given = signatures.load(agreement)
    session.output.data(summary(agreement, given), lambda: _show(session, agreement, given))


@click.command
@click.argument("document", type=DOCUMENT)
@click.option(
    "--as",
    "role",
    type=click.Choice(signatures.ROLES),
    required=True,
    help="The party whose key signs.",
)
@session_options
@output_options
def sign(session: Session, document: Path, role: Role) -> None:
    """Sign DOCUMENT as one of its parties. The signature is kept beside it, in <name>.signatures.json."""
    agreement = session.document(document, adapters=True)
    account = session.needed_account(agreement.chain_id)
    if agreement.terms.open_by < time.time():
        session.output.warn(
            f"note: it had to be opened by {show_time(agreement.terms.open_by)}: agree on a later start"
        )
    given = signatures.sign_as(agreement, role, account)
    file = signatures.path_of(agreement)
    output = session.output
    result = {
        "agreementId": _hex(agreement.agreement_id),
        "role": role,
        "signer": account.address,
        "file": str(file),
        "missing": given.missing,
    }
    output.data(
        result,
        lambda: output.fields(
            [
                ("agreement", result["agreementId"]),
                ("signed as", f"{role} ({account.address})"),
                ("file", file),
            ]
        ),
    )
    if given.missing:
        output.note(f"next: makegood sla sign {document} --as {given.missing[0]}")
    else:
        output.note(f"next: makegood sla open {document}")


@click.command
@click.argument("document", type=DOCUMENT)
@click.option(
    "--output",
    "target",
    type=DOCUMENT,
    help="Write it to this new file instead of standard output.",
)
@session_options
@output_options
def resolve(session: Session, document: Path, target: Path | None) -> None:
    """Print DOCUMENT in one piece: every OpenSLO object stands where it is referred to.

    It has the same hash and makes the same agreement, so it is what the parties keep.
    """
    agreement = session.document(document)
    content = dict(agreement.content)
    if target is None:
        session.output.data(content, lambda: session.output.line(as_yaml(content).rstrip("\n")))
        return
    try:
        with target.open("x", encoding="utf-8") as stream:
            stream.write(as_yaml(content))
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {target}: {error.strerror}", hint="--output names a new file"
        ) from None
    result = {"file": str(target), "documentHash": _hex(agreement.hash)}
    session.output.data(
        result,
        lambda: session.output.fields([("file", target), ("document hash", _hex(agreement.hash))]),
    )


@click.command
@output_options
@pass_output
def schema(output: Output) -> None:
    """Print the JSON Schema of SLA documents, for editors and other programs."""
    output.line(published())


def summary(agreement: Document, given: Signatures) -> dict[str, Any]:
    """What a document promises, as JSON."""
    terms = agreement.terms
    return {
        "name": agreement.name,
        "document": str(agreement.path),
        "agreementId": _hex(agreement.agreement_id),
        "documentHash": _hex(agreement.hash),
        "chainId": agreement.chain_id,
        "escrow": agreement.domains.escrow.contract,
        "oracle": terms.oracle,
        "token": terms.token,
        "provider": terms.provider,
        "consumer": terms.consumer,
        "feePerWindow": agreement.amount(terms.fee_per_window),
        "windows": terms.windows,
        "prepaidWindows": terms.prepaid_windows,
        "window": show_window(terms.window_seconds),
        "windowSeconds": terms.window_seconds or None,
        "firstFee": agreement.amount(terms.fee_of(0)),
        "start": show_time(terms.start),
        "openBy": show_time(terms.open_by),
        "end": show_time(terms.window_start(terms.windows)),
        "creditCapBps": terms.credit_cap,
        "bond": agreement.amount(terms.bond),
        "arbiter": None if terms.arbiter == NOBODY else terms.arbiter,
        "challengeSeconds": terms.challenge_period,
        "disputeDeposit": agreement.amount(terms.dispute_deposit),
        "breachesToEnd": terms.breaches_to_end,
        "noticeSeconds": terms.notice_period,
        "amends": words.amends(terms),
        "levels": [
            {
                "name": level.name,
                "feedId": _hex(level.feed.id),
                "metric": level.metric,
                "unit": level.unit.name,
                "promise": words.promise(level),
                "credits": words.credits_of(level, agreed),
                "range": words.value_range(level),
                "hoursOff": show_hours(level.feed.scope.hours_off),
                "exclusions": words.exclusions(level),
                "reporters": list(level.feed.panel.reporters),
                "quorum": level.feed.panel.quorum,
                "tolerance": level.feed.panel.tolerance,
                "sources": {key: source.type for key, source in level.sources.items()},
            }
            for level, agreed in zip(agreement.levels, terms.levels, strict=True)
        ],
        "signedBy": [role for role in signatures.ROLES if given.of(role)],
        "notices": list(agreement.notices),
    }


def _show(session: Session, agreement: Document, given: Signatures) -> None:
    terms, output = agreement.terms, session.output
    window = show_window(terms.window_seconds)
    signed = [role for role in signatures.ROLES if given.of(role)]
    combined = "the worst" if terms.combination is Combination.WORST else "the sum"
    default = (
        f"; above {show_share(terms.unknown_limit, PPM)} of them the credit is at least "
        f"{show_share(terms.unknown_credit, BPS)}"
        if terms.unknown_credit
        else ""
    )
    output.fields(
        [
            ("document", f"{agreement.path} ({agreement.name})"),
            ("agreement id", _hex(agreement.agreement_id)),
            ("provider", terms.provider),
            ("consumer", terms.consumer),
            ("network", f"chain {agreement.chain_id}, escrow {agreement.domains.escrow.contract}"),
            ("fee", f"{agreement.amount(terms.fee_per_window)} per window, token {terms.token}"),
            ("windows", f"{terms.windows} of {window}, {terms.prepaid_windows} paid at opening"),
            ("first window", _short_window(agreement)),
            (
                "from, to",
                f"{show_time(terms.start)}, {show_time(terms.window_start(terms.windows))}",
            ),
            ("to be opened by", show_time(terms.open_by)),
            ("credits", f"{combined} of the levels, at most {show_share(terms.credit_cap, BPS)}"),
            (
                "unknown intervals",
                f"count as {terms.unknown_policy.name.lower()}{default}",
            ),
            ("bond", words.bond(agreement)),
            ("disputes", words.dispute(agreement)),
            ("ends early", words.termination(terms)),
            ("amends", words.amends(terms)),
            ("signed by", ", ".join(signed) or "nobody"),
        ]
    )
    for level, agreed in zip(agreement.levels, terms.levels, strict=True):
        panel, measurement = level.feed.panel, level.feed.measurement
        tolerance = show_in_unit(panel.tolerance, level.unit)
        output.line()
        output.fields(
            [
                ("level", level.name),
                ("promise", words.promise(level)),
                *(("credit", line) for line in words.credits_of(level, agreed)),
                ("range", words.value_range(level)),
                ("not judged", words.hours_off(level)),
                ("exclusions", words.exclusions(level)),
                ("agreement of", f"{panel.quorum} of {len(panel.reporters)}, within {tolerance}"),
                *(("reporter", f"{key} ({s.type})") for key, s in level.sources.items()),
                ("settle delay", show_duration(measurement.settle_delay)),
                ("reported every", show_duration(measurement.cadence)),
                ("unknown after", show_duration(measurement.deadline)),
                ("feed id", _hex(level.feed.id)),
            ]
        )


def _short_window(agreement: Document) -> str | None:
    """That window 0 begins within a month and costs less, if it does."""
    terms = agreement.terms
    if terms.fee_of(0) == terms.fee_per_window:
        return None
    return f"until {show_time(terms.window_start(1))}, for {agreement.amount(terms.fee_of(0))}"


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"
