"""`makegood sla exclude`: a future span that all parties agree not to judge (rule 20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from relayer.cli.output import output_options
from relayer.cli.sending import (
    YES,
    Step,
    agree,
    carry_out,
    nothing_to_do,
    opened,
    read_with,
    show_plan,
    signing_account,
)
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import consents, quantities
from relayer.document.consents import ExcludedSpan
from relayer.document.quantities import show_duration, show_time
from relayer.document.signatures import ROLES, Role, party
from relayer.errors import ConfigurationError
from relayer.protocol.typed_data import digest, sign

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from web3.contract.contract import ContractFunction

    from relayer.cli.agreement import OnChain
    from relayer.cli.session import Session
    from relayer.protocol.tally import Exclusion

MAX_SPANS = 8
"""How many spans of one window may be excluded."""


class Chosen(NamedTuple):
    """Which span the command line names: all of it, or nothing."""

    level: str | None
    begin: int | None
    end: int | None

    @property
    def is_empty(self) -> bool:
        return self == (None, None, None)


_TIME = read_with(quantities.time)


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--level", metavar="NAME", help="Which service level; needed if there are several.")
@click.option("--from", "begin", metavar="TIME", callback=_TIME, help="2027-01-31T02:00:00Z (UTC).")
@click.option("--to", "until", metavar="TIME", callback=_TIME, help="Where judging goes on.")
@click.option("--as", "role", type=click.Choice(ROLES), help="Sign as this party.")
@click.option("--send", is_flag=True, help="Bring what all parties have signed to the oracle.")
@YES
@session_options
@output_options
def exclude(
    session: Session,
    document: Path,
    level: str | None,
    begin: int | None,
    until: int | None,
    *,
    role: Role | None,
    send: bool,
    yes: bool,
) -> None:
    """Take a future span of a level of DOCUMENT out of judgement, such as announced maintenance.

    Each party signs it (--as); anyone brings it to the oracle (--send), one span, or all that are signed and not there yet.
    Signed spans are kept beside the document, in <name>.exclusions.json.
    """
    if (role is None) == (not send):
        raise click.UsageError("choose --as provider, --as consumer, or --send")
    chosen = Chosen(level, begin, until)
    if (begin is None) != (until is None) or (begin is None and not (send and chosen.is_empty)):
        raise click.UsageError("a span has --from and --to")
    on_chain = opened(session, document)
    if role is None:
        _send(session, on_chain, chosen, yes=yes)
    else:
        _sign(session, on_chain, _named(on_chain, chosen), role, yes=yes)


def shown(on_chain: OnChain, level: int, span: Exclusion) -> str:
    """A span for people: "2027-01-31T02:00:00Z to 2027-01-31T03:00:00Z"."""
    measurement = on_chain.document.levels[level].feed.measurement
    return f"{show_time(measurement.start_of(span.first))} to {show_time(measurement.start_of(span.end))}"


def _named(on_chain: OnChain, chosen: Chosen) -> ExcludedSpan:
    """The span that the command line names, without signatures."""
    document = on_chain.document
    names = [level.name for level in document.levels]
    name = names[0] if chosen.level is None and len(names) == 1 else chosen.level
    if name is None:
        raise click.UsageError(f"--level says which: {', '.join(names)}")
    if name not in names:
        raise click.BadParameter(
            f'{document.path} has no level "{name}"; it has {", ".join(names)}',
            param_hint="--level",
        )
    number = names.index(name)
    try:
        span = consents.span_of(document, number, chosen.begin or 0, chosen.end or 0)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--from, --to") from None
    return ExcludedSpan(number, span)


def _sign(
    session: Session, on_chain: OnChain, wanted: ExcludedSpan, role: Role, *, yes: bool
) -> None:
    document, output = on_chain.document, session.output
    spans = consents.load_exclusions(document)
    place = next((i for i, each in enumerate(spans) if each.is_same(wanted)), len(spans))
    spans[place:] = spans[place:] or [wanted]
    span = spans[place]
    if _is_there(on_chain, span):
        nothing_to_do(session, on_chain, "the span is excluded already")
        return
    _check(on_chain, [span])
    other: Role = "consumer" if role == "provider" else "provider"
    if span.signatures.of(other):
        _check_signature(on_chain, span, other)
    if consents.fault(document, span, role) is None:
        nothing_to_do(session, on_chain, f"the {role} has signed this already")
        return
    account = signing_account(session, on_chain, role)
    show_plan(session, on_chain, [_effect(on_chain, span)])
    agree(session, on_chain.chain.chain_id, f"Sign as {role}?", yes=yes)
    span = spans[place] = span.signed(role, sign(account, span.message(document)))
    consents.write_exclusions(document, spans)
    file = consents.exclusions_path(document)
    result = {
        "agreementId": f"0x{document.agreement_id.hex()}",
        "role": role,
        "signer": account.address,
        "file": str(file),
        **_facts(on_chain, span),
        "missing": span.signatures.missing,
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
    if span.signatures.missing:
        begin, end = (result[name] for name in ("from", "to"))
        output.note(
            f"next: makegood sla exclude {document.path} --level {result['level']} --from {begin} --to {end} --as {other}"
        )
    else:
        output.note(f"next: makegood sla exclude {document.path} --send")


def _send(session: Session, on_chain: OnChain, chosen: Chosen, *, yes: bool) -> None:
    document = on_chain.document
    file = consents.exclusions_path(document)
    spans = consents.load_exclusions(document)
    if chosen.is_empty:
        spans = [
            span for span in spans if not (span.signatures.missing or _is_too_late(on_chain, span))
        ]
        if not spans:
            raise ConfigurationError(
                f"{file} has no future span that both have signed",
                hint="sign one: makegood sla exclude DOCUMENT --level NAME --from TIME --to TIME --as ROLE",
            )
    else:
        wanted = _named(on_chain, chosen)
        spans = [span for span in spans if span.is_same(wanted)] or [wanted]
    spans = [span for span in spans if not _is_there(on_chain, span)]
    if not spans:
        nothing_to_do(session, on_chain, "what is signed is excluded already")
        return
    for span in spans:
        for role in ROLES:
            _check_signature(on_chain, span, role)
    _check(on_chain, spans)
    steps = [
        Step(f"exclude {_shown_level(on_chain, each)}", _call(on_chain, each), "oracle")
        for each in spans
    ]
    effects = [_effect(on_chain, span) for span in spans]
    facts = {"exclusions": [_facts(on_chain, span) for span in spans]}
    carry_out(session, on_chain, steps, effects, yes=yes, facts=facts)


def _call(on_chain: OnChain, span: ExcludedSpan) -> ContractFunction:
    document, given = on_chain.document, span.signatures
    return on_chain.oracle.exclude(
        document.levels[span.level].feed,
        span.span,
        [party(document, role) for role in ROLES],
        [given.of(role) or b"" for role in ROLES],
    )


def _check(on_chain: OnChain, spans: list[ExcludedSpan]) -> None:
    """Raises ConfigurationError unless the oracle would take the spans one after the other, signatures aside."""
    known: dict[tuple[int, int], list[Exclusion]] = {}
    for each in spans:
        level = on_chain.document.levels[each.level]
        measurement, span = level.feed.measurement, each.span
        window = measurement.window_of(span.first)
        if (each.level, window) not in known:
            with on_chain.chain.errors():
                known[each.level, window] = on_chain.oracle.exclusions(level.feed.id, window)
        before = known[each.level, window]
        if problem := next(_problems(on_chain, each, before), None):
            raise ConfigurationError(
                f"{_shown_level(on_chain, each)}: {problem}",
                hint="choose another span; both parties sign it",
            )
        before.append(span)


def _problems(on_chain: OnChain, each: ExcludedSpan, before: list[Exclusion]) -> Iterator[str]:
    """Why the oracle would refuse a span that comes after others of its window (rule 20)."""
    level, span = on_chain.document.levels[each.level], each.span
    measurement, allowance = level.feed.measurement, level.feed.scope.allowance
    if not allowance:
        yield "the level allows no exclusions (levels[].exclusions)"
    window = measurement.window_of(span.first)
    if measurement.window_of(span.end - 1) != window:
        boundary = show_time(measurement.window_start(window + 1))
        yield f"a span lies in one window; split it at {boundary}"
    ahead = measurement.start_of(span.first) - on_chain.now
    if ahead < 0:
        yield "it has begun, and only future spans can be excluded"
    if ahead < measurement.notice:
        notice = show_duration(measurement.notice)
        yield f"it begins in {show_duration(ahead)}, and {notice} of notice were agreed"
    for other in before:
        if span.first < other.end and other.first < span.end:
            excluded = shown(on_chain, each.level, other)
            yield f"it overlaps what is excluded already, {excluded}"
    left = allowance - sum(other.end - other.first for other in before)
    if span.end - span.first > left:
        much, may, of = (
            show_duration(count * measurement.interval)
            for count in (span.end - span.first, left, allowance)
        )
        yield f"it lasts {much}; of the window {may} of {of} may still be excluded"
    if len(before) >= MAX_SPANS:
        yield f"the window has {MAX_SPANS} excluded spans, and no more are allowed"


def _check_signature(on_chain: OnChain, span: ExcludedSpan, role: Role) -> None:
    document = on_chain.document
    file = consents.exclusions_path(document)
    about = f"{file}, {_shown_level(on_chain, span)}"
    if fault := consents.fault(document, span, role, on_chain.chain.has_code):
        missing = span.signatures.of(role) is None
        raise ConfigurationError(
            f"{about}: {fault}",
            hint=f"that party signs it: --as {role}"
            if missing
            else "the file was changed, or is under another key: remove it, and both sign again",
        )
    with on_chain.chain.errors():
        withdrawn = on_chain.oracle.revoked(party(document, role), digest(span.message(document)))
    if withdrawn:
        raise ConfigurationError(
            f"{about}: the {role} has withdrawn its signature", hint="agree on another span"
        )


def _is_there(on_chain: OnChain, each: ExcludedSpan) -> bool:
    """Whether the oracle knows the span."""
    feed = on_chain.document.levels[each.level].feed
    with on_chain.chain.errors():
        found = on_chain.oracle.exclusions(feed.id, feed.measurement.window_of(each.span.first))
    return any((one.first, one.end) == (each.span.first, each.span.end) for one in found)


def _is_too_late(on_chain: OnChain, each: ExcludedSpan) -> bool:
    """Whether it is too late to bring the span to the oracle."""
    measurement = on_chain.document.levels[each.level].feed.measurement
    return on_chain.now + measurement.notice > measurement.start_of(each.span.first)


def _shown_level(on_chain: OnChain, each: ExcludedSpan) -> str:
    return f"{on_chain.document.levels[each.level].name} {shown(on_chain, each.level, each.span)}"


def _effect(on_chain: OnChain, each: ExcludedSpan) -> str:
    measurement = on_chain.document.levels[each.level].feed.measurement
    begun = on_chain.now >= measurement.window_start(measurement.window_of(each.span.first))
    count = "stays in the denominator, as good" if begun else "leaves the denominator"
    much = show_duration((each.span.end - each.span.first) * measurement.interval)
    return f"{_shown_level(on_chain, each)} ({much}) is not judged; it {count}"


def _facts(on_chain: OnChain, each: ExcludedSpan) -> dict[str, str]:
    level = on_chain.document.levels[each.level]
    measurement = level.feed.measurement
    return {
        "level": level.name,
        "from": show_time(measurement.start_of(each.span.first)),
        "to": show_time(measurement.start_of(each.span.end)),
    }
