"""Reporters that need each other, and hear each other only through a peer that misbehaves in every way there is."""

from __future__ import annotations

import pytest
from eth_account import Account

from tests.faults.http_proxy import KINDS, BadPeer
from tests.faults.life import wait_until

pytestmark = pytest.mark.timeout(1_800)

# Without the third, whatever two see differently waits for the report deadline of two minutes: the moment at which the service
# changes, say, if a busy machine takes one sample later than the other.
PATIENCE = 600


@pytest.fixture
def reporters(site, new_life):
    """Two of three: the quorum needs both. The third is not there."""
    lives = [new_life(), new_life()]
    missing = Account.create()
    bad = [BadPeer(f"http://127.0.0.1:{life.port}") for life in lives]
    agreement = site.agreement([*(life.account for life in lives), missing])
    for life, other, heard_through in zip(lives, lives[::-1], bad[::-1], strict=True):
        life.configure(
            agreement,
            staggerSeconds=2,
            exchange={
                "listen": f"127.0.0.1:{life.port}",
                "pullSeconds": 0.5,
                "peers": {
                    other.account.address: heard_through.url,
                    missing.address: "http://127.0.0.1:1",
                },
            },
        )
        life.process.start()
    yield lives, bad
    for proxy in bad:
        proxy.close()


def test_whatever_a_peer_answers_what_it_really_signed_is_reported(reporters):
    lives, bad = reporters
    agreement = lives[0].agreement
    for life, proxy in zip(lives, bad, strict=True):
        wait_until(lambda p=proxy: p.done == len(KINDS), "misbehaviours", process=life.process)
    for life in lives:
        assert life.lines("pull_failed") or life.lines("peer_fault")
        agreement.goes_on(life.process, timeout=PATIENCE)
    agreement.check()
    assert all(life.process.running() for life in lives)
