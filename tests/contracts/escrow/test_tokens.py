"""Tokens and payees that are not as they should be: `tokens.tree`. Those that call back are in `reentry.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from relayer.protocol.terms import Level
from tests import samples
from tests.contracts.escrow.world import BURN_GAS, CLOSED, refused, upgrade

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4


def judged(world, pattern="b" + "g" * 59, **changes):
    """An agreement whose first window is judged; 10 % are due."""
    feed = world.feed()
    terms = world.opened(feed, **changes)
    world.judge(feed, pattern)
    return terms


def test_When_TheTokenKeepsAPart(world):
    """Rule 22: what begins to keep a part later has delivered what it was told to, see `close.tree`."""
    terms = world.opened(prepaid_windows=0, salt=bytes(32))
    bonded = world.opened(bond=FEE, prepaid_windows=0)
    upgrade(world.token, brownie.FeeOnTransferToken)
    fresh = world.terms()
    world.give(world.consumer, FEE)
    signed = samples.signatures(world.domain, fresh)
    payer = {"from": world.consumer}
    for call, *args in (
        (world.escrow.open, fresh.as_abi(), *signed),
        (world.escrow.fund, terms.as_abi(), 0, 1),
        (world.escrow.postBond, bonded.as_abi(), FEE),
    ):
        with refused("Treasury_ReceivedLess", FEE, FEE * 99 // 100):
            call.call(*args, payer)


def test_When_TheTokenGrows(world):
    """Rule 22."""
    terms = judged(world, prepaid_windows=2)
    token = upgrade(world.token, brownie.RebasingToken)
    token.rebase(world.escrow, 150, {"from": world.stranger})
    world.close(terms)
    assert world.balances() == (FEE - TENTH, TENTH, 2 * FEE)
    assert world.escrow.held(token) == FEE
    world.escrow.skim(token, world.stranger, {"from": world.stranger})
    world.terminate(terms, world.termination(terms))
    assert world.balances() == (FEE - TENTH, FEE + TENTH, 0)


def test_When_TheTokenShrinks(world):
    """Rule 22: whoever asks first is paid, the others are owed; other tokens pay as ever."""
    feed = world.feed()
    other = brownie.TestDollar.deploy({"from": world.stranger})
    sound = world.terms(feed, token=other.address)
    world.open(sound, token=other)
    first, second = world.opened(feed), world.opened(feed, salt=bytes(32))
    token = upgrade(world.token, brownie.RebasingToken)
    token.rebase(world.escrow, 75, {"from": world.stranger})
    world.judge(feed, "g" * 60)
    for terms in (first, second, sound):
        world.close(terms)
    assert other.balanceOf(world.provider) == FEE
    assert token.balanceOf(world.provider) == FEE
    assert world.escrow.withdrawable(token, world.provider) == FEE == world.escrow.held(token)
    token.mint(world.escrow, FEE // 2, {"from": world.stranger})
    world.escrow.redeliver(token, world.provider, {"from": world.stranger})
    assert token.balanceOf(world.provider) == 2 * FEE


def test_When_TheTokenAnswersFalseInsteadOfReverting(world):
    """Rule 22."""
    terms = judged(world)
    token = upgrade(world.token, brownie.FalseToken)
    with refused("SafeERC20FailedOperation", token.address):
        world.escrow.fund.call(terms.as_abi(), 2, 1, {"from": world.consumer})
    # The escrow's tokens are gone: each transfer answers false.
    token = upgrade(world.token, brownie.RebasingToken)
    token.rebase(world.escrow, 0, {"from": world.stranger})
    token = upgrade(world.token, brownie.FalseToken)
    world.close(terms)
    assert world.escrow.withdrawable(token, world.consumer) == TENTH
    assert world.escrow.withdrawable(token, world.provider) == FEE - TENTH
    with refused("SafeERC20FailedOperation", token.address):
        world.escrow.withdraw(token, world.stranger, {"from": world.consumer})
    token.mint(world.escrow, FEE, {"from": world.stranger})
    for payee in (world.consumer, world.provider):
        world.escrow.withdraw(token, payee, {"from": payee})
    assert world.balances() == (FEE - TENTH, TENTH, 0)


def test_When_TheTokenAnswersFalseThoughItDelivered(world):
    """Rule 22: else it would be owed a second time."""
    terms = judged(world)
    world.give(world.consumer, FEE)
    token = upgrade(world.token, brownie.FalseToken)
    token.setLying(True, {"from": world.stranger})
    world.close(terms)
    assert world.balances() == (FEE - TENTH, FEE + TENTH, 0)
    assert world.escrow.held(token) == 0
    assert world.escrow.withdrawable(token, world.consumer) == 0
    with refused("SafeERC20FailedOperation", token.address):
        world.escrow.fund.call(terms.as_abi(), 2, 1, {"from": world.consumer})


def test_When_TheTokenAnswersNothing(world):
    """Rule 22: as the largest dollar token does."""
    upgrade(world.token, brownie.SilentToken)
    terms = judged(world)
    world.fund(terms, 2, 1)
    world.settle(terms)
    world.close(terms)
    world.terminate(terms, world.termination(terms))
    assert world.balances() == (FEE - TENTH, TENTH + FEE, 0)


@pytest.mark.parametrize("pattern", ["g" * 60, "b" * 60])
def test_When_TheTokenRefusesToMoveNothing(world, pattern):
    """Rule 22: neither where a party gets nothing nor where nothing is due."""
    upgrade(world.token, brownie.NoZeroToken)
    terms = judged(world, pattern, prepaid_windows=2)
    later = world.opened(world.feed(world.start + 7_200), prepaid_windows=0, salt=bytes(32))
    world.settle(terms, 1)
    world.close(terms)
    for ended in (terms, later):
        world.terminate(ended, world.termination(ended))
    assert sum(world.balances()) == 2 * FEE
    assert world.balances()[2] == 0


def test_When_TheTokenIsPaused(world):
    """Rule 22: who is owed what is decided all the same."""
    terms = judged(world, prepaid_windows=2)
    token = upgrade(world.token, brownie.PausableToken)
    token.setPaused(True, {"from": world.stranger})
    with refused("PausableToken_Paused"):
        world.fund(terms, 2, 1)
    world.settle(terms)
    world.close(terms)
    world.terminate(terms, world.termination(terms, 0, 1))
    assert world.balances() == (0, 0, 2 * FEE)
    owed = {world.consumer: TENTH + FEE - 1, world.provider: FEE - TENTH + 1}
    for payee, amount in owed.items():
        assert world.escrow.withdrawable(token, payee) == amount
        with refused("PausableToken_Paused"):
            world.escrow.redeliver(token, payee, {"from": world.stranger})
    token.setPaused(False, {"from": world.stranger})
    for payee, amount in owed.items():
        world.escrow.redeliver(token, payee, {"from": world.stranger})
        assert token.balanceOf(payee) == amount
    assert world.escrow.held(token) == 0


def test_When_TheTokenDeniesAParty(world):
    """Rule 22."""
    terms = judged(world)
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(world.consumer, True, {"from": world.stranger})
    world.close(terms)
    assert world.balances() == (FEE - TENTH, 0, TENTH)
    world.escrow.withdraw(token, world.stranger, {"from": world.consumer})
    assert token.balanceOf(world.stranger) == TENTH


def test_When_TheTokenDeniesTheEscrow(world):
    """Rule 22."""
    terms = judged(world, prepaid_windows=2)
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(world.escrow, True, {"from": world.stranger})
    with refused("DenyListToken_Denied", world.escrow.address):
        world.fund(terms, 2, 1)
    world.close(terms)
    world.terminate(terms, world.termination(terms))
    assert token.balanceOf(world.escrow) == world.escrow.held(token) == 0


def odd(world, decimals, fee):
    """An agreement in a token with so many decimals, of which each bad interval costs a third."""
    token = brownie.DecimalsToken.deploy(decimals, {"from": world.stranger})
    feed = world.feed()
    level = Level(feed.ref, (), credit_per_bad_interval=3_333)
    terms = world.terms(feed, levels=(level,), token=token.address, fee_per_window=fee)
    world.open(terms, token=token)
    return feed, terms, token


def test_When_TheTokenHasNoDecimals(world):
    """Rule 7."""
    feed, terms, token = odd(world, 0, 4)
    paid = []
    for _ in range(3):
        world.judge(feed, "b")
        world.settle(terms)
        paid.append(token.balanceOf(world.consumer))
    assert paid == [1, 2, 3]
    world.judge(feed, "g" * 57)
    world.close(terms)
    assert world.balances(token) == (1, 3, 0)


def test_When_TheTokenHas24Decimals(world):
    """Rule 7."""
    fee = 1_000_000_007 * 10**24 + 1
    feed, terms, token = odd(world, 24, fee)
    world.judge(feed, "b" + "g" * 59)
    world.close(terms)
    assert world.balances(token) == (fee - fee * 3_333 // 10_000, fee * 3_333 // 10_000, 0)
    assert world.window(terms) == (CLOSED, fee * 3_333 // 10_000)


def test_When_AConsumerBurnsAllGas(world):
    """Rule 22: in its receiver's hook, which such a token calls."""
    feed = world.feed()
    wallet = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    terms = world.opened(feed, consumer=wallet.address, prepaid_windows=3, notice_period=1)
    token = upgrade(world.token, brownie.HookToken)
    burner = brownie.ScriptedOracle.deploy({"from": world.stranger})
    burner.script(BURN_GAS, b"", {"from": world.stranger})
    wallet.onTokens(burner, b"\x01", {"from": world.consumer})
    world.judge(feed, "b")
    spent = world.settle(terms).gas_used
    world.judge(feed, "g" * 59)
    spent = max(spent, world.close(terms).gas_used)
    ended = world.escrow.endByNotice(terms.as_abi(), {"from": world.provider})
    spent = max(spent, ended.gas_used, world.terminate(terms, world.termination(terms)).gas_used)
    assert spent < 600_000
    assert token.balanceOf(world.provider) == FEE - TENTH
    assert world.escrow.withdrawable(token, wallet) == TENTH + 2 * FEE == world.escrow.held(token)
    withdraw = world.escrow.withdraw.encode_input(token, world.stranger)
    wallet.execute(world.escrow, withdraw, {"from": world.consumer})
    assert token.balanceOf(world.stranger) == TENTH + 2 * FEE
