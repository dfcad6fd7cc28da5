"""Signed readings as the oracle takes them: rules 14, 15 and 17."""

import pytest

from relayer.protocol import merkle
from relayer.protocol.readings import pack_readings
from relayer.protocol.report import (
    FeedReadings,
    SignedBatch,
    SignedBundle,
    batches_as_abi,
    bundles_as_abi,
    reporter_index,
)
from relayer.protocol.typed_data import Domain, compact
from tests import samples

FEED = samples.feed(1_800_000_000)
DOMAIN = Domain(31_337, samples.wallet(0).address)


def signed(reporter, first, codes, evidence=samples.NO_EVIDENCE):
    return samples.signed_batch(DOMAIN, FEED, reporter, first, codes, evidence=evidence)


def endorsement(batch):
    return (batch.reporter, batch.evidence, *compact(batch.signature))


def test_equal_strings_are_passed_once():
    batches = [signed(i, 7, [1, 2], evidence=bytes([i]) * 32) for i in (2, 0, 1)]
    expected = [endorsement(batches[i]) for i in (1, 2, 0)]
    assert batches_as_abi(batches) == [(7, pack_readings([1, 2]), expected)]


def test_different_strings_are_passed_apart():
    one, two, three = signed(0, 7, [1, 2]), signed(1, 6, [1, 2]), signed(2, 7, [1, 2, 3])
    assert batches_as_abi([one, two, three]) == [
        (batch.first, batch.readings, [endorsement(batch)]) for batch in (one, two, three)
    ]


def test_nothing_signed_is_no_batch():
    assert batches_as_abi([]) == []


def test_the_end_is_the_first_interval_after_the_batch():
    assert SignedBatch(0, 5, bytes(12), bytes(32), bytes(65)).end == 8


def test_the_index_of_a_reporter():
    reporters = FEED.panel.reporters
    assert [reporter_index(FEED.panel, address) for address in reporters] == [0, 1, 2]
    assert reporter_index(FEED.panel, samples.wallet(5).address) is None


FEEDS = [samples.feed(1_800_000_000, descriptor=bytes([i]) * 32) for i in range(4)]
IDS = [feed.id for feed in FEEDS]


def bundle(reporter, codes, feeds=FEEDS, first=7, evidence=samples.NO_EVIDENCE):
    return samples.signed_bundle(DOMAIN, feeds, reporter, first, codes, evidence=evidence)


def test_feeds_follow_each_other_with_number_count_and_readings():
    one = bundle(0, [[1], [2, 3], [], [0xFFFF_FFFF]])
    ((readings, proof, flags, who),) = bundles_as_abi(IDS, [one])
    assert readings.hex(" ", 2) == (
        "0000 0007 0001 0000 0001 "
        "0000 0007 0002 0000 0002 0000 0003 "
        "0000 0000 0000 "
        "0000 0007 0001 ffff ffff"
    )
    assert (proof, flags) == merkle.multiproof(one.leaves, [0, 1, 3])
    assert who == [endorsement(one)]


def test_who_signed_the_same_passes_it_once():
    codes = [[1], [2], [3], [4]]
    bundles = [bundle(i, codes, evidence=bytes([i]) * 32) for i in (2, 0, 1)]
    ((_, _, _, who),) = bundles_as_abi(IDS, bundles)
    assert who == [endorsement(bundles[i]) for i in (1, 2, 0)]


def test_who_signed_other_readings_passes_them_apart():
    """Also if only a feed differs that is not in the report."""
    one, two = bundle(0, [[1], [2], [3], [4]]), bundle(1, [[1], [2], [3], [5]])
    (first, second) = bundles_as_abi(IDS[:2], [one, two])
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_feeds_that_were_not_signed_have_no_readings():
    one = bundle(0, [[1], [2]], FEEDS[1:3])
    ((readings, proof, flags, _),) = bundles_as_abi(IDS, [one])
    assert readings == bytes(6) + one.feeds[0].pack() + one.feeds[1].pack() + bytes(6)
    # They are the whole tree: the oracle needs no flags to find its root.
    assert (proof, flags) == ([], [])


def test_who_signed_none_of_the_feeds_is_not_heard():
    assert bundles_as_abi(IDS[:2], [bundle(0, [[1], [2]], FEEDS[2:])]) == []
    assert bundles_as_abi(IDS[:2], [bundle(0, [[], [2], [3]], FEEDS[1:])]) == []


def test_feeds_stand_in_the_order_of_the_leaves():
    with pytest.raises(ValueError, match="order"):
        bundles_as_abi(IDS[::-1], [bundle(0, [[1], [2], [3], [4]])])
    with pytest.raises(ValueError, match="order"):
        bundles_as_abi([IDS[0], IDS[0]], [bundle(0, [[1], [2], [3], [4]])])


def test_statements_hold_what_was_signed():
    """Rule 17: of one feed alone, or of one among many."""
    single = signed(0, 7, [1, 2])
    words = compact(single.signature)
    assert single.as_statement() == (7, single.readings, [], single.evidence, *words)
    many = bundle(0, [[1], [2], [3], [4]])
    first, readings, proof, *_ = many.as_statement(IDS[2])
    assert (first, readings) == (7, pack_readings([3]))
    assert proof == merkle.proof(many.leaves, 2)
    with pytest.raises(ValueError, match=r"."):
        many.as_statement(FEED.id)


def test_a_bundle_of_one_feed_is_what_a_batch_is():
    single = signed(0, 7, [1, 2])
    assert SignedBundle(0, (FeedReadings(FEED.id, 7, single.readings),), b"", b"").root == (
        merkle.leaf(FEED.id, 7, single.readings)
    )
    assert bundle(0, [[1, 2]], [FEED]).signature == single.signature
