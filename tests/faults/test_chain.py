"""What a chain does to a relayer: reorganisations, gas that costs ten times more, a wallet without money."""

from __future__ import annotations

import pytest

from tests.faults.life import own_agreement, wait_until

pytestmark = pytest.mark.timeout(300)

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
    site.rpc("anvil_reorg", 2, [])
    life.wait_for("transaction_reorganised")
    life.goes_on()
    life.agreement.check()


def test_a_transaction_that_pays_too_little_since_gas_costs_ten_times_more_is_replaced(life, site):
    site.rpc("anvil_setNextBlockBaseFeePerGas", hex(2 * GWEI))
    sent = len(life.lines("transaction_mined"))
    life.wait_for("transaction_mined", more_than=sent)
    site.rpc("evm_setIntervalMining", 0)
    try:
        waiting = lambda: int(site.rpc("txpool_status")["pending"], 16)  # noqa: E731
        wait_until(waiting, "a transaction in the pool", process=life.process)
    finally:
        site.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        site.rpc("evm_setIntervalMining", 1)
    life.wait_for("fee_raised")
    life.goes_on()
    life.agreement.check()


def test_an_empty_wallet_is_said_and_what_waited_is_reported_when_it_is_filled(life, site):
    site.rpc("anvil_setBalance", life.account.address, "0x0")
    life.wait_for_alert("wallet_empty")
    assert life.process.running()
    site.rpc("anvil_setBalance", life.account.address, hex(10**18))
    life.goes_on()
    life.agreement.check()
