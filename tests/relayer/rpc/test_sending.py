"""Transactions through endpoints that drop them, lose the answer or refuse."""

from __future__ import annotations

import pytest

from relayer.chain import Sent
from relayer.errors import ChainUnavailable
from relayer.operations import metrics
from tests.relayer.rpc.kit import count, direct, label, mine, mined, pay, signed_payment


def test_a_transaction_goes_to_every_endpoint_so_that_one_which_drops_it_does_no_harm(
    proxies, connect, anvil_url
):
    dropping, good, *_ = proxies
    chain = connect(dropping, good)
    dropping.drop_transactions()
    pay(chain)


@pytest.mark.usefixtures("hurry")
def test_a_lost_answer_is_made_up_by_the_other(proxies, connect, anvil_url):
    losing, good, *_ = proxies
    chain = connect(losing, good)
    losing.lose_answer("eth_sendRawTransaction")
    direct(anvil_url, "evm_setAutomine", False)
    try:
        payment = signed_payment(chain)
        assert chain.broadcast(bytes(payment.raw_transaction)) is Sent.KNOWN
        assert chain.w3.eth.send_raw_transaction(payment.raw_transaction) == payment.hash, (
            "for web3 it is a success"
        )
    finally:
        direct(anvil_url, "evm_setAutomine", True)
        mine(anvil_url, 1, 1)
    mined(chain, payment)


def test_with_one_endpoint_a_lost_answer_is_unclear_and_the_repetition_is_known(
    proxies, connect, anvil_url
):
    [losing, *_] = proxies
    chain = connect(losing)
    losing.lose_answer("eth_sendRawTransaction")
    direct(anvil_url, "evm_setAutomine", False)
    try:
        payment = signed_payment(chain)
        with pytest.raises(ChainUnavailable, match="no answer"):
            chain.broadcast(bytes(payment.raw_transaction))
        losing.clear()
        assert chain.broadcast(bytes(payment.raw_transaction)) is Sent.KNOWN
    finally:
        direct(anvil_url, "evm_setAutomine", True)
        mine(anvil_url, 1, 1)
    mined(chain, payment)


def test_one_that_accepts_outweighs_one_that_refuses(proxies, connect):
    refusing, good, *_ = proxies
    chain = connect(refusing, good)
    refusing.error(-32000, "insufficient funds for gas * price + value", "eth_sendRawTransaction")
    pay(chain)
    assert count(metrics.RPC_UP, label(refusing)) == 1


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("already known", Sent.KNOWN),
        ("nonce too low", Sent.NONCE_USED),
        ("replacement transaction underpriced", Sent.UNDERPRICED),
        ("insufficient funds for gas * price + value", Sent.NO_FUNDS),
        ("exceeds block gas limit", Sent.REFUSED),
        ("something that nobody has seen before", Sent.REFUSED),
    ],
)
def test_what_became_of_a_transaction_is_one_word(message, sent, proxies, connect):
    [proxy, *_] = proxies
    chain = connect(proxy)
    proxy.error(-32000, message, "eth_sendRawTransaction")
    assert chain.broadcast(bytes(signed_payment(chain).raw_transaction)) is sent


def test_an_endpoint_that_is_behind_gives_no_clear_answer_to_a_transaction(proxies, connect):
    [proxy, *_] = proxies
    chain = connect(proxy)
    proxy.error(-32000, "header not found", "eth_sendRawTransaction")
    with pytest.raises(ChainUnavailable, match="header not found"):
        chain.broadcast(bytes(signed_payment(chain).raw_transaction))
