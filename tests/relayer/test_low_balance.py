"""One look at the balance that shows too little is no alert: a node may lag or err. Two in a row are one."""

from __future__ import annotations

import pytest

from relayer.chain import Chain
from relayer.outbox import BALANCE_SECONDS
from tests.faults.rpc_proxy import RpcProxy
from tests.relayer.sending import KEY, RICH

LOW = {"balance_low", "balance_critical"}


@pytest.fixture
def node(sending, anvil):
    """The endpoint through which the outbox sees the chain."""
    direct = sending.chain
    with RpcProxy(anvil) as proxy:
        sending.chain = Chain.connect(proxy.url)
        sending.restarted()
        yield proxy
    sending.chain = direct


def look(sending):
    sending.time += BALANCE_SECONDS
    sending.outbox.advance()


def test_one_strange_answer_is_no_alert(sending, node):
    node.result("0x0", "eth_getBalance")
    look(sending)
    node.clear()
    look(sending)
    assert sending.firing() == set()
    node.result("0x0", "eth_getBalance")
    look(sending)
    assert sending.firing() == set(), "not in a row"
    look(sending)
    assert sending.firing() == LOW


def test_a_node_that_has_not_heard_of_new_coins_when_the_relayer_starts_raises_no_alert(
    sending, node
):
    sending.rpc("anvil_setBalance", KEY.address, "0x0")
    sending.mine(2)
    w3 = sending.chain.w3
    gift = {"from": w3.eth.accounts[0], "to": KEY.address, "value": RICH}
    w3.eth.wait_for_transaction_receipt(w3.eth.send_transaction(gift))
    node.lag(1)
    sending.outbox.advance()
    assert sending.chain.balance(KEY.address) == 0
    assert sending.firing() == set()
    node.clear()
    look(sending)
    assert sending.firing() == set()


def test_an_alert_that_is_said_ends_at_the_first_look_at_enough_coins(sending, node):
    sending.rpc("anvil_setBalance", KEY.address, "0x0")
    look(sending)
    look(sending)
    assert sending.firing() == LOW
    sending.rpc("anvil_setBalance", KEY.address, hex(RICH))
    look(sending)
    assert sending.firing() == set()
