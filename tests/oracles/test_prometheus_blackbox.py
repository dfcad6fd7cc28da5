"""The real thing: Prometheus scrapes the blackbox exporter, which probes a web server."""

from __future__ import annotations

import contextlib
import time
from fractions import Fraction

import pytest
import requests

from oracles import NO_DATA, Value
from oracles.prometheus import Prometheus
from tests.oracles.prometheus_server import blackbox_exporter, prometheus, until
from tests.oracles.sockets import HERE
from tests.oracles.web import serving


@pytest.mark.timeout(600)
def test_a_probe_that_fails_is_a_value_and_an_exporter_that_is_gone_no_data(tmp_path):
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(serving())
        web.statuses["/down"] = "500 Oops"
        exporting = contextlib.ExitStack()
        stack.enter_context(exporting)
        exporter = exporting.enter_context(blackbox_exporter(tmp_path))
        jobs = [
            {
                "job_name": name,
                "scrape_interval": "1s",
                "metrics_path": "/probe",
                "params": {"module": ["http_2xx"], "target": [web.url(f"/{name}")]},
                "static_configs": [{"targets": [exporter]}],
            }
            for name in ("up", "down")
        ]
        url = stack.enter_context(prometheus(tmp_path, scrape_configs=jobs))
        service = stack.enter_context(Prometheus(HERE))

        def next_seconds(*selectors):
            """What is read of the five seconds that begin now."""
            first = int(time.time()) + 1
            spec = {"url": url, "unit": "ratio", "step": 1, "min_points": 3}
            queries = [
                Prometheus.query({**spec, "query": one}, "availability", first=first, length=5)
                for one in selectors
            ]
            until(lambda: time.time() > first + 5 + 2, "the end of an interval")
            return [reading.answer for reading in service.read(queries, queries[0].interval(0))]

        up, down = 'probe_success{job="up"}', 'probe_success{job="down"}'
        last = {"query": 'count({__name__="probe_success"}) == 2'}
        until(
            lambda: requests.get(f"{url}/api/v1/query", last, timeout=30).json()["data"]["result"],
            "the first scrape of both",
        )
        # On a busy machine a probe or a scrape may come too late: then the seconds after it are looked at.
        well = [Value(Fraction(1_000_000)), Value(Fraction(0))]
        until(lambda: next_seconds(up, down) == well, "a probe that fails to be a value")
        exporting.close()
        gone = [NO_DATA, Value(Fraction(0))]
        until(lambda: next_seconds(up, 'up{job="up"}') == gone, "the series to end")
