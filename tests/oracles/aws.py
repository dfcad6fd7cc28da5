"""moto's server for the tests of `cloudwatch`, and a middleman before it that can lie.

The middleman speaks the JSON that botocore speaks to CloudWatch.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from oracles import Interval
from oracles.cloudwatch import CloudWatch
from tests.oracles.contract import Clock

FIRST = 1_767_225_600
LENGTH = 300
INTERVAL = Interval(FIRST, FIRST + LENGTH)
REGION = "eu-central-1"

Tamper = Callable[[dict, dict], Any]


@dataclass
class Refusal:
    """An error instead of an answer."""

    status: int
    code: str
    headers: dict[str, str] = field(default_factory=dict)
    text: str = "no"


@dataclass
class Middleman:
    """`asked` are the requests seen. `tamper(request, answer)` may change the answer in place, or
    return a Refusal, or bytes to be sent in its stead."""

    port: int = 0
    asked: list[dict] = field(default_factory=list)
    signed_by: list[str] = field(default_factory=list)
    tamper: Tamper | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def handle(self, moto_port: int, head: Any, path: str, body: bytes) -> tuple[int, dict, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", moto_port)
        with contextlib.closing(connection):
            connection.request("POST", path, body, dict(head))
            response = connection.getresponse()
            status, headers, given = response.status, dict(response.getheaders()), response.read()
        if not head.get("X-Amz-Target", "").endswith(".GetMetricData"):
            return status, headers, given
        request = json.loads(body)
        self.asked.append(request)
        self.signed_by.append(head["Authorization"].split("Credential=")[1].split("/")[0])
        if self.tamper is None:
            return status, headers, given
        answer = json.loads(given) if status == 200 else {}
        said = self.tamper(request, answer)
        if isinstance(said, Refusal):
            error = {"__type": said.code, "message": said.text}
            return said.status, {**headers, **said.headers}, json.dumps(error).encode()
        if isinstance(said, bytes):
            return 200, headers, said
        return status, headers, json.dumps(answer).encode()


@contextlib.contextmanager
def between(moto_port: int):
    middleman = Middleman()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, given = middleman.handle(moto_port, self.headers, self.path, body)
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(given)))
            self.end_headers()
            self.wfile.write(given)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        middleman.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield middleman
        finally:
            server.shutdown()
            thread.join()


class OnMoto:
    """The fixtures of test classes that read from a moto server of their own."""

    @pytest.fixture(scope="class")
    @classmethod
    def moto_port(cls):
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        yield server.get_host_and_port()[1]
        server.stop()

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def quick_clients(cls):
        """Parse AWS's service descriptions once, not for every client: half of the tests' time."""
        with pytest.MonkeyPatch.context() as patch:
            loader = functools.cache(botocore.session.create_loader)
            patch.setattr(botocore.session, "create_loader", loader)
            yield

    @pytest.fixture(autouse=True)
    def credentials(self, monkeypatch, tmp_path):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTKEY")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-key")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"):
            monkeypatch.delenv(name, raising=False)

    @pytest.fixture
    def middleman(self, moto_port):
        with between(moto_port) as middleman:
            yield middleman

    @pytest.fixture
    def clock(self):
        return Clock(FIRST + 3600)

    @pytest.fixture
    def service(self, middleman, clock):
        with make(middleman.url, clock) as service:
            yield service

    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, moto_port):
        session = boto3.Session("a", "b", region_name=REGION)
        client = session.client("cloudwatch", endpoint_url=f"http://127.0.0.1:{moto_port}")
        yield client
        client.close()

    @pytest.fixture
    def put(self, client, moto_port):
        """Writes points {second after FIRST: value or list of values} into an empty moto."""

        def put(metric_name, points, namespace="Shop", **dimensions):
            named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
            data = [
                {
                    "MetricName": metric_name,
                    "Dimensions": named,
                    "Timestamp": dt.datetime.fromtimestamp(FIRST + at, dt.UTC),
                    "Value": value,
                }
                for at, values in points.items()
                for value in (values if isinstance(values, list) else [values])
            ]
            client.put_metric_data(Namespace=namespace, MetricData=data)

        yield put
        connection = http.client.HTTPConnection("127.0.0.1", moto_port)
        with contextlib.closing(connection):
            connection.request("POST", "/moto-api/reset")
            assert connection.getresponse().status == 200


def make(url, clock, **options):
    fast = {"connect_timeout": 1, "read_timeout": 60, "attempts": 1}
    return CloudWatch({"endpoint_url": url, **fast, **options}, clock=clock)


def spec(metric_name, statistic="Sum", unit="Count", **more):
    return {
        "region": REGION,
        "namespace": "Shop",
        "metric_name": metric_name,
        "statistic": statistic,
        "unit": unit,
        **more,
    }


def ask(metric_name, statistic="Sum", metric="throughput", *, length=LENGTH, **more):
    return CloudWatch.query(
        spec(metric_name, statistic, **more), metric, first=FIRST, length=length
    )


def every_minute(*values):
    return {60 * minute: value for minute, value in enumerate(values)}


def names(request):
    return {
        query["Id"]: query["MetricStat"]["Metric"]["MetricName"]
        for query in request["MetricDataQueries"]
    }
