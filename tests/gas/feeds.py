"""What reports and skips of feeds cost."""

from __future__ import annotations

from dataclasses import replace

from relayer.bindings import Oracle
from relayer.protocol.report import bundles_as_abi
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.gas.chain import START, Chain, say

DAY = 1_440  # intervals of a minute
ROUNDS = 5


class Reports:
    """Reports of one feed, each from where the last one ended."""

    def __init__(self, chain: Chain, oracle: Oracle, feed: samples.Feed) -> None:
        self.chain, self.oracle, self.feed = chain, oracle, feed
        self.domain = Domain(chain.w3.eth.chain_id, oracle.address)
        self.next = 0

    def send(self, codes: list[list[int]]) -> int:
        """Reports one list of readings for each reporter, at the earliest possible time."""
        signed = [
            samples.signed_batch(
                self.domain,
                self.feed,
                reporter,
                self.next,
                own,
                evidence=bytes([reporter + 1]) * 32,  # zeros would be cheaper than real evidence
            )
            for reporter, own in enumerate(codes)
        ]
        end = self.next + len(codes[0])
        self.chain.wait(self.feed.measurement.readable_at(end - 1))
        gas = self.chain.gas(self.oracle.report(self.feed, signed))
        self.next = end
        assert self.oracle.next_interval(self.feed.id) == end
        return gas

    def skip(self, intervals: int) -> int:
        self.next += intervals
        end = self.feed.measurement.start_of(self.next)
        self.chain.wait(max(self.chain.now, end) + self.feed.measurement.deadline)
        return self.chain.gas(self.oracle.skip(self.feed, self.next))


class ManyReports:
    """Reports of many feeds in one transaction, with one signature of each reporter."""

    def __init__(self, chain: Chain, oracle: Oracle, count: int) -> None:
        self.chain, self.oracle = chain, oracle
        self.domain = Domain(chain.w3.eth.chain_id, oracle.address)
        self.feeds = [
            samples.feed(START, descriptor=bytes([count, i]) * 16, window_intervals=DAY)
            for i in range(count)
        ]
        self.next = 0

    def send(self, code: int) -> int:
        """Reports one interval of every feed; all reporters say the same."""
        panel = self.feeds[0].panel
        signed = [
            samples.signed_bundle(
                self.domain,
                self.feeds,
                reporter,
                self.next,
                [[code + i] for i in range(len(self.feeds))],
                evidence=bytes([reporter + 1]) * 32,
            )
            for reporter in range(len(panel.reporters))
        ]
        bundles = bundles_as_abi([feed.id for feed in self.feeds], signed)
        self.chain.wait(self.feeds[0].measurement.readable_at(self.next))
        call = self.oracle.contract.functions.reportMany(
            panel.as_abi(), [feed.as_abi()[1:] for feed in self.feeds], bundles
        )
        gas = self.chain.gas(call)
        self.next += 1
        assert all(self.oracle.next_interval(feed.id) == self.next for feed in self.feeds)
        return gas


def measure(chain: Chain, oracle: Oracle) -> dict[str, int]:
    """Within one window: its closing costs a new slot, once in a billing period."""
    say("reports of one interval")
    single = _median(chain, oracle, 1, lambda reports: reports.send([[998_877]] * 3))
    say("reports of 60 intervals")
    hour = [990_000 + 131 * i for i in range(60)]
    equal = _median(chain, oracle, 2, lambda reports: reports.send([hour] * 3))
    # No two readings of an interval are equal; all are within the tolerance.
    apart = [[value + 7 * reporter for value in hour] for reporter in range(3)]
    different = _median(chain, oracle, 3, lambda reports: reports.send(apart), tolerance=20)
    say("skips")
    skip = _median(chain, oracle, 4, lambda reports: reports.skip(1))
    say("reports of many feeds")
    used = {
        "report_1_interval_3_signatures": single,
        "report_60_intervals_3_signatures_per_interval": -(-equal // 60),
        "report_60_intervals_3_signatures_all_different_per_interval": -(-different // 60),
        "skip": skip,
    }
    for count in (10, 100):
        reports = ManyReports(chain, oracle, count)
        used[f"report_{count}_feeds_3_signatures_per_feed_first"] = -(
            -reports.send(990_000) // count
        )
        used[f"report_{count}_feeds_3_signatures_per_feed"] = -(-reports.send(991_000) // count)
    return used


def _median(chain: Chain, oracle: Oracle, number: int, one_round, *, tolerance: int = 0) -> int:
    feed = samples.feed(
        START,
        replace(samples.panel(), tolerance=tolerance),
        descriptor=bytes([number]) * 32,
        window_intervals=DAY,
    )
    reports = Reports(chain, oracle, feed)
    reports.send([[998_877]] * 3)  # the first report writes new slots
    used = sorted(one_round(reports) for _ in range(ROUNDS))
    return used[ROUNDS // 2]
