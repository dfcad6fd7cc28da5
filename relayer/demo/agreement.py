"""The SLA of the demonstration, as the parties write it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from relayer.document import fresh_salt

if TYPE_CHECKING:
    from collections.abc import Mapping

FEE = "100.00"
INTERVAL_SECONDS = 2
WINDOW_INTERVALS = 13
QUORUM = 2


def sla_document(
    *,
    parties: dict[str, str],
    reporters: Mapping[str, str],
    settlement: dict[str, Any],
    url: str,
    start: int,
) -> dict[str, Any]:
    """The document: see docs/sla-document.md.

    :param reporters: For each reporter's address the URL that it watches.
    :param url: What is promised to answer.
    :param start: Begin of the only window [s, UNIX time].
    """
    return {
        "apiVersion": "makegood/v1",
        "kind": "SLA",
        "metadata": {"name": "demo-shop"},
        "spec": {
            "parties": parties,
            "settlement": settlement,
            "money": {"feePerWindow": FEE},
            "term": {
                "start": datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "window": f"{INTERVAL_SECONDS * WINDOW_INTERVALS}s",
                "windows": 1,
            },
            "levels": [
                {
                    "name": "availability",
                    "indicator": {"metric": "availability", "dataSource": _probe(url)},
                    "objective": {"op": "gte", "value": "99%"},
                    "interval": f"{INTERVAL_SECONDS}s",
                    # As long as the last sample of an interval may take on a busy machine.
                    "settleDelay": "3s",
                    "reportEvery": f"{INTERVAL_SECONDS}s",
                    "reportDeadline": "30s",
                    "reporters": {
                        "keys": [
                            {"key": address, "dataSource": _probe(watched)}
                            for address, watched in reporters.items()
                        ],
                        "quorum": QUORUM,
                    },
                    "tiers": [
                        {"availabilityBelow": "99%", "credit": "10%"},
                        {"badIntervals": 2, "credit": "40%"},
                    ],
                }
            ],
            "salt": fresh_salt(),
        },
    }


def _probe(url: str) -> dict[str, Any]:
    return {"type": "http_probe", "spec": {"url": url, "samples": 2, "timeout": "1"}}
