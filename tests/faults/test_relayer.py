"""A relayer at work, and what its only endpoint does to it: each fault for a while, then it goes on by itself, and the books are right.

The process is the one that `makegood relayer run` starts, the chain is real; the fault happens in between.
"""

from __future__ import annotations

import time
from functools import partial

import pytest

from tests.faults.life import at_once, own_agreement, wait_until

pytestmark = pytest.mark.timeout(900)

FAULT_SECONDS = 5


def come_back_as_another_chain(proxy):
    proxy.wrong_chain()
    proxy.cut(every=3)  # a relayer looks at whom it talks to when a connection was lost


# What the endpoint does, and what the relayer has to say about it: an alert or an action word of its log.
FAULTS = {
    "hangs": (lambda proxy: proxy.hang(), None),  # longer than this: the next test
    "cuts connections": (lambda proxy: proxy.cut(), "rpc_all_down"),
    "fails": (lambda proxy: proxy.http_status(500), "rpc_all_down"),
    "limits the rate": (lambda proxy: proxy.http_status(429), "rpc_all_down"),
    "answers garbage": (lambda proxy: proxy.garbage("html"), "rpc_all_down"),
    "answers half": (lambda proxy: proxy.garbage("truncated"), "rpc_all_down"),
    "is for another chain": (come_back_as_another_chain, "rpc_wrong_chain"),
    "lags": (lambda proxy: proxy.lag(6), None),
    "loses answers": (lambda proxy: proxy.lose_answer("eth_sendRawTransaction"), None),
    "drops a transaction": (lambda proxy: proxy.drop_transactions(), "fee_raised"),
}


SENDING = ("loses answers", "drops a transaction")
"""These happen only to what is sent."""


def asked_for(fault, life):
    """How many requests there were that the fault could happen to."""
    requests = life.proxy.requests
    return requests.count("eth_sendRawTransaction") if fault in SENDING else len(requests)


@pytest.fixture(scope="module")
def lives(site, new_life):
    """For each fault a relayer to which it happens; to all of them at the same time."""
    made = at_once(*[partial(lambda: own_agreement(site, new_life())) for _ in FAULTS])
    found = dict(zip(FAULTS, made, strict=True))
    for life in made:
        life.process.start()
    for life in made:
        life.wait_for("transaction_mined")
    for name, (fault, _) in FAULTS.items():
        fault(found[name].proxy)
    asked = {name: asked_for(name, found[name]) for name in FAULTS}
    time.sleep(FAULT_SECONDS)
    for name, before in asked.items():  # on a slow machine it has not met the fault yet
        wait_until(lambda n=name, b=before: asked_for(n, found[n]) > b, name)
    for name, (_, said) in FAULTS.items():
        if said and said.startswith("rpc"):
            found[name].wait_for_alert(said)
    for life in made:
        life.proxy.clear()
    return found, {name: life.agreement.now() for name, life in found.items()}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_relayer_goes_on_after_its_endpoint(fault, lives):
    found, since = lives
    life, said = found[fault], FAULTS[fault][1]
    if said:
        wait_until(lambda: said in life.alerts() or life.lines(said), said)
    life.goes_on(since[fault])
    life.agreement.check()
