"""What the consumer is paid for a tally: `settle.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import pytest

from relayer.protocol.terms import Level, Measure, Tier, UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import ANSWER, tally_answer

FEE = samples.FEE
AVAILABILITY = Tier(Measure.AVAILABILITY_BELOW, 990_000, 1_000)
WORSE = Tier(Measure.AVAILABILITY_BELOW, 950_000, 3_000)
SIX_BAD = Tier(Measure.BAD_INTERVALS_AT_LEAST, 6, 2_500)
RUN_OF_3 = Tier(Measure.BAD_RUN_AT_LEAST, 3, 4_000)
EXCLUDED, GOOD, BAD = UnknownPolicy


# Windows of 100 intervals: tiers, changes of level and terms, tally, and the credit that the rules give.
TALLIES = {
    "99 % is not below 99 %": ([AVAILABILITY], {}, {}, {"bad": 1}, 0),
    "98 % is": ([AVAILABILITY], {}, {}, {"bad": 2}, 1_000),
    "the rest may still be good": ([AVAILABILITY], {}, {}, {"judged": 2, "bad": 2}, 1_000),
    "largest tier, not the first": ([AVAILABILITY, WORSE], {}, {}, {"bad": 6}, 3_000),
    "largest tier, not the last": ([WORSE, AVAILABILITY], {}, {}, {"bad": 6}, 3_000),
    "largest tier of all measures": (
        [AVAILABILITY, SIX_BAD, RUN_OF_3],
        {},
        {},
        {"bad": 6, "run": 3},
        4_000,
    ),
    "5 bad": ([SIX_BAD], {}, {}, {"bad": 5}, 0),
    "6 bad": ([SIX_BAD], {}, {}, {"bad": 6}, 2_500),
    "6 bad, a run of 2": ([RUN_OF_3], {}, {}, {"bad": 6, "run": 2}, 0),
    "a run of 3": ([RUN_OF_3], {}, {}, {"bad": 3, "run": 3}, 4_000),
    "per bad interval": ([], {"credit_per_bad_interval": 7}, {}, {"bad": 3}, 21),
    "and the tier": ([SIX_BAD], {"credit_per_bad_interval": 7}, {}, {"bad": 6}, 2_542),
    "cap": ([SIX_BAD], {}, {"credit_cap": 2_000}, {"bad": 6}, 2_000),
    "cap over per bad": ([], {"credit_per_bad_interval": 10_000}, {}, {"bad": 100}, 10_000),
    "not applicable is good": ([AVAILABILITY], {}, {}, {"bad": 1, "not_applicable": 1}, 0),
    "or removed": (
        [AVAILABILITY],
        {"remove_not_applicable": True},
        {},
        {"bad": 1, "not_applicable": 1},
        1_000,
    ),
    "all not applicable": ([AVAILABILITY], {}, {}, {"not_applicable": 100}, 0),
    "all removed": (
        [AVAILABILITY, SIX_BAD],
        {"remove_not_applicable": True, "credit_per_bad_interval": 7},
        {"unknown_limit": 0, "unknown_credit": 10_000},
        {"not_applicable": 100},
        0,
    ),
    "unknown excluded": ([AVAILABILITY, SIX_BAD], {}, {}, {"unknown": 99}, 0),
    "unknown good": ([AVAILABILITY, SIX_BAD], {}, {"unknown_policy": GOOD}, {"unknown": 99}, 0),
    "unknown good has no share": (
        [SIX_BAD],
        {},
        {"unknown_policy": GOOD, "unknown_limit": 0, "unknown_credit": 500},
        {"unknown": 100},
        0,
    ),
    "unknown bad has one": (
        [SIX_BAD],
        {},
        {"unknown_policy": BAD, "unknown_limit": 0, "unknown_credit": 3_000},
        {"unknown": 6},
        3_000,
    ),
    "unknown excluded stays in D": ([AVAILABILITY], {}, {}, {"bad": 1, "unknown": 50}, 0),
    "unknown bad": ([AVAILABILITY], {}, {"unknown_policy": BAD}, {"bad": 1, "unknown": 1}, 1_000),
    "unknown bad counts as 6 bad": ([SIX_BAD], {}, {"unknown_policy": BAD}, {"unknown": 6}, 2_500),
    "but not as a run": ([RUN_OF_3], {}, {"unknown_policy": BAD}, {"unknown": 6}, 0),
    "unknown bad, each": (
        [],
        {"credit_per_bad_interval": 7},
        {"unknown_policy": BAD},
        {"bad": 1, "unknown": 2},
        21,
    ),
    "10 % unknown": (
        [SIX_BAD],
        {},
        {"unknown_limit": 100_000, "unknown_credit": 500},
        {"unknown": 10},
        0,
    ),
    "more than 10 % unknown": (
        [SIX_BAD],
        {},
        {"unknown_limit": 100_000, "unknown_credit": 500},
        {"unknown": 11},
        500,
    ),
    "the share is of D": (
        [SIX_BAD],
        {"remove_not_applicable": True},
        {"unknown_limit": 100_000, "unknown_credit": 500},
        {"unknown": 10, "not_applicable": 1},
        500,
    ),
    "the default lowers nothing": (
        [SIX_BAD],
        {},
        {"unknown_limit": 0, "unknown_credit": 500},
        {"bad": 6, "unknown": 1},
        2_500,
    ),
    "the default is not added": (
        [AVAILABILITY],
        {},
        {"unknown_limit": 0, "unknown_credit": 1_500},
        {"bad": 2, "unknown": 1},
        1_500,
    ),
    "the default is capped": (
        [SIX_BAD],
        {},
        {"unknown_limit": 0, "unknown_credit": 500, "credit_cap": 400},
        {"unknown": 1},
        400,
    ),
    "no default without a share": (
        [SIX_BAD],
        {},
        {"unknown_limit": 1_000_000, "unknown_credit": 500},
        {"unknown": 100},
        0,
    ),
}


@pytest.mark.parametrize("name", TALLIES)
def test_When_TheTallyIsOfAnyKind(scripted, name):
    """Rules 4, 7 and 24."""
    tiers, level, changes, tally, credit = TALLIES[name]
    world = scripted
    feed = world.feed(interval=36, window_intervals=100)
    levels = (Level(feed.ref, tuple(tiers), **level),)
    world.oracle.script(ANSWER, tally_answer(planned=100), {"from": world.stranger})
    terms = world.opened(feed, levels=levels, **changes)
    tally = tally_answer(planned=100, **({"judged": 100} | tally))
    world.oracle.script(ANSWER, tally, {"from": world.stranger})
    assert world.claimable(terms)[:2] == (credit, FEE * credit // 10_000)
    world.settle(terms)
    assert world.balances()[1] == FEE * credit // 10_000
