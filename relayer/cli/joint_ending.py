"""How both parties end an agreement at once: one proposes and signs, the other signs the same, anyone brings it (rule 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from relayer.cli.agreement import windows_text
from relayer.cli.sending import (
    Step,
    agree,
    amount_option,
    carry_out,
    nothing_to_do,
    show_plan,
    signing_account,
    tokens,
)
from relayer.document import consents
from relayer.document.consents import Ending
from relayer.document.quantities import show_time
from relayer.document.signatures import ROLES, Role, party
from relayer.errors import ConfigurationError
from relayer.protocol import typed_data
from relayer.protocol.terms import BPS, Termination

if TYPE_CHECKING:
    from relayer.cli.agreement import OnChain
    from relayer.cli.session import Session

VALID_SECONDS = 2 * 86_400
"""How long a proposed ending may be used: what is closed in the meantime changes what it does."""


class Proposal(NamedTuple):
    """What stands on the command line of an ending that is to be signed.

    :param share: The provider's, of what is still held [bps]. :param first: First window that ends.
    :param valid: How long it may be used [s].
    """

    role: Role | None
    provider_gets: str | None
    share: int | None
    first: int | None
    valid: int | None

    def check(self, *, signing: bool) -> None:
        """Raises a usage error if it makes no sense."""
        if not signing and self != (None,) * 5:
            raise click.UsageError(
                "--as, --provider-gets, --share, --from-window and --valid go with --sign"
            )
        if self.provider_gets is not None and self.share is not None:
            raise click.UsageError("give --provider-gets or --share, not both")
        if not self.is_new and (self.first is not None or self.valid is not None):
            raise click.UsageError("a proposal says --provider-gets or --share, too")
        if self.share is not None and self.share > BPS:
            raise click.BadParameter("at most 100%", param_hint="--share")

    @property
    def signer(self) -> Role:
        if self.role is None:
            raise click.UsageError("--sign needs --as provider or --as consumer")
        return self.role

    @property
    def is_new(self) -> bool:
        """Whether it proposes something, and not only signs what was proposed."""
        return self.provider_gets is not None or self.share is not None


def windows_of(numbers: list[int]) -> str:
    together = numbers == list(range(numbers[0], numbers[-1] + 1))
    text = windows_text(numbers) if together else ", ".join(map(str, numbers))
    return f"window{'s' if len(numbers) > 1 else ''} {text}"


def held_from(on_chain: OnChain, first: int) -> tuple[list[int], int]:
    """The windows from ``first`` on that are funded and not closed, and what of their fees is still held."""
    funded, held = [], 0
    for number in range(first, on_chain.end):
        status, paid = on_chain.window_status(number)
        if status == "funded":
            funded.append(number)
            held += max(0, on_chain.terms.fee_of(number) - paid)
    return funded, held


def _proposed(on_chain: OnChain) -> Ending:
    """What the file beside the document says."""
    found = consents.load_ending(on_chain.document)
    if found is None:
        raise ConfigurationError(
            f"there is no {consents.ending_path(on_chain.document)}: no ending is proposed",
            hint="propose one: --sign --as ROLE with --provider-gets or --share; or fetch the other party's file",
        )
    return found


def _proposal(on_chain: OnChain, proposed: Proposal) -> Ending:
    """A new ending; or the one that is there already, if it says the same."""
    document = on_chain.document
    window = max(0, on_chain.current_window()) if proposed.first is None else proposed.first
    _check_window(on_chain, window)
    _, held = held_from(on_chain, window)
    if proposed.provider_gets is not None:
        to_provider = amount_option(on_chain, "--provider-gets", proposed.provider_gets)
    else:
        to_provider = held * (proposed.share or 0) // BPS
    found = consents.load_ending(document)
    if found is None or found.termination.valid_until < on_chain.now:
        valid_until = on_chain.now + (proposed.valid or VALID_SECONDS)
        return Ending(Termination(document.agreement_id, window, to_provider, valid_until))
    there = found.termination
    if (there.window, there.to_provider) == (window, to_provider):
        return found
    raise ConfigurationError(
        f"{consents.ending_path(document)} proposes another ending: from window {there.window} on, "
        f"{tokens(on_chain, there.to_provider)} to the provider",
        hint="sign that one (leave out the amount), or remove the file; what is signed stays valid until "
        f"{show_time(there.valid_until)}",
    )


def sign(session: Session, on_chain: OnChain, proposed: Proposal, *, yes: bool) -> None:
    """Signs what is proposed on the command line, or in the file beside the document, and keeps it there."""
    role = proposed.signer
    ending = _proposal(on_chain, proposed) if proposed.is_new else _proposed(on_chain)
    document, output = on_chain.document, session.output
    other: Role = "consumer" if role == "provider" else "provider"
    if _was_done(session, on_chain, ending):
        return
    _check_usable(on_chain, ending)
    if ending.signatures.of(other):
        _check_signature(on_chain, ending, other)
    if consents.fault(document, ending, role) is None:
        nothing_to_do(session, on_chain, f"the {role} has signed this already")
        return
    account = signing_account(session, on_chain, role)
    show_plan(session, on_chain, _together_effects(on_chain, ending))
    agree(session, on_chain.chain.chain_id, f"Sign as {role}?", yes=yes)
    ending = ending.signed(role, typed_data.sign(account, ending.message(document)))
    consents.write_ending(document, ending)
    file = consents.ending_path(document)
    result = {
        "agreementId": f"0x{document.agreement_id.hex()}",
        "role": role,
        "signer": account.address,
        "file": str(file),
        "window": ending.termination.window,
        "providerGets": document.amount(ending.termination.to_provider),
        "validUntil": show_time(ending.termination.valid_until),
        "missing": ending.signatures.missing,
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
    follows = f"--sign --as {other}" if ending.signatures.missing else "--together"
    output.note(f"next: makegood sla end {document.path} {follows}")


def bring(session: Session, on_chain: OnChain, *, yes: bool) -> None:
    """Sends what both have signed."""
    ending = _proposed(on_chain)
    if _was_done(session, on_chain, ending):
        return
    _check_usable(on_chain, ending)
    for role in ROLES:
        _check_signature(on_chain, ending, role)
    given, terms = ending.signatures, on_chain.terms
    call = on_chain.escrow.terminate(
        terms, ending.termination, given.provider or b"", given.consumer or b""
    )
    effects = _together_effects(on_chain, ending)
    _, held = held_from(on_chain, ending.termination.window)
    facts = {
        "endsBeforeWindow": ending.termination.window,
        "toProvider": on_chain.document.amount(ending.termination.to_provider),
        "toConsumer": on_chain.document.amount(held - ending.termination.to_provider),
    }
    carry_out(session, on_chain, [Step("terminate", call, "escrow")], effects, yes=yes, facts=facts)


def _was_done(session: Session, on_chain: OnChain, ending: Ending) -> bool:
    if on_chain.status != "ended" or on_chain.end > ending.termination.window:
        return False
    nothing_to_do(session, on_chain, f"the agreement has ended before window {on_chain.end}")
    return True


def _check_window(on_chain: OnChain, window: int) -> None:
    if window >= on_chain.end:
        raise ConfigurationError(
            f"nothing is left to end from window {window} on: the agreement has {on_chain.end} windows",
            hint="--from-window names the first window that ends",
        )


def _check_usable(on_chain: OnChain, ending: Ending) -> None:
    """Raises ConfigurationError unless the escrow would take the ending, signatures aside."""
    agreed, file = ending.termination, consents.ending_path(on_chain.document)
    _check_window(on_chain, agreed.window)
    if on_chain.now > agreed.valid_until:
        raise ConfigurationError(
            f"the ending in {file} was valid until {show_time(agreed.valid_until)}",
            hint="sign a new one: --sign --as ROLE with --provider-gets or --share",
        )
    _, held = held_from(on_chain, agreed.window)
    if agreed.to_provider > held:
        raise ConfigurationError(
            f"{tokens(on_chain, held)} are still held from window {agreed.window} on: the provider cannot get "
            f"{tokens(on_chain, agreed.to_provider)}",
            hint="both sign a smaller amount",
        )


def _check_signature(on_chain: OnChain, ending: Ending, role: Role) -> None:
    document = on_chain.document
    file = consents.ending_path(document)
    if fault := consents.fault(document, ending, role, on_chain.chain.has_code):
        raise ConfigurationError(
            f"{file}: {fault}",
            hint=f"makegood sla end {document.path} --sign --as {role}"
            if ending.signatures.of(role) is None
            else "the file was changed, or is under another key: remove it, and both sign again",
        )
    with on_chain.chain.errors():
        withdrawn = on_chain.escrow.revoked(
            party(document, role), typed_data.digest(ending.message(document))
        )
    if withdrawn:
        raise ConfigurationError(
            f"the {role} has withdrawn its signature under {file}", hint="agree on another ending"
        )


def _together_effects(on_chain: OnChain, ending: Ending) -> list[str]:
    agreed = ending.termination
    funded, held = held_from(on_chain, agreed.window)
    return [
        f"all windows from {agreed.window} on end at once, closed ones excepted; credits paid stand",
        f"{tokens(on_chain, held)} are still held for {windows_of(funded)}"
        if funded
        else "no money is held for them",
        (
            f"the provider gets {tokens(on_chain, agreed.to_provider)}, "
            f"the consumer the rest, now {tokens(on_chain, held - agreed.to_provider)}"
        ),
        f"may be used until {show_time(agreed.valid_until)}",
    ]
