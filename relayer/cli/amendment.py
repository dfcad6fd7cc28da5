"""`makegood sla amend`: new terms take the place of those that run, or renew them where they end (rule 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from relayer.cli.agreement import OnChain
from relayer.cli.joint_ending import windows_of
from relayer.cli.output import output_options
from relayer.cli.sending import YES, Step, carry_out, nothing_to_do, opened, tokens
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import signatures
from relayer.document.quantities import show_time
from relayer.errors import ConfigurationError
from relayer.protocol.terms import NO_TERMS

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.cli.session import Session
    from relayer.document import Document


class Takeover(NamedTuple):
    """Where new terms take over.

    :param window: The first window of the old terms that is theirs no more. :param moved: Those that are paid for and move.
    """

    window: int
    moved: list[int]


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--from", "former", type=DOCUMENT, required=True, help="The document that it amends.")
@YES
@session_options
@output_options
def amend(session: Session, document: Path, former: Path, *, yes: bool) -> None:
    """Let DOCUMENT, which both parties have signed, take the place of the one that runs.

    It names the agreement that it amends (spec.amends) and starts where one of its windows begins, or where it ends. What is
    paid for later windows moves along. Anyone may bring it; without a key this says what would be done.
    """
    following = session.document(document)
    old = opened(session, former)
    _check_same_place(following, old)
    new = OnChain(following, old.chain)
    new.check()
    if new.registered:
        nothing_to_do(session, new, f"{document} has taken over already")
        return
    _check_old(old)
    takeover = _takeover(old, new)
    given = signatures.load(following)
    faults = signatures.verify(following, given, new.chain.has_code)
    if wrong := {role: fault for role, fault in faults.items() if fault}:
        raise ConfigurationError(
            "; ".join(wrong.values()),
            hint="; ".join(f"makegood sla sign {document} --as {role}" for role in wrong),
        )
    if new.revoked_by:
        raise ConfigurationError(
            f"the {' and the '.join(new.revoked_by)} withdrew the signature under {document}",
            hint="agree on other terms, with another salt",
        )
    call = new.escrow.amend(old.terms, new.terms, given.provider or b"", given.consumer or b"")
    facts = {
        "amends": f"0x{old.document.agreement_id.hex()}",
        "takesOverAt": show_time(new.terms.start),
        "fromWindow": takeover.window,
        "moved": takeover.moved,
    }
    effects = _effects(old, new, takeover)
    carry_out(session, new, [Step("amend", call, "escrow")], effects, yes=yes, facts=facts)


def _check_same_place(following: Document, old: OnChain) -> None:
    """Raises ConfigurationError unless the new document says that it amends the old one, on its escrow."""
    previous, former = following.terms.previous, old.document
    named = f'amends: "0x{former.agreement_id.hex()}"'
    if previous == NO_TERMS:
        raise ConfigurationError(
            f"{following.path} amends nothing (spec.amends)",
            hint=f"write {named} in spec; or makegood sla open {following.path}",
        )
    if previous != former.agreement_id:
        raise ConfigurationError(
            f"{following.path} amends 0x{previous.hex()}, but {former.path} is 0x{former.agreement_id.hex()}",
            hint=f"--from names the document that is amended; or write {named}, and both sign again",
        )
    if following.domains.escrow != former.domains.escrow:
        raise ConfigurationError(
            f"{following.path} names another escrow or chain than {former.path}",
            hint="terms are amended where they are; both parties sign again",
        )


def _check_old(old: OnChain) -> None:
    if old.status == "ended":
        raise ConfigurationError(
            f"{old.document.path} has ended before window {old.end}: it was ended early, or amended by other terms",
            hint="amend the newest terms, or open a new agreement",
        )


def _takeover(old: OnChain, new: OnChain) -> Takeover:
    """Where the new terms take over. Raises ConfigurationError if they cannot."""
    before, after, path = old.terms, new.terms, new.document.path
    again = "correct it; both parties sign again"
    kept = {
        "parties": (before.provider, before.consumer) == (after.provider, after.consumer),
        "token": before.token == after.token,
        "oracle": before.oracle == after.oracle,
    }
    if changed := [name for name, same in kept.items() if not same]:
        raise ConfigurationError(
            f"{path} has another {' and another '.join(changed)}, which cannot be amended",
            hint=again,
        )
    if bool(before.bond) != bool(after.bond):
        raise ConfigurationError(f"{path}: a bond can neither come nor go by amending", hint=again)
    window = before.window_from(after.start)
    if window > before.windows or before.window_start(window) != after.start:
        raise ConfigurationError(
            f"{path} starts at {show_time(after.start)}, where no window of {old.document.path} begins or ends",
            hint=f"start where one does, at {show_time(before.window_start(min(window, before.windows)))}; both parties sign again",
        )
    _check_time(new)
    moved = []
    for number in range(window, before.windows):
        if old.window_status(number)[0] != "funded":
            continue
        place = number - window
        if place >= after.windows or after.fee_of(place) != before.fee_of(number):
            raise ConfigurationError(
                f"window {number} of {old.document.path} is paid for, and {path} does not have it at the same fee",
                hint="keep the fee and enough windows, or start after it; both parties sign again",
            )
        moved.append(number)
    return Takeover(window, moved)


def _check_time(new: OnChain) -> None:
    path, start, open_by = new.document.path, new.terms.start, new.terms.open_by
    late = None
    if new.now > open_by:
        late = f"had to take over by {show_time(open_by)}"
    elif new.now >= start:
        late = f"had to take over before it starts, at {show_time(start)}"
    if late:
        raise ConfigurationError(
            f"{path} {late}", hint="agree on a later start; both parties sign again"
        )


def _effects(old: OnChain, new: OnChain, takeover: Takeover) -> list[str]:
    at, window, moved = show_time(new.terms.start), takeover.window, takeover.moved
    renewal = window == old.terms.windows
    effects = [
        f"{new.document.path} renews {old.document.path} where it ends, at {at}"
        if renewal
        else f"{new.document.path} takes over at {at}, where window {window} of {old.document.path} would begin",
        f"every earlier window is settled under {old.document.path}",
    ]
    if moved:
        fees = sum(map(old.terms.fee_of, moved))
        places = windows_of([number - window for number in moved])
        effects.append(
            f"{tokens(old, fees)} paid for {windows_of(moved)} move along: {places} of the new terms"
        )
    elif not renewal:
        effects.append("no later window is paid for: nothing moves")
    effects.append(
        f"it has {new.terms.windows} windows of {tokens(new, new.terms.fee_per_window)} each"
    )
    if new.terms.bond:
        with new.chain.errors():
            held = new.escrow.bond(old.document.agreement_id)
        needed = max(0, new.terms.bond - held.amount) + held.owed
        effects.append(f"the bond of {tokens(new, held.amount)} stays")
        if needed:
            effects.append(
                f"{tokens(new, needed)} of bond are missing before a window can be paid for"
            )
    return effects
