"""Datadog over TLS on this machine, as far as its queries go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from oracles import Interval
from oracles.datadog import Datadog
from tests.oracles.contract import Clock
from tests.oracles.over_tls import FIRST, OverTls
from tests.oracles.tls_server import Answer, Request

LENGTH = 300
INTERVAL = Interval(FIRST, FIRST + LENGTH)
API_KEY = "0123456789abcdef0123456789abcdef"
APP_KEY = "fedcba9876543210fedcba9876543210fedcba98"


@dataclass
class Fake:
    """Datadog, as far as `GET /api/v1/query` goes: metrics by name, each {second: value}.

    A bucket counts in if it begins within [from, to], both ends included.
    """

    points: dict[str, dict[int, Any]] = field(default_factory=dict)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of the series of a metric: its unit or interval, say."""
    status: int = 400
    """Of the answer to a query that is wrong."""
    copies: dict[str, int] = field(default_factory=dict)
    """How many series there are of a metric."""

    def __call__(self, request: Request) -> Any:
        start, end = int(request.one("from")), int(request.one("to"))
        texts = re.split(r",(?![^{(]*[})])", request.one("query"))
        series = []
        for index, text in enumerate(texts):
            name = re.search(r":([\w.]+)\{", text)[1]
            if name == "wrong":
                return Answer({"status": "error", "error": "Error parsing query"}, self.status)
            if name == "failing":
                return {"status": "error", "error": "something went wrong"}
            pointlist = [
                [at * 1000.0, value]
                for at, value in self.points.get(name, {}).items()
                if start <= at <= end
            ]
            one = {
                "metric": name,
                "attributes": {},
                "display_name": name,
                "unit": None,
                "pointlist": pointlist,
                "start": start * 1000,
                "end": end * 1000 - 1,
                "interval": 60,
                "length": len(pointlist),
                "aggr": None,
                "scope": "service:shop",
                "tag_set": [],
                "expression": text,
                "query_index": index,
                **self.changes.get(name, {}),
            }
            series += [one] * self.copies.get(name, 1 if pointlist else 0)
        return {
            "status": "ok",
            "res_type": "time_series",
            "resp_version": 1,
            "query": request.one("query"),
            "from_date": start * 1000,
            "to_date": end * 1000,
            "series": series,
            "values": [],
            "times": [],
            "message": "",
            "group_by": [],
        }


class OnDatadog(OverTls):
    """The fixtures of test classes that read from a Datadog of their own."""

    Fake = Fake

    @pytest.fixture(autouse=True)
    def keys(self, monkeypatch):
        monkeypatch.setenv("DD_API_KEY", API_KEY)
        monkeypatch.setenv("DD_APP_KEY", APP_KEY)

    @pytest.fixture
    def service(self, server, clock):
        with make(server, clock) as service:
            yield service


def make(server, clock=None, **more):
    options = {"endpoint_url": server.url, "ca_file": server.ca_file, "timeout": 30, **more}
    return Datadog(options, clock=clock or Clock(FIRST + 7200))


def spec(name="up", **more):
    return {
        "query": f"avg:{name}{{service:shop,env:prod}}.rollup(avg, 60)",
        "unit": "percent",
        **more,
    }


def ask(name="up", metric="utilisation", *, length=LENGTH, first=FIRST, **more):
    return Datadog.query(spec(name, **more), metric, first=first, length=length)


def minutes(*values, start=FIRST):
    return {start + 60 * minute: value for minute, value in enumerate(values)}
