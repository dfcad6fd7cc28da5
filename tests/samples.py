"""Sample values, each chosen once: a feed, terms and wallets that tests bend with ``replace`` and keyword arguments.

The keys come from the public test mnemonic of local chains ("test test ... junk"); they are worth nothing.
"""

from __future__ import annotations

from functools import cache

from eth_account import Account
from eth_account.signers.local import LocalAccount

from relayer.protocol import merkle
from relayer.protocol.feed import NO_PARTIES, Feed, Panel
from relayer.protocol.measurement import Comparison, Measurement
from relayer.protocol.readings import pack_readings
from relayer.protocol.report import FeedReadings, SignedBatch, SignedBundle
from relayer.protocol.scope import ALL, Scope
from relayer.protocol.terms import Combination, Level, Measure, Terms, Tier, UnknownPolicy
from relayer.protocol.typed_data import Domain, batch_message, root_message, sign, terms_message

MNEMONIC = "test test test test test test test test test test test junk"
DOLLAR = 1_000_000
FEE = 100 * DOLLAR
NO_EVIDENCE = bytes(32)


@cache
def wallet(index: int) -> LocalAccount:
    """Account ``index`` of the test mnemonic: anvil's and ganache's accounts 0 to 9, and as many more as asked for."""
    Account.enable_unaudited_hdwallet_features()
    return Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")


def reporter_wallets(count: int = 3) -> list[LocalAccount]:
    """Reporters' keys in the order of their panel."""
    return sorted((wallet(20 + i) for i in range(count)), key=lambda w: int(w.address, 16))


def panel(
    count: int = 3, quorum: int | None = None, tolerance: int = 0, parties: bytes = NO_PARTIES
) -> Panel:
    default = 1 if count == 1 else count // 2 + 1
    addresses = tuple(w.address for w in reporter_wallets(count))
    return Panel(addresses, default if quorum is None else quorum, tolerance, parties)


def measurement(start: int, **changes) -> Measurement:
    """Availability per minute of at least 99 %, in windows of one hour."""
    fields = {
        "interval": 60,
        "window_intervals": 60,
        "settle_delay": 30,
        "deadline": 7_200,
        "cadence": 600,
        "comparison": Comparison.AT_LEAST,
        "threshold": 990_000,
    }
    return Measurement(start=start, **(fields | changes))


def feed(
    start: int,
    panel_: Panel | None = None,
    descriptor: bytes = b"\xde" * 32,
    scope: Scope = ALL,
    **changes,
) -> Feed:
    return Feed(panel_ or panel(), measurement(start, **changes), descriptor, scope)


TIERS = (
    Tier(Measure.AVAILABILITY_BELOW, 990_000, 1_000),
    Tier(Measure.BAD_INTERVALS_AT_LEAST, 6, 2_500),
    Tier(Measure.BAD_RUN_AT_LEAST, 10, 10_000),
)


def terms(*feeds: Feed, **changes) -> Terms:
    """Terms over the given feeds, each with :data:`TIERS`; pass ``provider``, ``consumer``, ``token``, ``oracle``."""
    start = feeds[0].measurement.start
    fields = {
        "provider": wallet(1).address,
        "consumer": wallet(2).address,
        "start": start,
        "open_by": start,
        "fee_per_window": FEE,
        "windows": 3,
        "prepaid_windows": 1,
        "levels": tuple(Level(f.ref, TIERS) for f in feeds),
        "combination": Combination.WORST,
        "credit_cap": 10_000,
        "unknown_policy": UnknownPolicy.EXCLUDED,
        "unknown_limit": 1_000_000,
        "unknown_credit": 0,
        "document": b"\xd0" * 32,
        "salt": b"\x5a" * 32,
    }
    return Terms(**(fields | changes))


def signed_batch(
    oracle: Domain,
    feed_: Feed,
    reporter: int,
    first: int,
    codes: list[int],
    *,
    evidence: bytes = NO_EVIDENCE,
) -> SignedBatch:
    """The readings ``codes`` of intervals from ``first`` on, signed by reporter ``reporter`` of the panel."""
    keys = {w.address: w for w in reporter_wallets(len(feed_.panel.reporters))}
    readings = pack_readings(codes)
    message = batch_message(oracle, feed_.id, first, readings, evidence)
    signature = sign(keys[feed_.panel.reporters[reporter]], message)
    return SignedBatch(reporter, first, readings, evidence, signature)


def signed_bundle(
    oracle: Domain,
    feeds: list[Feed],
    reporter: int,
    first: int,
    codes: list[list[int]],
    *,
    evidence: bytes = NO_EVIDENCE,
) -> SignedBundle:
    """For each feed of one panel its readings from interval ``first`` on, all under one signature of reporter ``reporter``."""
    panel_ = feeds[0].panel
    keys = {w.address: w for w in reporter_wallets(len(panel_.reporters))}
    parts = tuple(
        FeedReadings(feed_.id, first, pack_readings(said))
        for feed_, said in zip(feeds, codes, strict=True)
    )
    root = merkle.root([part.leaf for part in parts])
    signature = sign(keys[panel_.reporters[reporter]], root_message(oracle, root, evidence))
    return SignedBundle(reporter, parts, evidence, signature)


def signatures(escrow: Domain, terms_: Terms) -> tuple[bytes, bytes]:
    """The provider's and the consumer's signature under the terms (accounts 1 and 2)."""
    message = terms_message(escrow, terms_)
    return sign(wallet(1), message), sign(wallet(2), message)
