"""Dynatrace over TLS on this machine, as far as its queries go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from oracles import Interval
from oracles.dynatrace import Dynatrace
from tests.oracles.contract import Clock
from tests.oracles.over_tls import FIRST, OverTls
from tests.oracles.tls_server import Answer, Request

LENGTH = 300
INTERVAL = Interval(FIRST, FIRST + LENGTH)
TOKEN = "dt0c01.ST2EY72KQINMH574WMNVI7YN.G3DFPBEJYMODIDAEX454M7YWBUVEFOWKPRVMWFASS64NFH52PX6BND"


@dataclass
class Fake:
    """Dynatrace, as far as `GET /api/v2/metrics/query` goes: metrics by selector, each
    {second at which a minute's slot begins: value}. Slots that touch the time frame count in.
    """

    points: dict[str, dict[int, Any]] = field(default_factory=dict)
    resolution: str = "1m"
    copies: dict[str, int] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    """How it writes a selector in its answer, if in another way."""

    def __call__(self, request: Request) -> Any:
        if request.query.get("entitySelector") == ["type(FAILING)"]:
            return Answer({"error": {"code": 503, "message": "shutting down"}}, 503)
        start, end = int(request.one("from")) // 1000, int(request.one("to")) // 1000
        result = []
        for selector in re.split(r",(?![^(]*\))", request.one("metricSelector")):
            if selector.startswith("wrong"):
                return Answer({"error": {"code": 400, "message": "Unknown metric wrong"}}, 400)
            slots = {
                at + 60: value
                for at, value in self.points.get(selector, {}).items()
                if at <= end and at + 60 >= start
            }
            series = {
                "dimensions": [],
                "dimensionMap": {},
                "timestamps": [at * 1000 for at in slots],
                "values": list(slots.values()),
            }
            result.append(
                {
                    "metricId": self.renamed.get(selector, selector),
                    "dataPointCountRatio": 1.2e-4,
                    "dimensionCountRatio": 2.5e-4,
                    "data": [series] * self.copies.get(selector, 1 if slots else 0),
                }
            )
        return {
            "totalCount": len(result),
            "nextPageKey": None,
            "resolution": self.resolution,
            "warnings": [],
            "result": result,
        }


class OnDynatrace(OverTls):
    """The fixtures of test classes that read from a Dynatrace of their own."""

    Fake = Fake

    @pytest.fixture(autouse=True)
    def token(self, monkeypatch):
        monkeypatch.setenv("DT_API_TOKEN", TOKEN)

    @pytest.fixture
    def service(self, server, clock):
        with make(server, clock) as service:
            yield service


def make(server, clock=None, **more):
    options = {
        "url": f"{server.url}/e/{{environment}}",
        "ca_file": server.ca_file,
        "timeout": 30,
        "tokens": dict.fromkeys(("abc12345", "other", "down"), "${DT_API_TOKEN}"),
        **more,
    }
    return Dynatrace(options, clock=clock or Clock(FIRST + 7200))


def spec(selector="up:splitBy():avg", **more):
    return {"environment": "abc12345", "metric_selector": selector, "unit": "percent", **more}


def ask(selector="up", metric="utilisation", *, length=LENGTH, first=FIRST, **more):
    return Dynatrace.query(spec(selector, **more), metric, first=first, length=length)


def minutes(*values, start=FIRST):
    return {start + 60 * minute: value for minute, value in enumerate(values)}
