"""Google over TLS on this machine: time series, and who may read them."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from dataclasses import dataclass, field
from typing import Any

import google.auth.jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.compute_engine import _metadata

from oracles import Interval
from oracles.gcp_monitoring import GcpMonitoring
from tests.oracles.contract import Clock
from tests.oracles.over_tls import FIRST, OverTls
from tests.oracles.tls_server import Answer, Request

LENGTH = 300
INTERVAL = Interval(FIRST, FIRST + LENGTH)
ROBOT = "reader@shop-prod.iam.gserviceaccount.com"
AUDIENCE = "https://oauth2.googleapis.com/token"  # wherever token_uri points to
ACTED = "auditor@shop-prod.iam.gserviceaccount.com"
IMPERSONATION = f"/v1/projects/-/serviceAccounts/{ACTED}:generateAccessToken"


def written(at):
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat().replace("+00:00", "Z")


def read_time(text):
    return dt.datetime.fromisoformat(text).timestamp()


@functools.cache
def robots_key():
    """Made once: it takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Fake:
    """Google: `projects.timeSeries.list`, the token endpoint of service accounts, and IAM's.

    Metrics are by name, each {second at which a minute begins: value}; a point is stamped with its
    minute's end, and counts in if that is within (startTime, endTime].
    """

    public_key: bytes = b""
    points: dict[str, dict[int, Any]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    """Those given out, newest last. Only the newest opens anything."""
    lifetime: int = 3600

    def __call__(self, request: Request) -> Any:
        if request.path == "/token":
            return self.token(request)
        if request.headers.get("authorization") not in [f"Bearer {t}" for t in self.tokens]:
            return Answer({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, 401)
        if request.path == IMPERSONATION:
            self.tokens.append(f"ya29.acting-{len(self.tokens)}")
            expiry = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.lifetime)
            return {
                "accessToken": self.tokens[-1],
                "expireTime": expiry.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        return self.series(request)

    def token(self, request: Request) -> Any:
        fields = dict(part.split("=", 1) for part in request.body.decode().split("&"))
        claims = google.auth.jwt.decode(  # raises unless the account's key has signed
            fields["assertion"], certs=self.public_key, audience=AUDIENCE
        )
        assert claims["iss"] == ROBOT
        self.tokens.append(f"ya29.token-{len(self.tokens)}")
        return {
            "access_token": self.tokens[-1],
            "expires_in": self.lifetime,
            "token_type": "Bearer",
            "scope": claims["scope"],
        }

    def series(self, request: Request) -> Any:
        name = re.search(r'metric\.type = "([^"]+)"', request.one("filter"))[1]
        if name == "failing":
            return Answer({"error": {"code": 503, "status": "UNAVAILABLE"}}, 503)
        start = read_time(request.one("interval.startTime"))
        end = read_time(request.one("interval.endTime"))
        kind = self.kinds.get(name, "doubleValue")
        points = []
        for at, value in self.points.get(name, {}).items():
            if start < at + 60 <= end:
                span = {"startTime": written(at + 60), "endTime": written(at + 60)}
                points.append({"interval": span, "value": {kind: value}})
        one = {
            "resource": {"type": "gce_instance", "labels": {"project_id": "shop-prod"}},
            "metricKind": "GAUGE",
            "valueType": "DOUBLE",
            "points": points[::-1],  # the newest first, as Google does
        }
        if name in self.units:
            one["unit"] = self.units[name]
        copies = self.copies.get(name, 1 if points else 0)
        found = [
            {**one, "metric": {"type": name, "labels": {"instance": str(copy)}}}
            for copy in range(copies)
        ]
        return {"timeSeries": found} if found else {}


class OnGoogle(OverTls):
    """The fixtures of test classes that read from a Google of their own."""

    @pytest.fixture
    def key(self):
        return robots_key()

    @pytest.fixture(autouse=True)
    def nobody(self, monkeypatch, tmp_path):
        """This machine has no credentials of its own, and no metadata server."""
        for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
        monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)

    @pytest.fixture
    def fake(self, server, key):
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        fake = Fake(public_key=public)
        server.answer(fake)
        return fake

    @pytest.fixture
    def account(self, server, key, tmp_path):
        """The file of a service account, as Google hands it out; its token_uri is our server's."""
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file = tmp_path / "account.json"
        content = {
            "type": "service_account",
            "project_id": "shop-prod",
            "private_key_id": "f00",
            "private_key": private.decode(),
            "client_email": ROBOT,
            "client_id": "1",
            "token_uri": f"{server.url}/token",
        }
        file.write_text(json.dumps(content))
        return file

    @pytest.fixture
    def make(self, server, account):
        services = []

        def make(clock=None, **more):
            options = {
                "credentials_file": str(account),
                "endpoint_url": server.url,
                "iam_endpoint_url": server.url,
                "ca_file": server.ca_file,
                "timeout": 30,
                **more,
            }
            services.append(GcpMonitoring(options, clock=clock or Clock(FIRST + 7200)))
            return services[-1]

        yield make
        for service in services:
            service.close()

    @pytest.fixture
    def service(self, make, fake):
        return make()


def spec(name="up", **more):
    return {
        "project": "shop-prod",
        "filter": f'metric.type = "{name}" AND resource.labels.zone = "europe-west3-a"',
        "aligner": "ALIGN_MEAN",
        "unit": "%",
        **more,
    }


def ask(name="up", metric="utilisation", *, length=LENGTH, first=FIRST, **more):
    return GcpMonitoring.query(spec(name, **more), metric, first=first, length=length)


def minutes(*values, start=FIRST):
    return {start + 60 * minute: value for minute, value in enumerate(values)}


def series_calls(server):
    return server.asked("/v3/projects/shop-prod/timeSeries")
