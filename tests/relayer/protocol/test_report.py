"""Signed readings as the oracle takes them: rule 14."""

from relayer.protocol.readings import pack_readings
from relayer.protocol.report import SignedBatch, batches_as_abi, reporter_index
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
