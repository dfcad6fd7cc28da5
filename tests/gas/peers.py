"""What other mechanisms use for the same, measured under the same conditions, and what we want to stay below.

Contracts of the peers were compiled at their own compiler versions and settings, or taken as shipped; anvil 1.7.1, osaka,
receipts, November 2026. See docs/contracts.md.
"""

from __future__ import annotations

GOALS = {
    "report_1_interval_3_signatures": 52_000,
    "report_100_feeds_3_signatures_per_feed": 8_000,
    "report_60_intervals_3_signatures_per_interval": 1_200,
    "open_permit": 220_000,
    "settle_paying": 80_000,
    "close": 80_000,
}

PEERS = {
    "report_1_interval_3_signatures": {
        "RedStone, verified and stored": 55_112,
        "Chronicle Scribe": 70_917,
        "API3, three beacons and their median": 91_240,
        "Chainlink OCR2, 4 of 7": 101_621,
        "Chainlink Keystone, 3 signatures": 126_137,
    },
    "report_100_feeds_3_signatures_per_feed": {
        "Pyth, 3 of 4 guardians": 23_708,
        "RedStone, one package per signer": 29_745,
        "Chainlink Keystone, 2 signatures": 43_330,
        "API3, three beacons and their median": 69_349,
    },
    "settle_paying": {"DSLA v2, request and fulfil, one node": 565_603},
}
