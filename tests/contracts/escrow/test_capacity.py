"""The longest agreement, 512 windows, within the gas that a transaction may use: `capacity.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from datetime import UTC, datetime

from relayer.protocol.terms import Level
from relayer.protocol.typed_data import termination_message
from tests import samples
from tests.contracts.escrow.world import FUNDED, MOVED, REFUNDED, TERMINATED, attempt, fees, read

FEE = samples.FEE
CAP = 16_777_216
MOST = 512


def send(world, payer, method, *args):
    """The gas that it takes, all of which the protocol's cap allows."""
    receipt = attempt(payer, world.escrow, method.encode_input(*args), CAP)
    assert receipt, "refused"
    return int(receipt["gasUsed"], 16)


def statuses(world, terms):
    id_ = world.id_of(terms)
    calls = [(world.escrow.windowOf, id_, window) for window in range(MOST)]
    return [status for status, _ in read(*calls)]


def longest(world, *feeds, **changes):
    """An agreement that is opened with all of its windows prepaid. Returns the gas, too."""
    defaults = {"windows": MOST, "prepaid_windows": MOST}
    terms = world.terms(*feeds, **(defaults | changes))
    world.give(world.consumer, fees(terms, 0, MOST))
    signed = samples.signatures(world.domain, terms)
    return terms, send(world, world.consumer, world.escrow.open, terms.as_abi(), *signed)


def test_When_TheLongestAgreementIsPrepaid(world):
    terms, gas = longest(world)
    assert gas < CAP
    assert statuses(world, terms) == [FUNDED] * MOST
    assert world.escrow.held(world.token) == MOST * FEE


def test_When_TheLongestAgreementIsTerminated(world):
    terms, _ = longest(world)
    termination = world.termination(terms, 0, FEE)
    signed = world.both(termination_message(world.domain, termination))
    args = terms.as_abi(), termination.as_abi(), *signed
    assert send(world, world.stranger, world.escrow.terminate, *args) < CAP
    assert statuses(world, terms) == [TERMINATED] * MOST
    assert world.balances() == (FEE, (MOST - 1) * FEE, 0)


def test_When_TheLongestAgreementEndsByNotice(world):
    terms, _ = longest(world, notice_period=1)
    assert send(world, world.provider, world.escrow.endByNotice, terms.as_abi()) < CAP
    assert statuses(world, terms) == [REFUNDED] * MOST
    assert world.balances() == (0, MOST * FEE, 0)


def test_When_TheLongestAgreementIsAmended(world):
    current, _ = longest(world)
    next_ = world.next_terms(current, 0)
    signed = samples.signatures(world.domain, next_)
    args = current.as_abi(), next_.as_abi(), *signed
    assert send(world, world.stranger, world.escrow.amend, *args) < CAP
    assert statuses(world, current) == [MOVED] * MOST
    assert statuses(world, next_) == [FUNDED] * MOST


def test_When_TheLargestTermsOfMonthsArePrepaid(world):
    """8 levels of 8 tiers, months, a short window 0: and the same terms amended."""
    start = int(datetime(2028, 1, 17, tzinfo=UTC).timestamp())
    feeds = [
        world.feed(start, descriptor=bytes([i]) * 32, interval=3_600, window_intervals=0)
        for i in range(8)
    ]
    levels = tuple(Level(feed.ref, (samples.TIERS * 3)[:8]) for feed in feeds)
    current, gas = longest(world, *feeds, levels=levels)
    assert gas < CAP
    next_ = world.next_terms(current, 0)
    signed = samples.signatures(world.domain, next_)
    args = current.as_abi(), next_.as_abi(), *signed
    assert send(world, world.stranger, world.escrow.amend, *args) < CAP
