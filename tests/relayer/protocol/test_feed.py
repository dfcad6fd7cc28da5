"""Panels and ids of feeds: rules 9, 13 and 21."""

from dataclasses import replace

import pytest

from relayer.protocol.feed import NO_PARTIES, FeedRef, Panel, parties_hash
from relayer.protocol.scope import Scope
from tests import samples

START = 1_800_000_000
ZERO = "0x" + 40 * "0"
ONE, TWO, THREE = samples.panel().reporters


@pytest.mark.parametrize(
    ("panel", "problem"),
    [
        (Panel((), 1), "1 to 31 reporters, not 0"),
        (Panel(tuple(f"0x{i:040x}" for i in range(1, 33)), 17), "1 to 31 reporters, not 32"),
        (Panel((ONE, TWO), 2), "two reporters cannot outvote"),
        (Panel((ONE, ONE, TWO), 2), "distinct"),
        (Panel((TWO, ONE, THREE), 2), "ascending"),
        (Panel((ZERO, ONE, TWO), 2), "ascending"),
        (Panel((ONE,), 0), "quorum of 1 reporters must be 1, not 0"),
        (Panel((ONE,), 2), "must be 1, not 2"),
        (Panel((ONE, TWO, THREE), 1), "must be 2, not 1"),
        (Panel((ONE, TWO, THREE), 3), "must be 2, not 3"),
        (samples.panel(5, 2), "must be 3 to 4, not 2"),
        (samples.panel(5, 5), "must be 3 to 4, not 5"),
        (samples.panel(4, 2), "must be 3, not 2"),
        (Panel((ONE, TWO, THREE), 2, -1), "tolerance"),
        (Panel((ONE, TWO, THREE), 2, 2**32), "tolerance"),
        (Panel((ONE,), 1, 0, b""), "hash of 32 bytes"),
    ],
)
def test_what_the_oracle_would_refuse_is_named(panel, problem):
    """Rules 9 and 13."""
    assert problem in panel.problem()


@pytest.mark.parametrize(
    ("reporters", "quorum"), [(1, 1), (3, 2), (4, 3), (5, 3), (5, 4), (31, 16), (31, 30)]
)
def test_what_the_oracle_takes_has_no_problem(reporters, quorum):
    assert samples.panel(reporters, quorum, 2**32 - 1).problem() is None


def test_addresses_are_ordered_as_numbers_not_as_text():
    """Checksums mix upper and lower case; the contract compares 160 bits."""
    capital = "0xB" + 38 * "0" + "1"
    small = "0xa" + 38 * "0" + "1"
    assert Panel((small, capital, "0xc" + 39 * "0"), 2).problem() is None
    assert "ascending" in Panel((capital, small, "0xc" + 39 * "0"), 2).problem()


def test_the_id_depends_on_everything():
    feed = samples.feed(START)
    others = [
        replace(feed, descriptor=b"\xdf" * 32),
        replace(feed, panel=replace(feed.panel, tolerance=1)),
        replace(feed, panel=replace(feed.panel, quorum=3)),
        replace(feed, panel=samples.panel(5)),
        samples.feed(START + 1),
        samples.feed(START, threshold=990_001),
        samples.feed(START, offset=1),
        samples.feed(START, notice=1),
        replace(feed, scope=Scope(allowance=1)),
        replace(feed, panel=replace(feed.panel, parties=b"\1" * 32)),
    ]
    ids = {feed.id} | {other.id for other in others}
    assert len(ids) == 1 + len(others)
    assert all(len(id_) == 32 for id_ in ids)


def test_a_reference_names_the_same_feed():
    feed = samples.feed(START, scope=Scope(1, 2, 3, 4))
    assert feed.ref.id == feed.id
    words = (feed.measurement.pack(), feed.scope.pack(), feed.descriptor)
    assert feed.ref.as_abi() == (feed.panel.hash, *words)
    panel, *others = feed.as_abi()
    assert panel == (list(feed.panel.reporters), 2, 0, NO_PARTIES)
    assert tuple(others) == words == feed.as_panel_feed_abi()


def test_a_feed_that_no_oracle_takes_has_no_id():
    feed = samples.feed(START, interval=0)
    with pytest.raises(ValueError, match="interval"):
        _ = feed.id


def test_a_scope_that_does_not_fit_the_measurement_has_no_id():
    ref = samples.feed(START, scope=Scope(hours_off=1)).ref
    assert len(ref.id) == 32
    with pytest.raises(ValueError, match="divide an hour"):
        _ = FeedRef(ref.panel, replace(ref.measurement, interval=7), b"", ref.scope).id


def test_parties_are_hashed_in_their_order():
    """Rule 20."""
    assert parties_hash([]) == NO_PARTIES
    assert len({parties_hash(p) for p in ([ONE], [ONE, TWO], [TWO, ONE], [ONE, ONE])}) == 4
