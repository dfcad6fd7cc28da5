"""What terms an escrow takes: `open.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest

from relayer.protocol.scope import Scope
from relayer.protocol.terms import Level, Measure, Tier
from tests import samples
from tests.contracts.escrow.world import NOBODY, refused

A, B, C = samples.TIERS
ARBITER = samples.wallet(7).address
DAY = 86_400


def _tier(measure, limit, credit):
    return {"levels": lambda levels: (replace(levels[0], tiers=(Tier(measure, limit, credit),)),)}


def _per_bad(credit, tiers=()):
    return {
        "levels": lambda levels: (replace(levels[0], tiers=tiers, credit_per_bad_interval=credit),)
    }


def _scoped(scope, *tiers):
    return {
        "levels": lambda levels: (
            replace(levels[0], feed=replace(levels[0].feed, scope=scope), tiers=tiers),
        )
    }


def _measured(**changes):
    def change(levels):
        feed = levels[0].feed
        feed = replace(feed, measurement=replace(feed.measurement, **changes))
        return (replace(levels[0], feed=feed),)

    return {"levels": change}


def _monthly(limit):
    """Windows of calendar months, and one tier."""

    def change(levels):
        measured = _measured(window_intervals=0)["levels"](levels)
        return _tier(INTERVALS, limit, 1)["levels"](measured)

    return {"levels": change}


AVAILABILITY, INTERVALS, RUN, AVERAGE = Measure
LONGEST_MONTH = 31 * 24 * 60  # minutes
RANGE = Scope(best=10, worst=500)
CHALLENGE = ("Challenge", "arbiter", "challenge_period", "dispute_deposit")
# What to change, and the error with its values; names of fields stand for their values.
OUT_OF_BOUNDS = {
    "one party": ({"consumer": samples.wallet(1).address}, "Party", "provider", "consumer"),
    "no provider": ({"provider": NOBODY}, "Party", "provider", "consumer"),
    "no consumer": ({"consumer": NOBODY}, "Party", "provider", "consumer"),
    "escrow provides": ({"provider": "escrow"}, "Party", "provider", "consumer"),
    "escrow consumes": ({"consumer": "escrow"}, "Party", "provider", "consumer"),
    "token no contract": ({"token": samples.wallet(5).address}, "NoContract", "token"),
    "oracle no contract": ({"oracle": samples.wallet(5).address}, "NoContract", "oracle"),
    "openBy after start": ({"open_by": lambda t: t + 1}, "Times", "open_by", "start"),
    "no fee": ({"fee_per_window": 0}, "Fee", 0),
    "fee of 2^112": ({"fee_per_window": 2**112}, "Fee", 2**112),
    "no fee for a short window": ({"fee_per_window": 59} | _measured(offset=59), "Fee", 59),
    "no windows": ({"windows": 0}, "Windows", 0, 0),
    "prepaid too many": ({"windows": 2, "prepaid_windows": 3}, "Windows", 3, 2),
    "513 windows": ({"windows": 513}, "Windows", 0, 513),
    "prepaid before the bond": ({"bond": 1, "prepaid_windows": 1}, "Windows", 1, 3),
    "cap 0": ({"credit_cap": 0}, "Credit", 0),
    "cap over 100 %": ({"credit_cap": 10_001}, "Credit", 10_001),
    "default over 100 %": ({"unknown_credit": 10_001}, "Credit", 10_001),
    "unknown limit over 100 %": ({"unknown_limit": 1_000_001}, "UnknownLimit", 1_000_001),
    "no level": ({"levels": lambda _: ()}, "Levels", 0),
    "9 levels": ({"levels": lambda levels: levels * 9}, "Levels", 9),
    "9 tiers": (
        {"levels": lambda levels: (levels[0], replace(levels[0], tiers=(A,) * 9))},
        "Tiers",
        1,
        9,
    ),
    "no credit": (_per_bad(0), "Tiers", 0, 0),
    "per bad interval over 100 %": (_per_bad(10_001), "Credit", 10_001),
    "availability 0": (_tier(AVAILABILITY, 0, 1), "Tier", 0, 0),
    "availability over 100 %": (_tier(AVAILABILITY, 1_000_001, 1), "Tier", 0, 0),
    "0 bad intervals": (_tier(INTERVALS, 0, 1), "Tier", 0, 0),
    "more bad intervals than there are": (_tier(INTERVALS, 61, 1), "Tier", 0, 0),
    "more bad intervals than a month has": (_monthly(LONGEST_MONTH + 1), "Tier", 0, 0),
    "run of 0": (_tier(RUN, 0, 1), "Tier", 0, 0),
    "run longer than a window": (_tier(RUN, 61, 1), "Tier", 0, 0),
    "tier of 0 %": (_tier(INTERVALS, 1, 0), "Tier", 0, 0),
    "tier over 100 %": (_tier(INTERVALS, 1, 10_001), "Tier", 0, 0),
    "average without a range": (_tier(AVERAGE, 1, 1), "Tier", 0, 0),
    "average below the range": (_scoped(RANGE, Tier(AVERAGE, 9, 1)), "Tier", 0, 0),
    "average of the worst value": (_scoped(RANGE, Tier(AVERAGE, 500, 1)), "Tier", 0, 0),
    "average above the range": (_scoped(Scope(500, 10), Tier(AVERAGE, 501, 1)), "Tier", 0, 0),
    "arbiter without a period": ({"arbiter": ARBITER}, *CHALLENGE),
    "period of 31 days": ({"arbiter": ARBITER, "challenge_period": 30 * DAY + 1}, *CHALLENGE),
    "period without an arbiter": ({"challenge_period": 1}, *CHALLENGE),
    "deposit without an arbiter": ({"dispute_deposit": 1}, *CHALLENGE),
    "second tier": (_per_bad(0, (A, Tier(RUN, 61, 1))), "Tier", 0, 1),
}
WITHIN_BOUNDS = {
    "100 %": {"credit_cap": 10_000, "unknown_credit": 10_000, "unknown_limit": 1_000_000},
    "least": {"credit_cap": 1, "unknown_limit": 0, "fee_per_window": 1, "windows": 1},
    "largest": {"fee_per_window": 2**112 - 1, "windows": 512},
    "all prepaid": {"windows": 1, "prepaid_windows": 1},
    "655 % with a bond": {"bond": 1, "credit_cap": 65_535, "unknown_credit": 65_535},
    "tier of 655 % with a bond": {"bond": 2**128 - 1} | _tier(AVAILABILITY, 1, 65_535),
    "per bad interval with a bond": {"bond": 1} | _per_bad(65_535),
    "short window": {"fee_per_window": 60} | _measured(offset=59),
    "average of the best value": _scoped(RANGE, Tier(AVERAGE, 10, 1)),
    "average just better than the worst": _scoped(Scope(500, 10), Tier(AVERAGE, 11, 1)),
    "period of a second": {"arbiter": ARBITER, "challenge_period": 1},
    "period of 30 days": {
        "arbiter": ARBITER,
        "challenge_period": 30 * DAY,
        "dispute_deposit": 2**128 - 1,
    },
    "notice of 136 years": {"notice_period": 2**32 - 1, "breaches_to_end": 2**16 - 1},
    "8 levels of 8 tiers": {
        "levels": lambda levels: (replace(levels[0], tiers=(A, B, C, A, B, C, A, B)),) * 8
    },
    "per bad interval only": _per_bad(10_000),
    "availability of 100 %": _tier(AVAILABILITY, 1_000_000, 10_000),
    "all intervals": _tier(INTERVALS, 60, 10_000),
    "all intervals of the longest month": _monthly(LONGEST_MONTH),
    "a run of all intervals": _tier(RUN, 60, 10_000),
}


def _bent(world, changes):
    if changes.get("prepaid_windows"):
        world.give(world.consumer, samples.FEE)
    terms = world.terms(prepaid_windows=0)
    changes = {
        name: world.escrow.address
        if change == "escrow"
        else change(getattr(terms, name))
        if callable(change)
        else change
        for name, change in changes.items()
    }
    return replace(terms, **changes)


@pytest.mark.parametrize("name", OUT_OF_BOUNDS)
def test_RevertWhen_TermsAreOutOfBounds(world, name):
    """Rules 1, 8 and 13. Both have signed: the contract protects them from their own terms."""
    changes, error, *values = OUT_OF_BOUNDS[name]
    terms = _bent(world, changes)
    values = [getattr(terms, value) if isinstance(value, str) else value for value in values]
    with refused(f"SLAEscrow_{error}", *values):
        world.try_open(terms)


@pytest.mark.parametrize("name", WITHIN_BOUNDS)
def test_When_TermsAreJustWithinBounds(world, name):
    """Rules 8 and 13."""
    terms = _bent(world, WITHIN_BOUNDS[name])
    assert world.try_open(terms) == "0x" + world.id_of(terms).hex()


@pytest.mark.parametrize(
    ("bit", "value", "error"),
    [
        (40, 0, "Measurement_Interval: "),
        (64, 2**22 + 1, "Measurement_Window: 4194305, 60"),
        (112, 30, "Measurement_Deadline: 30, 600, 30"),
        (160, 6, "Measurement_Comparison: 6"),
        (200, 60, "Measurement_Offset: 60, 60"),
        (248, 1, "Measurement_ReservedBits: "),
    ],
)
def test_RevertWhen_AMeasurementIsOutOfBounds(world, bit, value, error):
    """Rules 2 and 13: the escrow does not wait for the first report to find out that there can be none."""
    terms = world.terms(world.feed(), world.feed(), prepaid_windows=0)
    abi = list(terms.as_abi())
    panel, word, *others = abi[11][1][0]
    width = 8 if bit in (160, 248) else 24
    word = word & ~((1 << width) - 1 << bit) | value << bit
    abi[11][1] = ((panel, word, *others), *abi[11][1][1:])
    with brownie.reverts(error):
        world.escrow.open.call(abi, b"", b"", {"from": world.consumer})


def test_RevertWhen_AScopeIsOutOfBounds(world):
    """Rules 13 and 19."""
    terms = world.terms(world.feed(), world.feed(), prepaid_windows=0)
    for scope, error in (
        (5 | 5 << 32, "Scope_Range: 5, 5"),
        (2**32 - 2, "Scope_Range: 4294967294, 0"),
        (2**32 - 2 << 32, "Scope_Range: 0, 4294967294"),
        ((2**168 - 1) << 88, "Scope_Hours: "),
    ):
        abi = list(terms.as_abi())
        panel, word, _, descriptor = abi[11][1][0]
        abi[11][1] = ((panel, word, scope, descriptor), *abi[11][1][1:])
        with brownie.reverts(error):
            world.escrow.open.call(abi, b"", b"", {"from": world.consumer})


@pytest.mark.parametrize(
    ("changes", "second", "error"),
    [
        ({"window_intervals": 30}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"interval": 30}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"start": 60}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"start": -1}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"start": 3_600}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"offset": 30}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"window_intervals": 0}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"start": -1_800}, False, "SLAEscrow_WindowsDiffer: 0"),
        ({"start": 3_600}, False, "SLAEscrow_WindowsDiffer: 0"),
    ],
)
def test_RevertWhen_WindowsOfTheFeedsDiffer(world, changes, second, error):
    """Rule 8: in length, in phase, or because the feed begins after the agreement."""
    changes = dict(changes)
    other = world.feed(world.start + changes.pop("start", 0), **changes)
    feeds = [world.feed(), other] if second else [other]
    with brownie.reverts(error):
        world.try_open(
            world.terms(*feeds, start=world.start, open_by=world.start, prepaid_windows=0)
        )


@pytest.mark.parametrize(("interval", "intervals"), [(1, 3_600), (30, 120), (3_600, 1)])
def test_When_IntervalsDifferInLengthAndWindowsDoNot(world, interval, intervals):
    """Rule 8: a probe per second and a billing figure per hour fit one agreement."""
    one = world.feed()
    other = world.feed(interval=interval, window_intervals=intervals)
    levels = (Level(one.ref, (A,)), Level(other.ref, (A,)))
    assert world.try_open(world.terms(one, levels=levels, prepaid_windows=0))


@pytest.mark.parametrize("windows", [1, 7, 24 * 365])
def test_When_TheAgreementStartsInALaterWindowOfItsFeeds(world, windows):
    """Rule 8: the feed has run for long; another one begins with the agreement."""
    old = world.feed(world.start - windows * 3_600)
    new = world.feed()
    assert world.try_open(
        world.terms(old, new, start=world.start, open_by=world.start, prepaid_windows=0)
    )
