"""The relayer's Prometheus metrics. Each is named and explained here, and counted where it happens."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from relayer import __version__

VERSION: Final = __version__
REGISTRY = CollectorRegistry()
"""Ours alone: what other libraries register in the default one does not appear."""


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"makegood_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"makegood_{name}", text, labels, registry=REGISTRY)


# Reading and reporting

READINGS = _counter("readings", "Answers of monitoring services", "source", "result")
READING_TIME = _gauge("reading_timestamp_seconds", "When a source last answered", "source")
READ_SECONDS = _counter("read_seconds", "Time spent waiting for monitoring services", "source")
FEEDS = _gauge("feeds", "Feeds that are reported now")
BEHIND = _gauge("intervals_behind", "Closed intervals without verdict, of the feed that has most")
REPORT_TIME = _gauge(
    "oldest_report_timestamp_seconds", "Start of the oldest interval without verdict"
)
OVERDUE = _gauge(
    "feeds_overdue",
    "Feeds whose oldest interval without verdict is past half of its report deadline",
)
SIGNED = _counter("signatures", "Batches of readings signed")

# Transactions

TRANSACTIONS = _counter("transactions", "Transactions by what became of them", "purpose", "state")
IN_FLIGHT = _gauge(
    "transaction_in_flight_since_seconds", "When the transaction in flight was signed; 0: none is"
)
FEE_BUMPS = _counter("fee_bumps", "Transactions sent again with higher fees")
FEE_SPENT = _counter("fee_spent_wei", "Fees of mined transactions [wei]")
REORGANISED = _counter(
    "reorganised_transactions", "Mined transactions that a reorganisation took back"
)
NONCE = _gauge("nonce", "Transactions of the key that are mined")
BALANCE = _gauge("balance_wei", "Balance of the key [wei]")
# By account, so that it is absent until it is known: no alert is to be had from a number that nobody measured.
RUNWAY = _gauge(
    "runway_days",
    "Days until the balance is spent, at the pace of the last week or, before, as expected",
    "account",
)

# Chain

RPC_ERRORS = _counter("rpc_errors", "Failed requests to RPC endpoints", "endpoint", "kind")
RPC_UP = _gauge("rpc_up", "Whether an endpoint is in use (1) or resting (0)", "endpoint")
RPC_HEAD = _gauge("rpc_head_timestamp_seconds", "Time of an endpoint's newest block", "endpoint")
RPC_DISSENT = _counter("rpc_dissents", "Reads on which endpoints disagreed", "endpoint")

# Other reporters

PEER_TIME = _gauge("peer_timestamp_seconds", "When a peer last answered well", "peer")
PEER_BUNDLES = _counter("peer_bundles", "Signed bundles received from a peer", "peer")
PEER_FAULTS = _counter("peer_faults", "What a peer did wrong", "peer", "kind")
EQUIVOCATIONS = _counter(
    "equivocations", "Contradictions found in what a reporter signed", "reporter"
)

# The process

LOOP_TIME = _gauge("loop_timestamp_seconds", "When the loop last finished a round")
LOOP_SECONDS = _counter("loop_seconds", "Time spent in rounds of the loop")
STORE_ERRORS = _counter("store_errors", "Failures of the database", "kind")
PART_READY = _gauge("part_ready", "State of a part: 1 ok, 0.5 degraded, 0 failed", "part")
ALERTS = _gauge("alerts", "Alerts that are firing", "alert")
WEBHOOK = _counter(
    "webhook_posts", "Posts of alerts: sent, failed (tried again), dropped (given up)", "result"
)
# There from the start: a rate needs a zero to begin with.
for _result in ("sent", "failed", "dropped"):
    WEBHOOK.labels(_result)
INFO = _gauge("build_info", "Always 1", "version", "chain_id", "account")

# Memory, processor time, open files, time of the start (on Linux).
ProcessCollector(namespace="makegood", registry=REGISTRY)
