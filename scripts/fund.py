"""Pays for further windows of an open agreement, before they begin.

    brownie run scripts/fund.py main path/to/agreement.yaml FIRST COUNT --network sepolia

pays windows FIRST to FIRST + COUNT - 1 (numbered from 0) from the account MAKEGOOD_ACCOUNT. A window that is not paid
when it begins lapses for good. The environment's variables are listed in scripts/deploy.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer.document import load_document, quantities
from relayer.errors import ConfigurationError
from scripts.deploy import choose_account, confirm, connected_chain, one_message
from scripts.register import check_document, checked_escrow, described, fees, pay

if TYPE_CHECKING:
    from relayer.document import Document
    from relayer.protocol.terms import Terms


def fund(document: Document, first: int, count: int, account: Any) -> None:
    """Pays for windows [first, first + count) of a document's agreement."""
    check_document(connected_chain(), document)
    fund_terms(document.terms, first, count, account)


def fund_terms(terms: Terms, first: int, count: int, account: Any) -> None:
    """Pays for windows [first, first + count) of an open agreement.

    :raises ConfigurationError: These terms do not belong on this chain, or the account cannot pay.
    :raises Reverted: The escrow refuses; nothing was sent but, possibly, an approval.
    """
    chain = connected_chain()
    escrow = checked_escrow(chain, terms)
    due = fees(terms, range(first, first + count))
    pay(chain, account, escrow.fund(terms, first, count), terms.token, due)


def main(path: str, first: str, count: str) -> None:
    """Pays for `count` windows from window `first` on of the agreement of the document at `path`."""
    with one_message():
        document = load_document(path, adapters=False)
        if not (first.isdecimal() and count.isdecimal() and int(count)):
            raise ConfigurationError(
                f"{first} {count}: name the first window, counted from 0, and how many are paid"
            )
        chain = connected_chain()
        check_document(chain, document)
        account = choose_account(chain)
        begins = quantities.show_time(document.terms.window_start(int(first)))
        windows = range(int(first), int(first) + int(count))
        confirm(
            chain,
            account,
            {
                **described(chain, document, windows),
                "first window": f"{first}, which begins {begins}",
            },
        )
        fund(document, int(first), int(count), account)
        print(f"Windows {first} to {int(first) + int(count) - 1} are paid for.")
