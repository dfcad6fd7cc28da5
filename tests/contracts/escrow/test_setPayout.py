"""Where a party's payments go: `setPayout.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree, the module after the function

import brownie

from tests import samples
from tests.contracts.escrow.world import NOBODY, events, refused, upgrade

FEE = samples.FEE
TENTH = FEE // 10


def test_When_APartyNamesAnAddress(world):
    """Rule 22."""
    feed = world.feed()
    till, purse = brownie.accounts[6:8]
    one, two = world.opened(feed), world.opened(feed, salt=bytes(32))
    tx = world.escrow.setPayout(till, {"from": world.provider})
    assert events(tx, "PayoutChanged") == [{"party": world.provider, "to": till}]
    assert world.escrow.payoutOf(world.provider) == till
    assert world.escrow.payoutOf(world.consumer) == world.consumer
    world.judge(feed, "b" + "g" * 59)
    world.close(one)
    assert world.balances() == (0, TENTH, FEE)
    assert world.token.balanceOf(till) == FEE - TENTH
    world.escrow.setPayout(purse, {"from": world.consumer})
    world.close(two)
    assert world.balances() == (0, TENTH, 0)
    assert world.token.balanceOf(till) == 2 * (FEE - TENTH)
    assert world.token.balanceOf(purse) == TENTH


def test_When_ItNamesNone(world):
    terms = world.opened()
    world.escrow.setPayout(world.stranger, {"from": world.consumer})
    world.escrow.setPayout(NOBODY, {"from": world.consumer})
    assert world.escrow.payoutOf(world.consumer) == world.consumer
    world.terminate(terms, world.termination(terms))
    assert world.balances() == (0, FEE, 0)


def test_When_TheAddressCannotBePaid(world):
    """Rule 22: what is owed is owed to the party, and only the party may take it elsewhere."""
    terms = world.opened()
    purse, other = brownie.accounts[6:8]
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(purse, True, {"from": world.stranger})
    world.escrow.setPayout(purse, {"from": world.consumer})
    world.terminate(terms, world.termination(terms))
    assert world.escrow.withdrawable(token, world.consumer) == FEE
    assert world.escrow.withdrawable(token, purse) == 0
    with refused("Treasury_NothingToWithdraw", token.address, purse.address):
        world.escrow.withdraw(token, other, {"from": purse})
    world.escrow.withdraw(token, other, {"from": world.consumer})
    assert token.balanceOf(other) == FEE


def test_When_ItIsChangedAfterAPaymentWasWithheld(world):
    """Rule 22."""
    terms = world.opened()
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(world.consumer, True, {"from": world.stranger})
    world.terminate(terms, world.termination(terms))
    purse = brownie.accounts[6]
    world.escrow.setPayout(purse, {"from": world.consumer})
    world.escrow.redeliver(token, world.consumer, {"from": world.stranger})
    assert token.balanceOf(purse) == FEE


def test_When_BondAndRefundsAndSplitsAreDue(world):
    """Rule 22."""
    feed = world.feed()
    till, purse = brownie.accounts[6:8]
    terms = world.bonded(feed, notice_period=1)
    world.fund(terms, 0, 3)
    world.escrow.setPayout(till, {"from": world.provider})
    world.escrow.setPayout(purse, {"from": world.consumer})
    world.at(terms.window_start(1))
    world.escrow.endByNotice(terms.as_abi(), {"from": world.provider})
    assert world.token.balanceOf(purse) == FEE
    world.terminate(terms, world.termination(terms, 1, TENTH))
    assert world.token.balanceOf(purse) == FEE + FEE - TENTH
    assert world.token.balanceOf(till) == TENTH
    world.judge(feed, "g" * 60)
    world.close(terms)
    world.escrow.releaseBond(terms.as_abi(), {"from": world.stranger})
    assert world.token.balanceOf(till) == TENTH + FEE + FEE
    assert world.balances() == (0, 0, 0)


def test_RevertWhen_TheAddressIsTheEscrowOrTheCourt(world):
    """Rule 22: there the payment would belong to nobody."""
    for to in (world.escrow.address, world.escrow.court()):
        with refused("SLAEscrow_Payout", to):
            world.escrow.setPayout.call(to, {"from": world.consumer})
