"""What a chain does to a relayer: reorganisations, gas that costs ten times more, a wallet without money."""

from __future__ import annotations

import time

import pytest

from tests.faults.life import own_agreement, wait_until

pytestmark = pytest.mark.timeout(900)

GWEI = 10**9


@pytest.fixture(scope="module")
def life(site, new_life):
    made = own_agreement(site, new_life(), confirmations=12)
    made.process.start()
    made.wait_for("transaction_mined")
    return made


def test_a_mined_report_that_a_reorganisation_removes_is_brought_again(life, site):
    before = len(life.lines("transaction_mined"))
    life.wait_for("transaction_mined", more_than=before)
    block = life.lines("transaction_mined")[-1]["block"]
    # However many blocks were made since it was seen; one more may be made just now.
    site.rpc("anvil_reorg", site.w3.eth.block_number - block + 2, [])
    life.wait_for("transaction_reorganised")
    life.goes_on()
    life.agreement.check()


def test_a_transaction_that_pays_too_little_since_gas_costs_ten_times_more_is_replaced(life, site):
    # Blocks by hand: the chain's time goes on, so that something becomes due, and what is in the pool stays there.
    site.rpc("evm_setIntervalMining", 0)
    try:
        wait_until(
            lambda: pays_at_least(life, site, 2 * GWEI) or mine(site, 2 * GWEI),
            "a transaction in the pool",
            process=life.process,
        )
        assert not pays_at_least(life, site, 20 * GWEI)
        wait_until(
            lambda: pays_at_least(life, site, 20 * GWEI) or mine(site, 20 * GWEI),
            "a transaction in the pool that pays more",
            process=life.process,
        )
    finally:
        site.rpc("evm_setIntervalMining", 1)
    assert life.lines("fee_raised")
    life.goes_on()
    life.agreement.check()


def pays_at_least(life, site, fee):
    """Whether a transaction of this relayer waits that offers so much for gas [wei]."""
    waiting = site.rpc("txpool_content")["pending"].get(life.account.address.lower(), {})
    return any(int(one["maxFeePerGas"], 16) >= fee for one in waiting.values())


def mine(site, base_fee):
    """The next block, unless it would be one of the future."""
    if site.w3.eth.get_block("latest")["timestamp"] < int(time.time()):
        site.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
        site.rpc("evm_mine")


def test_an_empty_wallet_is_said_and_what_waited_is_reported_when_it_is_filled(life, site):
    site.rpc("anvil_setBalance", life.account.address, "0x0")
    life.wait_for_alert("wallet_empty")
    assert life.process.running()
    site.rpc("anvil_setBalance", life.account.address, hex(10**18))
    life.goes_on()
    life.agreement.check()
