"""Azure over TLS on this machine, as far as its client libraries see it: tokens, metrics, logs."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from oracles import Interval
from oracles.azure_monitor import AzureMonitor
from tests.oracles.tls_server import Answer, Request, TlsServer, serving_tls

FIRST = 1_767_225_600
LENGTH = 300
INTERVAL = Interval(FIRST, FIRST + LENGTH)
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
WORKSPACE = "99999999-8888-7777-6666-555555555555"
TENANT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
TOKEN = "t0ken-that-nobody-may-see"
SECRET = "s3cr3t-of-the-application"
VM = "Microsoft.Compute/virtualMachines"
AVAILABLE = "VmAvailabilityMetric"
CPU = "Percentage CPU"
UNITS = {AVAILABLE: "Count", CPU: "Percent", "Latency": "MilliSeconds", "Memory": "Bytes"}


def vm(name, subscription=SUBSCRIPTION):
    return f"/subscriptions/{subscription}/resourceGroups/Shop/providers/{VM}/{name}"


def iso(second):
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix(text):
    return int(dt.datetime.fromisoformat(text).timestamp())


@dataclass
class Azure:
    """`lie(request, answer)` may change an answer in place, or return another one."""

    server: TlsServer
    points: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    rows: dict[str, list[list[Any]]] = field(default_factory=dict)
    columns: tuple[str, ...] = ("TimeGenerated", "value")
    lie: Any = lambda request, answer: None
    token_answer: Any = None

    def put(self, name, metric, points):
        """Points {second after FIRST: number} of a virtual machine."""
        self.points[vm(name).lower(), metric.lower()] = {
            FIRST + at: value for at, value in points.items()
        }

    def calls(self, what="metrics:getBatch"):
        return [request for request in self.server.requests if request.path.endswith(what)]

    def answer(self, request: Request) -> Any:
        if "/.well-known/" in request.path:
            tenant = f"{self.server.url}/{TENANT}"
            return {
                "token_endpoint": f"{tenant}/oauth2/v2.0/token",
                "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
                "issuer": f"{tenant}/v2.0",
            }
        if request.path.endswith("/token"):
            answer = {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN}
            return answer if self.token_answer is None else self.token_answer
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "InvalidAuthenticationToken")
        answer = self.logs(request) if request.path.startswith("/v1/") else self.metrics(request)
        said = self.lie(request, answer)
        return answer if said is None else said

    def metrics(self, request: Request) -> Any:
        resources = request.json()["resourceids"]
        assert 1 <= len(resources) <= 50
        assert len({resource.lower() for resource in resources}) == len(resources)
        assert {resource.split("/")[2].lower() for resource in resources} == {
            request.path.partition("/subscriptions/")[2].split("/")[0].lower()
        }
        start, end = unix(request.one("starttime")), unix(request.one("endtime"))
        step = {"PT1M": 60, "PT5M": 300, "PT1H": 3600}[request.one("interval")]
        name, aggregation = request.one("metricnames"), request.one("aggregation")
        values = []
        for resource in reversed(resources):  # whoever relies on the order is wrong
            found = self.points.get((resource.lower(), name.lower()), {})
            data = [
                {"timeStamp": iso(at), **({aggregation.lower(): found[at]} if at in found else {})}
                for at in range(start, end, step)
            ]
            metric = {
                "id": f"{resource}/providers/Microsoft.Insights/metrics/{name}",
                "type": "Microsoft.Insights/metrics",
                "name": {"value": name, "localizedValue": name},
                "unit": UNITS.get(name, "Count"),
                "timeseries": [{"metadatavalues": [], "data": data}],
                "errorCode": "Success",
            }
            value = {
                "cost": 0,
                "starttime": iso(start),
                "endtime": iso(end),
                "interval": request.one("interval"),
                "value": [metric],
                "namespace": request.one("metricnamespace").lower(),
                "resourceregion": "westeurope",
                "resourceid": resource.lower(),
            }
            values.append(value)
        return {"values": values}

    def logs(self, request: Request) -> Any:
        body = request.json()
        start, end = map(unix, body["timespan"].split("/"))
        rows = [
            [iso(FIRST + at), value]
            for at, value in self.rows.get(body["query"], [])
            if start <= FIRST + at <= end
        ]
        columns = [
            {"name": self.columns[0], "type": "datetime"},
            {"name": self.columns[1], "type": "real"},
        ]
        return {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}


def refusal(status, code="Nope", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = {"error": {"code": code, "message": f"{code} because of the test"}}
    return Answer(error, status, named)


def odd_one(answer, name):
    """The part of an answer that is about one virtual machine, or None."""
    return next((one for one in answer["values"] if one["resourceid"] == vm(name).lower()), None)


@contextlib.contextmanager
def azure_here():
    with serving_tls() as server:
        azure = Azure(server)
        server.answer(azure.answer)
        yield azure


def options(azure, **more):
    return {
        "tenant_id": TENANT,
        "client_id": str(uuid.UUID(int=7)),
        "client_secret": "${AZURE_TEST_SECRET}",
        "authority": azure.server.url,
        "disable_instance_discovery": True,
        "metrics_endpoint": azure.server.url,
        "logs_endpoint": azure.server.url,
        "ca_file": azure.server.ca_file,
        "connect_timeout": 30,
        "read_timeout": 60,
        **more,
    }


def make(azure, clock, **more):
    return AzureMonitor(options(azure, **more), clock=clock)


def metric_spec(name="up", metric=AVAILABLE, unit="ratio", aggregation="Average", **more):
    """`more` may hold fields of the metric and of the specification itself."""
    own = {key: more.pop(key) for key in ("statistic", "step", "min_points") if key in more}
    source = {
        "resource_id": vm(name),
        "region": "westeurope",
        "metric_namespace": VM,
        "metric_name": metric,
        "aggregation": aggregation,
        **more,
    }
    return {"metrics": source, "unit": unit, **own}


def logs_spec(query="shop", unit="ms", **more):
    own = {key: more.pop(key) for key in ("statistic", "step", "min_points") if key in more}
    return {"logs": {"workspace_id": WORKSPACE, "query": query, **more}, "unit": unit, **own}


def ask(spec, metric="availability", *, first=FIRST, length=LENGTH):
    return AzureMonitor.query(spec, metric, first=first, length=length)


def every_minute(*values):
    return {60 * at: value for at, value in enumerate(values) if value is not None}


def copied(answer):
    return json.loads(json.dumps(answer))
