"""Opens an agreement from its document and both parties' signatures.

    brownie run scripts/register.py main path/to/agreement.yaml --network sepolia

The signatures lie beside the document. Anyone may bring them; the fee of the prepaid windows comes from the account that
does (MAKEGOOD_ACCOUNT). The environment's variables are listed in scripts/deploy.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer import bindings
from relayer.document import load_document, quantities, signatures
from relayer.errors import ChecksFailed, ConfigurationError, Reverted
from scripts import deployments
from scripts.deploy import choose_account, confirm, connected_chain, is_deployed, one_message, send
from scripts.deployments import ESCROW, ORACLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eth_typing import ChecksumAddress

    from relayer.chain import Chain
    from relayer.document import Document
    from relayer.protocol.terms import Terms
    from scripts.deployments import Deployment

# What to do about a refusal; the error itself says what is wrong.
HINTS = {
    "SLAEscrow_IdUsed": "an agreement is opened once: change the document's salt, and sign it again, for a second one",
    "SLAEscrow_TooLateToOpen": "agree on later times in a new document, and sign that",
    "SLAEscrow_AlreadyJudged": "agree on a later start in a new document, and sign that",
    "PartySignatures_Invalid": "this party has to sign this very document, for this chain and this escrow",
    "PartySignatures_Revoked": "this party has withdrawn its signature for good: agree on new terms with another salt",
    "SLAEscrow_NotOpen": "open the agreement first: brownie run scripts/register.py main ...",
    "SLAEscrow_WindowBegan": "a window is paid before it begins, or lapses: begin with a later one",
    "SLAEscrow_WindowNot": "it is paid for already: begin with a later window",
    "SLAEscrow_NoWindows": "windows are numbered from 0",
    "SLAEscrow_BondMissing": "the provider posts the bond before windows are paid",
    "Treasury_ReceivedLess": "tokens that charge for a transfer cannot be used",
}
# What the escrow refuses for, whatever the account owns; the rest comes from moving the money.
OWN_ERRORS = ("SLAEscrow_", "PartySignatures_", "Measurement_", "Scope_")


def register(document: Document, account: Any) -> bytes:
    """Opens the agreement of a document with the signatures that lie beside it.

    :returns: The agreement's id.
    """
    chain = connected_chain()
    check_document(chain, document)
    signed = signatures.load(document)
    faults = [
        fault for fault in signatures.verify(document, signed, chain.has_code).values() if fault
    ]
    if faults or signed.provider is None or signed.consumer is None:
        raise ConfigurationError(
            f"{signatures.path_of(document)}: {'; '.join(faults)}",
            hint="both parties sign the document as it is now: makegood sla sign",
        )
    return register_terms(document.terms, signed.provider, signed.consumer, account)


def register_terms(
    terms: Terms, provider_signature: bytes, consumer_signature: bytes, account: Any
) -> bytes:
    """Opens an agreement, after checking whatever can be checked for nothing.

    :returns: The agreement's id.
    :raises ConfigurationError: These terms do not belong on this chain, or the account cannot pay.
    :raises Reverted: The escrow refuses them; nothing was sent but, possibly, an approval.
    """
    chain = connected_chain()
    escrow = checked_escrow(chain, terms)
    call = escrow.open(terms, provider_signature, consumer_signature)
    pay(chain, account, call, terms.token, fees(terms, range(terms.prepaid_windows)))
    agreement_id = escrow.agreement_id(terms)
    if escrow.status(agreement_id) != "open":
        raise ChecksFailed(f"agreement 0x{agreement_id.hex()} is not open after all")
    return agreement_id


def checked_escrow(chain: Chain, terms: Terms) -> bindings.Escrow:
    """The escrow recorded for this chain, if the terms could be opened there."""
    deployment = _deployment(chain)
    _check_addresses(chain, terms, deployment)
    if problem := terms.problem():
        raise ConfigurationError(
            f"the escrow would refuse the terms: {problem}",
            hint="correct the document, and have it signed again",
        )
    return bindings.Escrow(chain.w3, deployment.escrow)


def _deployment(chain: Chain) -> Deployment:
    """What is recorded for this chain, if it is there."""
    deployment = deployments.recorded(chain.chain_id)
    for name, address in ((ESCROW, deployment.escrow), (ORACLE, deployment.oracle)):
        if not is_deployed(chain, name, address):
            raise ConfigurationError(
                f"there is no {name} of this version at {address} on chain {chain.chain_id}",
                hint="is this the right network? If its chain was reset, deploy again",
            )
    return deployment


def check_document(chain: Chain, document: Document) -> None:
    """What a document says beyond its terms: chain, escrow and decimals."""
    deployment, hint = _deployment(chain), "is this the right document and network?"
    if document.chain_id != chain.chain_id:
        raise ConfigurationError(
            f"{document.path} is for chain {document.chain_id}, and this is chain {chain.chain_id}",
            hint=hint,
        )
    if document.domains.escrow.contract != deployment.escrow:
        raise ConfigurationError(
            f"{document.path} names the escrow {document.domains.escrow.contract}, but on chain "
            f"{chain.chain_id} it is {deployment.escrow}",
            hint=hint,
        )
    _check_addresses(chain, document.terms, deployment)
    with chain.errors():
        decimals = bindings.Token(chain.w3, document.terms.token).decimals()
    if decimals != document.token_decimals:
        raise ConfigurationError(
            f"{document.path} gives the token {document.token_decimals} decimals; it has {decimals}",
            hint="correct the document, and have it signed again",
        )


def _check_addresses(chain: Chain, terms: Terms, deployment: Deployment) -> None:
    if terms.oracle != deployment.oracle:
        raise ConfigurationError(
            f"the agreement names the oracle {terms.oracle}, but on chain {chain.chain_id} it is "
            f"{deployment.oracle}",
            hint="is this the right network? If so, correct the document, and have it signed again",
        )
    if not chain.has_code(terms.token):
        raise ConfigurationError(
            f"there is no token at {terms.token} on chain {chain.chain_id}",
            hint=f"the test dollar is at {deployment.token}" if deployment.token else None,
        )


def pay(chain: Chain, account: Any, call: Any, token_address: ChecksumAddress, due: int) -> None:
    """Sends a call to the escrow that takes `due` from the account, approving exactly that beforehand."""
    token, escrow = bindings.Token(chain.w3, token_address), call.address
    with chain.errors():
        balance = token.balance(account.address)
        allowance = token.allowance(account.address, escrow)
    try:
        if allowance < due:
            # A call that would be refused even with the money must not leave an approval behind. The escrow takes the
            # money last, so any refusal of its own comes before the token's.
            _refuse_unless_money_is_missing(chain, account, call)
            if balance < due:
                raise ConfigurationError(
                    f"{account.address} has {shown(token, balance)}, but pays {shown(token, due)}",
                    hint="send it the rest; test dollars come from: brownie run scripts/deploy.py mint",
                )
            if allowance:
                # some tokens, the largest dollar among them, change an allowance from and to zero only
                send(chain, account, token.approve(escrow, 0))
            send(chain, account, token.approve(escrow, due))
        send(chain, account, call)
    except Reverted as refusal:
        refusal.hint = HINTS.get(refusal.error or "") or refusal.hint
        raise


def _refuse_unless_money_is_missing(chain: Chain, account: Any, call: Any) -> None:
    try:
        chain.simulate(call, account.address)
    except Reverted as refusal:
        if (refusal.error or "").startswith(OWN_ERRORS):
            raise


def fees(terms: Terms, windows: Iterable[int]) -> int:
    """What these windows cost; the first one may be short and cost less."""
    return sum(map(terms.fee_of, windows))


def shown(token: bindings.Token, units: int) -> str:
    """An amount of a token, e.g. `300.00 tUSD`."""
    return f"{quantities.show_amount(units, token.decimals())} {token.symbol()}"


def described(chain: Chain, document: Document, windows: range) -> dict[str, object]:
    """What somebody would want to read again before money moves."""
    terms, token = document.terms, bindings.Token(chain.w3, document.terms.token)
    test_dollar = deployments.recorded(chain.chain_id).token
    first = terms.fee_of(0)
    with chain.errors():
        short = {} if first == terms.fee_per_window else {"first window": shown(token, first)}
        return {
            "agreement": f"{document.name} (0x{document.agreement_id.hex()})",
            "document": f"0x{document.hash.hex()}",
            "escrow": document.domains.escrow.contract,
            "oracle": terms.oracle,
            "token": terms.token + (" (the test dollar)" if terms.token == test_dollar else ""),
            "provider": terms.provider,
            "consumer": terms.consumer,
            "open by": quantities.show_time(terms.open_by),
            "starts": quantities.show_time(terms.start),
            "windows": f"{terms.windows} of {quantities.show_window(terms.window_seconds)}",
            "fee per window": shown(token, terms.fee_per_window),
            **short,
            "service levels": ", ".join(level.name for level in document.levels),
            "pays now": f"{shown(token, fees(terms, windows))} for {len(windows)} window(s)",
        }


def main(path: str) -> None:
    """Opens the agreement of the document at `path`."""
    with one_message():
        # whoever only brings signatures needs no monitoring service
        document = load_document(path, adapters=False)
        chain = connected_chain()
        check_document(chain, document)
        account = choose_account(chain)
        confirm(chain, account, described(chain, document, range(document.terms.prepaid_windows)))
        agreement_id = register(document, account)
        print(f"Agreement 0x{agreement_id.hex()} is open.")
