"""From the shape of a document to terms that the contracts accept, or to the lines that prevent it.

The rules themselves are those of :mod:`relayer.protocol.terms`. To tell which field breaks one, each field is put alone
into terms that are otherwise sound.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from relayer.document import model, quantities
from relayer.document.levels import sound_terms, with_advice
from relayer.protocol.terms import BPS, NO_TERMS, NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.document.findings import Findings
    from relayer.document.levels import BuiltLevel
    from relayer.protocol.terms import Terms
    from relayer.yaml_lines import Location


def build_terms(
    document: model.DocumentModel,
    levels: list[BuiltLevel],
    document_hash: bytes,
    findings: Findings,
) -> Terms | None:
    """Terms for the contracts; None if problems were found."""
    spec = document.spec
    before = len(findings.problems)
    fee = _amount(spec, ("money", "feePerWindow"), spec.money.fee_per_window, findings)
    bond = _amount(spec, ("money", "bond"), spec.money.bond, findings)
    deposit = 0
    if spec.dispute:
        deposit = _amount(spec, ("dispute", "deposit"), spec.dispute.deposit, findings) or 0
    start = spec.term.start
    sound = sound_terms(bonded=bool(bond))
    terms = replace(
        sound,
        provider=spec.parties.provider,
        consumer=spec.parties.consumer,
        token=spec.settlement.token,
        oracle=spec.settlement.oracle,
        start=start,
        open_by=start if spec.term.open_by is None else spec.term.open_by,
        fee_per_window=1 if fee is None else fee,
        windows=spec.term.windows,
        prepaid_windows=_prepaid(spec),
        levels=tuple(built.level for built in levels),
        combination=model.COMBINATIONS[spec.credits.combine],
        credit_cap=spec.credits.cap,
        unknown_policy=model.UNKNOWN_POLICIES[spec.unknown.count_as],
        unknown_limit=spec.unknown.max_share,
        unknown_credit=spec.unknown.credit,
        document=document_hash,
        salt=spec.salt,
        previous=spec.amends or NO_TERMS,
        bond=bond or 0,
        arbiter=spec.dispute.arbiter if spec.dispute else NOBODY,
        challenge_period=spec.dispute.challenge_period if spec.dispute else 0,
        dispute_deposit=deposit,
        breaches_to_end=spec.termination.breaches,
        notice_period=spec.termination.notice,
    )
    _check_alone(spec, terms, sound, findings)
    if not findings.problems:
        findings.add(("spec",), terms.problem())
    return terms if len(findings.problems) == before else None


def check_names(levels: list[model.LevelModel], findings: Findings) -> None:
    """Levels are told apart by name."""
    seen: dict[str, int] = {}
    for number, level in enumerate(levels):
        if level.name in seen:
            place: Location = ("spec", "levels", number, "name")
            findings.add(place, f'levels[{seen[level.name]}] is called "{level.name}" already')
        seen.setdefault(level.name, number)


def notices_of(terms: Terms) -> Iterator[str]:
    """What is allowed, and probably not meant."""
    if terms.bond and terms.credit_cap <= BPS:
        yield "the bond pays what a credit is larger than the fee, but credits.cap is at most 100%: it will pay nothing"
    if terms.arbiter in (terms.provider, terms.consumer):
        yield "the arbiter of disputes is one of the parties"


def is_bonded(money: model.Money) -> bool:
    """Whether there is a bond, whatever the token's decimals are."""
    return quantities.amount(money.bond, quantities.MAX_PLACES) > 0


def _amount(
    spec: model.SpecModel, place: Location, written: str | int, findings: Findings
) -> int | None:
    return findings.read(("spec", *place), quantities.amount, written, spec.settlement.decimals)


def _prepaid(spec: model.SpecModel) -> int:
    """By default one window is paid at opening, where one can be."""
    if spec.term.prepaid_windows is not None:
        return spec.term.prepaid_windows
    return 0 if spec.amends or is_bonded(spec.money) else 1


def _check_alone(spec: model.SpecModel, terms: Terms, sound: Terms, findings: Findings) -> None:
    """Each field alone, so that a message stands where the mistake is."""
    alone: tuple[tuple[Location, tuple[str, ...]], ...] = (
        (("parties", "consumer"), ("provider", "consumer")),
        (("term", "windows"), ("windows", "prepaid_windows")),
        (("money", "feePerWindow"), ("fee_per_window",)),
        (("money", "bond"), ("bond", "prepaid_windows")),
        (("credits", "cap"), ("credit_cap",)),
        (("unknown", "maxShare"), ("unknown_limit",)),
        (("unknown", "credit"), ("unknown_credit",)),
        (("dispute", "challengePeriod"), ("arbiter", "challenge_period")),
        (("dispute", "deposit"), ("arbiter", "challenge_period", "dispute_deposit")),
        (("termination", "breaches"), ("breaches_to_end",)),
        (("termination", "notice"), ("notice_period",)),
    )
    told = False
    for place, fields in alone:
        changed: dict[str, Any] = {name: getattr(terms, name) for name in fields}
        if "prepaid_windows" in changed:
            changed["prepaid_windows"] = 0
        written = changed.get("windows")
        problem = replace(sound, **changed).problem()
        # A challenge period that is wrong is wrong beside the deposit, too.
        if problem and not (told and place[0] == "dispute"):
            findings.add(("spec", *place), with_advice(problem), written)
            told = place[0] == "dispute"
    if terms.open_by > terms.start:
        when = replace(sound, open_by=1).problem()
        findings.add(("spec", "term", "openBy"), when)
    if 1 <= terms.windows < 1 << 16:
        _check_prepaid(spec, terms, sound, findings)


def _check_prepaid(spec: model.SpecModel, terms: Terms, sound: Terms, findings: Findings) -> None:
    place: Location = ("spec", "term", "prepaidWindows")
    if terms.prepaid_windows and (terms.bond or spec.amends):
        why = "there is a bond, which is deposited after the opening" if terms.bond else ""
        why = why or "these terms amend others, whose money is held already"
        findings.add(
            place,
            f"no window can be prepaid where {why}: write 0, or leave the field out, and fund windows later",
            terms.prepaid_windows,
        )
        return
    prepaid = replace(sound, windows=terms.windows, prepaid_windows=terms.prepaid_windows)
    findings.add(place, prepaid.problem())
