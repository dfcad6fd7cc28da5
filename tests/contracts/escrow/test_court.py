"""What the escrow does where terms name an arbiter: `court.tree`. The court's own tests are in `tests/contracts/court`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest
from eth_utils.crypto import keccak

from relayer.protocol.terms import Level
from tests import samples
from tests.contracts.escrow.world import (
    FUNDED,
    REENTERED,
    attempt,
    events,
    refused,
    request,
    set_storage,
    upgrade,
)

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4
CONSUMER, PROVIDER = 0, 1
PERIOD = 1_800


@pytest.fixture
def court(world):
    return brownie.DisputeCourt.at(world.escrow.court())


def disputable(world, feed, **changes):
    """An agreement with an arbiter, in which a bad interval costs 10 %."""
    levels = (Level(feed.ref, (), credit_per_bad_interval=1_000),)
    defaults = {"levels": levels, "arbiter": world.stranger.address, "challenge_period": PERIOD}
    return world.opened(feed, **(defaults | changes))


def waiting(world, court, terms, side):
    """What of the window's payments has not matured."""
    _, maturing, _, later, _ = court.waiting(world.id_of(terms), 0, side)
    return maturing + later


def test_When_TheTermsNameAnArbiter(world, court):
    """Rules 16 and 22."""
    feed = world.feed()
    terms = disputable(world, feed)
    world.judge(feed, "b")
    tx = world.settle(terms)
    assert events(tx, "Booked") == [
        {
            "id": "0x" + world.id_of(terms).hex(),
            "window": 0,
            "side": CONSUMER,
            "amount": TENTH,
            "maturesAt": world.now + PERIOD,
        }
    ]
    assert world.balances() == (0, 0, FEE - TENTH)
    assert world.escrow.held(world.token) == FEE - TENTH
    world.judge(feed, "b" + "g" * 58)
    world.close(terms)
    assert world.balances() == (0, 0, 0)
    assert world.escrow.held(world.token) == 0
    assert court.held(world.token) == world.token.balanceOf(court) == FEE
    assert waiting(world, court, terms, PROVIDER) == FEE - 2 * TENTH
    assert world.token.allowance(world.escrow, court) == 0
    world.wait_until(world.now + 2 * PERIOD)
    for side in (CONSUMER, PROVIDER):
        court.release(terms.as_abi(), 0, side, {"from": world.stranger})
    assert world.balances() == (FEE - 2 * TENTH, 2 * TENTH, 0)


def test_When_WindowsAreRefundedAndSplit(world, court):
    """Rule 10."""
    feed = world.feed()
    terms = disputable(world, feed, prepaid_windows=3, notice_period=1)
    world.at(terms.window_start(1))
    world.escrow.endByNotice(terms.as_abi(), {"from": world.consumer})
    world.terminate(terms, world.termination(terms, 0, 7))
    assert world.balances() == (7, 3 * FEE - 7, 0)
    assert court.held(world.token) == 0


def test_When_APayeeHasAnotherAddress(world, court):
    feed = world.feed()
    terms = disputable(world, feed)
    world.judge(feed, "b")
    world.settle(terms)
    world.escrow.setPayout(brownie.accounts[6], {"from": world.consumer})
    world.wait_until(world.now + PERIOD)
    court.release(terms.as_abi(), 0, CONSUMER, {"from": world.stranger})
    assert world.token.balanceOf(brownie.accounts[6]) == TENTH


def test_RevertWhen_TheCourtCannotBePaid(world, court):
    """Rules 10 and 16: nothing happens until it can be, so no payment gets around the court. Both may still end it."""
    feed = world.feed()
    terms = disputable(world, feed, prepaid_windows=2)
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(court, True, {"from": world.stranger})
    world.judge(feed, "b" + "g" * 59)
    for action in (world.settle, world.close):
        with refused("DenyListToken_Denied", court.address):
            action(terms)
    assert world.window(terms) == (FUNDED, 0)
    assert world.escrow.held(token) == 2 * FEE
    world.terminate(terms, world.termination(terms, 1))
    assert world.balances() == (0, FEE, FEE)
    token.setDenied(court, False, {"from": world.stranger})
    world.close(terms)
    assert waiting(world, court, terms, CONSUMER) == TENTH
    assert waiting(world, court, terms, PROVIDER) == FEE - TENTH


def test_RevertWhen_TheTokenRefusesAnApproval(world, court):
    """Rule 16."""
    feed = world.feed()
    terms = disputable(world, feed)
    token = upgrade(world.token, brownie.NoApprovalToken)
    token.setRefused(world.escrow, True, {"from": world.stranger})
    world.judge(feed, "b")
    with refused("NoApprovalToken_Refused", world.escrow.address):
        world.settle(terms)
    token.setRefused(world.escrow, False, {"from": world.stranger})
    world.settle(terms)
    assert waiting(world, court, terms, CONSUMER) == TENTH


def test_When_TheTokenWantsAnAllowanceToBeZeroFirst(world, court):
    """Rule 22."""
    feed = world.feed()
    terms = disputable(world, feed)
    token = upgrade(world.token, brownie.SilentToken)
    for amount in (TENTH, 2 * TENTH):
        world.judge(feed, "b")
        world.settle(terms)
        assert waiting(world, court, terms, CONSUMER) == amount
        assert token.allowance(world.escrow, court) == 0
    world.judge(feed, "g" * 58)
    world.close(terms)
    assert waiting(world, court, terms, PROVIDER) == FEE - 2 * TENTH


@pytest.mark.parametrize("left_over", [1, 2**200])
def test_When_AnAllowanceWasLeftOver(world, court, left_over):
    """Rule 22: neither more nor less than the amount moves."""
    feed = world.feed()
    terms = disputable(world, feed)
    slot = (1).to_bytes(32, "big")  # of the allowances in OpenZeppelin's ERC20
    for owner in (world.escrow, court):
        slot = keccak(bytes(12) + bytes.fromhex(owner.address[2:]) + slot)
    set_storage(world.token, slot, left_over)
    assert world.token.allowance(world.escrow, court) == left_over
    token = upgrade(world.token, brownie.SilentToken)
    world.judge(feed, "b")
    world.settle(terms)
    assert waiting(world, court, terms, CONSUMER) == TENTH
    assert token.allowance(world.escrow, court) == 0
    assert world.escrow.held(token) == token.balanceOf(world.escrow) == FEE - TENTH


def test_RevertWhen_TheTokenLies(world, court):
    """Rule 22."""
    feed = world.feed()
    terms = disputable(world, feed)
    token = upgrade(world.token, brownie.LyingToken)
    token.setLying(True, {"from": world.stranger})
    world.judge(feed, "b")
    with refused("Treasury_NotDelivered", token.address, TENTH, 0):
        world.settle(terms)
    assert world.window(terms) == (FUNDED, 0)


def test_When_GasIsTooShortForTheCourt(world, court):
    """Rule 22: whoever settles cannot choose a gas limit at which a payment gets past the court."""
    feed = world.feed()
    terms = disputable(world, feed)
    world.judge(feed, "b")
    settle = world.escrow.settle.encode_input(terms.as_abi(), 0)
    outcomes = []
    for gas in range(60_000, 300_000, 8_000):
        snapshot = request("evm_snapshot")
        done = attempt(world.stranger, world.escrow, settle, gas)
        outcomes.append(waiting(world, court, terms, CONSUMER) if done else None)
        request("evm_revert", snapshot)
    assert outcomes[0] is None
    assert outcomes[-1] == TENTH
    assert set(outcomes) == {None, TENTH}


def test_When_ThePayeeSettlesWhileTheCourtPaysIt(world, court):
    """Rule 16: with a token that calls its receivers, the court is locked in that moment, and cannot take a payment."""
    feed = world.feed()
    wallet = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    terms = disputable(world, feed, consumer=wallet.address)
    world.judge(feed, "b")
    world.settle(terms)
    world.judge(feed, "b", when=world.now + PERIOD)
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(wallet, True, {"from": world.stranger})
    court.release(terms.as_abi(), 0, CONSUMER, {"from": world.stranger})
    assert court.withdrawable(token, wallet) == TENTH
    token = upgrade(world.token, brownie.HookToken)
    settle = world.escrow.settle.encode_input(terms.as_abi(), 0)
    wallet.onTokens(world.escrow, settle, {"from": world.consumer})
    # A withdrawal may use all the gas there is.
    withdraw = court.withdraw.encode_input(token, wallet)
    wallet.execute(court, withdraw, {"from": world.consumer, "gas_limit": 8_000_000})
    assert token.balanceOf(wallet) == TENTH
    assert str(wallet.hookResult()) == REENTERED
    assert world.window(terms) == (FUNDED, TENTH)
    assert world.escrow.withdrawable(token, wallet) == 0
