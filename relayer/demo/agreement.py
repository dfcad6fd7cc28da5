"""The SLA of the demonstration, as the parties write it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from relayer.document import fresh_salt

FEE = "100.00"
INTERVAL_SECONDS = 2
WINDOW_INTERVALS = 13


def sla_document(
    *, parties: dict[str, str], reporter: str, settlement: dict[str, Any], url: str, start: int
) -> dict[str, Any]:
    """The document: see docs/sla-document.md.

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
                    "indicator": {
                        "metric": "availability",
                        "dataSource": {
                            "type": "http_probe",
                            "spec": {"url": url, "samples": 2, "timeout": "0.5"},
                        },
                    },
                    "objective": {"op": "gte", "value": "99%"},
                    "interval": f"{INTERVAL_SECONDS}s",
                    "settleDelay": "3s",
                    "reportEvery": "10s",
                    "reportDeadline": "60s",
                    "reporters": {"keys": [reporter], "quorum": 1},
                    "tiers": [
                        {"availabilityBelow": "99%", "credit": "10%"},
                        {"badIntervals": 2, "credit": "40%"},
                    ],
                }
            ],
            "salt": fresh_salt(),
        },
    }
