from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import google.auth.jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.compute_engine import _metadata

from oracles import (
    NO_DATA,
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    Interval,
    Throttled,
    Unavailable,
    Value,
)
from oracles.gcp_monitoring import GcpMonitoring
from tests.oracles.contract import Bench, Clock, Contract
from tests.oracles.tls_server import DRIP, HANG, RESET, Answer, Request, serving_tls
from tests.oracles.web import closed_port

FIRST = 1_767_225_600
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


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """This machine has no credentials of its own, and no metadata server."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)


@pytest.fixture
def server():
    with serving_tls() as server:
        yield server


@pytest.fixture
def fake(server, key):
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    fake = Fake(public_key=public)
    server.answer(fake)
    return fake


@pytest.fixture
def account(server, key, tmp_path):
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
def clock():
    return Clock(FIRST + 7200)


@pytest.fixture
def make(server, account):
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
def service(make, fake):
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


class TestContract(Contract):
    @pytest.fixture
    def bench(self, server, fake, make, clock, key):
        fake.points = {
            "up": minutes(100, 100, 99.5, 100, 100),
            "down": minutes(0, 0, 0, 0, 0),
            "negative": minutes(-1, -1, -1, -1, -1),
            "border": {INTERVAL.end: 100},
        }

        def trouble(handler, **more):
            def ask_now():
                server.answer(lambda r: fake(r) if r.path == "/token" else handler(r))
                return make(clock, **more).read([ask("up", "availability")], INTERVAL)[0]

            return ask_now

        secret = "".join(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            .decode()
            .splitlines()[3]
        )
        return Bench(
            make=lambda: make(clock),
            clock=clock,
            interval=INTERVAL,
            value=ask("up", "availability"),
            value_amount=Fraction(999_000),
            other=ask("down", "availability"),
            other_amount=Fraction(0),
            empty=ask("nothing", "availability"),
            garbage=ask("negative", "availability"),
            failing=ask("failing", "availability"),
            spec=spec(),
            secrets=[secret, "ya29"],
            refused=trouble(lambda r: Answer({"you": r.headers["authorization"]}, 403)),
            throttled=trouble(lambda _: Answer({"error": {"code": 429}}, 429)),
            hanging=trouble(lambda _: HANG, timeout=0.5),
            too_large=trouble(lambda _: Answer(b" " * 17_000_000 + b"{}")),
            border=ask("border", "availability", min_points=1),
        )


class TestTheCall:
    def test_the_interval_is_asked_for_and_the_token_is_in_a_header_only(
        self, service, server, fake
    ):
        query = ask(reducer="REDUCE_MEAN", group_by=["resource.labels.zone", "metric.labels.a"])
        service.read([query], INTERVAL)
        [request] = series_calls(server)
        assert request.method == "GET"
        assert request.query == {
            "filter": ['metric.type = "up" AND resource.labels.zone = "europe-west3-a"'],
            "interval.startTime": ["2026-01-01T00:00:00Z"],
            "interval.endTime": ["2026-01-01T00:05:00Z"],
            "aggregation.alignmentPeriod": ["60s"],
            "aggregation.perSeriesAligner": ["ALIGN_MEAN"],
            "aggregation.crossSeriesReducer": ["REDUCE_MEAN"],
            "aggregation.groupByFields": ["resource.labels.zone", "metric.labels.a"],
            "view": ["FULL"],
            "pageSize": ["10000"],
        }
        assert request.headers["authorization"] == f"Bearer {fake.tokens[0]}"

    def test_many_queries_share_a_token(self, service, server, fake):
        fake.points = {f"m{n}": minutes(n, n, n, n, n) for n in range(20)}
        readings = service.read([ask(f"m{n}") for n in range(20)], INTERVAL)
        assert [r.answer for r in readings] == [Value(Fraction(n * 10_000)) for n in range(20)]
        assert len(server.asked("/token")) == 1
        assert len(series_calls(server)) == 20

    def test_one_wrong_query_costs_no_other_its_answer(self, service, server, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)

        def wrong(request):
            if "wrong" in request.query.get("filter", [""])[0]:
                return Answer({"error": {"code": 400, "status": "INVALID_ARGUMENT"}}, 400)
            return fake(request)

        server.answer(wrong)
        one, two = service.read([ask("wrong"), ask("up")], INTERVAL)
        assert isinstance(one, BadRequest)
        assert two.answer == Value(Fraction(10_000))


class TestCredentials:
    def test_a_token_is_renewed_before_it_expires(self, service, server, fake):
        fake.lifetime = 60  # less than what google-auth keeps as a reserve
        for _ in range(2):
            assert service.read_one(ask(), INTERVAL).answer is NO_DATA
        assert len(server.asked("/token")) == 2
        assert [r.headers["authorization"] for r in series_calls(server)] == [
            f"Bearer {token}" for token in fake.tokens
        ]

    def test_the_token_is_for_reading_metrics_only(self, service, server, fake):
        service.read([ask()], INTERVAL)
        [request] = server.asked("/token")
        assertion = re.search(r"assertion=([^&]+)", request.body.decode())[1]
        claims = google.auth.jwt.decode(assertion, verify=False)
        assert claims["scope"] == "https://www.googleapis.com/auth/monitoring.read"

    def test_the_standard_chain_finds_the_file_that_the_environment_names(
        self, make, fake, account, monkeypatch
    ):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        service = make(credentials_file=None)
        assert service.read_one(ask(), INTERVAL).answer == Value(Fraction(10_000))

    def test_another_account_is_acted_as(self, make, server, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        service = make(impersonate=ACTED)
        assert service.read_one(ask(), INTERVAL).answer == Value(Fraction(10_000))
        [request] = server.asked(IMPERSONATION)
        assert request.json()["scope"] == ["https://www.googleapis.com/auth/monitoring.read"]
        [call] = series_calls(server)
        assert call.headers["authorization"].startswith("Bearer ya29.acting")

    def test_the_metadata_server_of_a_machine_gives_its_token(
        self, make, server, fake, monkeypatch
    ):
        fake.tokens = ["ya29.of-the-machine"]
        fake.points["up"] = minutes(1, 1, 1, 1, 1)

        def metadata(request):
            assert request.headers["metadata-flavor"] == "Google"
            said = {
                "/computeMetadata/v1/instance/service-accounts/default/": {
                    "email": ROBOT,
                    "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                },
                "/computeMetadata/v1/instance/service-accounts/default/token": {
                    "access_token": fake.tokens[0],
                    "expires_in": 3600,
                },
                "/computeMetadata/v1/project/project-id": b"shop-prod",
            }.get(request.path, b"")
            return Answer(said, headers={"Metadata-Flavor": "Google"})

        with serving_tls(plain=True) as machine:
            machine.answer(metadata)
            monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
            monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", machine.host)
            monkeypatch.setenv("GCE_METADATA_IP", machine.host)
            service = make(credentials_file=None)
            assert service.read_one(ask(), INTERVAL).answer == Value(Fraction(10_000))

    def test_a_metadata_server_that_fails_is_asked_again_later(self, make, fake, monkeypatch):
        monkeypatch.setattr("time.sleep", lambda _: None)  # google-auth asks five times
        with serving_tls(plain=True) as machine:
            home = {"Metadata-Flavor": "Google"}
            machine.answer(lambda r: Answer(b"", 200 if r.path == "/" else 503, home))
            monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
            monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", machine.host)
            monkeypatch.setenv("GCE_METADATA_IP", machine.host)
            [error] = make(credentials_file=None).read([ask()], INTERVAL)
        assert type(error) is Unavailable

    def test_no_credentials_at_all_are_the_operators_matter(self, make, server, fake):
        with pytest.raises(AccessRefused, match="set credentials_file") as caught:
            make(credentials_file=None).read_one(ask(), INTERVAL)
        assert not caught.value.retryable
        assert server.requests == []

    def test_every_query_hears_of_it(self, make, fake):
        answers = make(credentials_file=None).read([ask("a"), ask("b")], INTERVAL)
        assert [type(answer) for answer in answers] == [AccessRefused] * 2

    @pytest.mark.parametrize(
        ("answer", "expected", "why"),
        [
            (Answer({"error": "invalid_grant"}, 400), AccessRefused, "invalid_grant"),
            (Answer({"error": "unauthorized_client"}, 401), AccessRefused, "unauthorized_client"),
            (Answer({"token": "ya29.hidden"}), AccessRefused, "RefreshError"),
            (Answer(b"<html>ya29.hidden</html>"), AccessRefused, "TypeError"),
            (RESET, Unavailable, "TransportError"),
        ],
    )
    def test_a_token_endpoint_that_gives_none(self, make, server, answer, expected, why):
        server.answer(lambda _: answer)
        [error] = make().read([ask()], INTERVAL)
        assert type(error) is expected
        assert why in str(error)
        assert "ya29" not in str(error)

    def test_a_token_endpoint_that_is_overloaded(self, make, server, monkeypatch):
        monkeypatch.setattr("time.sleep", lambda _: None)  # google-auth asks three times
        server.answer(lambda _: Answer({"error": "internal_failure"}, 503))
        [error] = make().read([ask()], INTERVAL)
        assert type(error) is Unavailable

    @pytest.mark.parametrize(
        ("status", "name", "expected"),
        [(403, "PERMISSION_DENIED", AccessRefused), (503, "UNAVAILABLE", Unavailable)],
    )
    def test_an_account_that_cannot_be_acted_as(self, make, server, fake, status, name, expected):
        def deny(request):
            if request.path == IMPERSONATION:
                return Answer({"error": {"code": status, "status": name}}, status)
            return fake(request)

        server.answer(deny)
        [error] = make(impersonate=ACTED).read([ask()], INTERVAL)
        assert type(error) is expected
        assert name in str(error)

    @pytest.mark.parametrize("content", ["{}", "[]", "", '{"type": "service_account"}'])
    def test_a_file_that_holds_no_account(self, make, account, content):
        account.write_text(content)
        with pytest.raises(AccessRefused):
            make().read_one(ask(), INTERVAL)

    def test_a_token_endpoint_of_nobody_known_is_not_trusted(self, make, server):
        [error] = make(ca_file=None).read([ask()], INTERVAL)
        assert type(error) is Unavailable
        assert server.requests == []


class TestPoints:
    def test_a_time_stamp_is_the_end_of_a_period(self, service, fake):
        fake.points["up"] = {FIRST - 60: 1000, **minutes(1, 2, 3, 4, 5), INTERVAL.end: 1000}
        reading = service.read_one(ask(statistic="sum"), INTERVAL)
        assert reading.answer == Value(Fraction(150_000))
        assert f'"points":[[{FIRST}000,1]'.encode() in reading.evidence

    def test_a_period_that_only_touches_the_interval_is_left_out(self, service, server, fake):
        fake.points["up"] = {FIRST - 60: 1000, **minutes(1, 1, 1, 1, 1)}

        def inclusive(request):
            if "interval.startTime" in request.query:
                request.query["interval.startTime"] = [written(FIRST - 1)]
            return fake(request)

        server.answer(inclusive)
        assert service.read_one(ask(), INTERVAL).answer == Value(Fraction(10_000))

    def test_a_partial_last_point_waits_for_the_settle_delay(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1)
        assert service.read_one(ask(), INTERVAL).answer is NO_DATA
        assert service.read_one(ask(min_points=4), INTERVAL).answer == Value(Fraction(10_000))

    def test_a_late_correction_is_seen_by_whoever_reads_later(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        before = service.read_one(ask(), INTERVAL)
        fake.points["up"] = minutes(1, 1, 1, 1, 6)
        after = service.read_one(ask(), INTERVAL)
        assert (before.answer, after.answer) == (Value(Fraction(10_000)), Value(Fraction(20_000)))

    @pytest.mark.parametrize(
        ("kind", "values", "amount"),
        [
            ("int64Value", ["1", "2", "3", "4", "5"], 3),
            ("doubleValue", [0.5, 0.5, 0.5, 0.5, 0.5], Fraction(1, 2)),
            ("boolValue", [True, True, False, True, True], Fraction(4, 5)),
        ],
    )
    def test_whole_numbers_doubles_and_truths(self, service, fake, kind, values, amount):
        fake.points["up"] = minutes(*values)
        fake.kinds["up"] = kind
        query = ask("up", "utilisation", unit="ratio")
        assert service.read_one(query, INTERVAL).answer == Value(amount * Fraction(1_000_000))

    def test_the_mean_and_the_count_of_a_distribution(self, service, fake):
        fake.points["t"] = {INTERVAL.end - 60: {"count": "40", "mean": 12.5, "bucketCounts": []}}
        fake.kinds["t"] = "distributionValue"
        first, length = INTERVAL.end - 60, 60
        one = Interval(first, first + length)
        mean = ask("t", "latency", unit="ms", distribution="mean", first=first, length=length)
        count = ask("t", "throughput", unit="1", distribution="count", first=first, length=length)
        assert service.read_one(mean, one).answer == Value(Fraction(25, 2))
        assert service.read_one(count, one).answer == Value(Fraction(40))

    def test_a_mean_of_nothing_is_no_data(self, service, fake):
        fake.points["t"] = {FIRST: {}}
        fake.kinds["t"] = "distributionValue"
        query = ask("t", "latency", unit="ms", distribution="mean", length=60)
        assert service.read_one(query, Interval(FIRST, FIRST + 60)).answer is NO_DATA

    def test_a_distribution_that_nobody_expected_is_garbage_that_says_what_to_do(
        self, service, fake
    ):
        fake.points["t"] = minutes(*[{"count": "1", "mean": 1}] * 5)
        fake.kinds["t"] = "distributionValue"
        with pytest.raises(GarbageAnswer, match="say distribution: mean or count"):
            service.read_one(ask("t", "latency", unit="ms"), INTERVAL)

    @pytest.mark.parametrize(
        ("span", "value"),
        [
            ({"endTime": written(FIRST + 61)}, {"doubleValue": 1}),
            ({"endTime": "2026-01-01T00:01:00.5Z"}, {"doubleValue": 1}),
            ({"endTime": "2026-01-01T00:01:00"}, {"doubleValue": 1}),
            ({"endTime": "soon"}, {"doubleValue": 1}),
            ({"endTime": written(FIRST - 60)}, {"doubleValue": 1}),
            ({"endTime": written(INTERVAL.end + 60)}, {"doubleValue": 1}),
            ({"endTime": written(FIRST + 60), "startTime": written(FIRST + 30)}, {"int64Value": 1}),
            (
                {"endTime": written(FIRST + 300), "startTime": written(FIRST)},
                {"doubleValue": 1},
            ),
            ({"endTime": written(FIRST + 60)}, {"doubleValue": "NaN"}),
            ({"endTime": written(FIRST + 60)}, {"int64Value": "1e3"}),
            ({"endTime": written(FIRST + 60)}, {"int64Value": "9" * 19}),
            ({"endTime": written(FIRST + 60)}, {"stringValue": "1"}),
            ({"endTime": written(FIRST + 60)}, {}),
        ],
    )
    def test_garbage(self, service, server, fake, span, value):
        series = {"points": [{"interval": span, "value": value}]}
        server.answer(lambda r: fake(r) if r.path == "/token" else {"timeSeries": [series]})
        with pytest.raises(GarbageAnswer):
            service.read_one(ask(min_points=1), INTERVAL)

    def test_periods_of_a_delta_may_begin_a_millisecond_late(self, service, server, fake):
        def point(at):
            begin = written(at).replace("Z", ".001Z")
            return {
                "interval": {"startTime": begin, "endTime": written(at + 60)},
                "value": {"int64Value": "3"},
            }

        series = {"points": [point(at) for at in minutes(*range(5))]}
        server.answer(lambda r: fake(r) if r.path == "/token" else {"timeSeries": [series]})
        query = ask("n", "throughput", unit="1", aligner="ALIGN_DELTA", statistic="sum")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(15))

    def test_several_series_are_garbage_that_says_what_to_do(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        fake.copies["up"] = 3
        with pytest.raises(GarbageAnswer, match="3 series where one is meant; add a reducer"):
            service.read_one(ask(), INTERVAL)


class TestPages:
    def paged(self, fake, pages):
        def answer(request):
            if request.path == "/token":
                return fake(request)
            place = int(request.query.get("pageToken", ["0"])[0])
            assert "filter" in request.query
            following = {"nextPageToken": str(place + 1)} if place + 1 < len(pages) else {}
            return {"timeSeries": pages[place], **following}

        return answer

    def part(self, *places, **labels):
        points = [
            {"interval": {"endTime": written(FIRST + 60 * (n + 1))}, "value": {"doubleValue": n}}
            for n in places
        ]
        return [{"metric": {"type": "up", "labels": labels}, "points": points}]

    def test_a_series_goes_on_from_page_to_page(self, service, server, fake):
        server.answer(self.paged(fake, [self.part(4, 3), [], self.part(2, 1, 0)]))
        assert service.read_one(ask(), INTERVAL).answer == Value(Fraction(20_000))
        assert len(series_calls(server)) == 3

    def test_a_second_series_on_a_later_page_is_noticed(self, service, server, fake):
        server.answer(self.paged(fake, [self.part(4, 3, a="1"), self.part(2, 1, 0, a="2")]))
        with pytest.raises(GarbageAnswer, match="2 series"):
            service.read_one(ask(), INTERVAL)

    @pytest.mark.parametrize("circle", [True, False])
    def test_pages_without_end_are_garbage(self, service, server, fake, circle):
        def more(request):
            if request.path == "/token":
                return fake(request)
            place = int(request.query.get("pageToken", ["0"])[0])
            return {"nextPageToken": "1" if circle else str(place + 1)}

        server.answer(more)
        with pytest.raises(GarbageAnswer, match="no end"):
            service.read_one(ask(), INTERVAL)
        assert len(series_calls(server)) <= 102

    def test_an_answer_that_calls_itself_incomplete_is_none(self, service, server, fake):
        error = {"code": 14, "message": "a zone did not answer"}
        server.answer(
            lambda r: fake(r) if r.path == "/token" else {"executionErrors": [error]},
        )
        with pytest.raises(Unavailable, match="incomplete"):
            service.read_one(ask(), INTERVAL)


class TestUnits:
    @pytest.mark.parametrize(
        ("reported", "metric", "agreed", "scale"),
        [
            ("10^2.%", "utilisation", "ratio", 1_000_000),
            ("%", "utilisation", "percent", 10_000),
            ("1", "utilisation", "ratio", 1_000_000),
            ("s", "latency", "s", 1_000),
            ("ms", "latency", "milliseconds", 1),
            ("ms{round trip}", "latency", "ms", 1),
            ("1", "throughput", "count", 1),
            ("{requests}", "throughput", "count", 1),
            ("", "latency", "ms", 1),
        ],
    )
    def test_the_unit_that_google_reports_is_the_agreed_one(
        self, service, fake, reported, metric, agreed, scale
    ):
        fake.points["m"] = minutes(2, 2, 2, 2, 2)
        fake.units["m"] = reported
        query = ask("m", metric, unit=agreed)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(2 * scale))

    @pytest.mark.parametrize(
        ("reported", "metric", "agreed"),
        [
            ("10^2.%", "utilisation", "percent"),
            ("s", "latency", "ms"),
            ("By", "throughput", "count"),
            ("{requests}/s", "throughput", "count"),
            ("s", "utilisation", "ratio"),
        ],
    )
    def test_or_else_the_answer_is_garbage(self, service, fake, reported, metric, agreed):
        fake.points["m"] = minutes(2, 2, 2, 2, 2)
        fake.units["m"] = reported
        with pytest.raises(GarbageAnswer, match="the document's in"):
            service.read_one(ask("m", metric, unit=agreed), INTERVAL)


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (Answer({"error": {"code": 401}}, 401), AccessRefused),
            (Answer({"error": {"code": 403}}, 403), AccessRefused),
            (Answer({"error": {"code": 429}}, 429), Throttled),
            (Answer({"error": {"code": 400}}, 400), BadRequest),
            (Answer({"error": {"code": 404}}, 404), BadRequest),
            (Answer({"error": {"code": 500}}, 500), Unavailable),
            (Answer(b"<html>captive portal</html>"), GarbageAnswer),
            (Answer([]), GarbageAnswer),
            (Answer({"timeSeries": [{"points": [{}]}]}), GarbageAnswer),
            (Answer(b"{}", length=50), Unavailable),
            (RESET, Unavailable),
        ],
    )
    def test_each_failure_has_its_error(self, service, server, fake, answer, expected):
        server.answer(lambda r: fake(r) if r.path == "/token" else answer)
        [error] = service.read([ask()], INTERVAL)
        assert type(error) is expected

    def test_a_pause_that_google_asks_for_is_passed_on(self, service, server, fake):
        refusal = Answer({}, 429, {"Retry-After": "7"})
        server.answer(lambda r: fake(r) if r.path == "/token" else refusal)
        with pytest.raises(Throttled) as caught:
            service.read_one(ask(), INTERVAL)
        assert caught.value.retry_after == 7

    def test_a_token_that_google_repeats_is_not_quoted(self, service, server, fake):
        def echo(request):
            said = Answer({"you sent": request.headers.get("authorization")}, 403)
            return fake(request) if request.path == "/token" else said

        server.answer(echo)
        with pytest.raises(AccessRefused, match="you sent") as caught:
            service.read_one(ask(), INTERVAL)
        assert "ya29" not in str(caught.value)

    @pytest.mark.parametrize("said", [DRIP, HANG])
    def test_a_token_that_does_not_come_is_given_up(self, make, server, said):
        server.answer(lambda _: said)
        with pytest.raises(Unavailable, match="took more than"):
            make(timeout=0.5).read_one(ask(), INTERVAL)

    def test_a_unit_or_a_time_that_is_none_is_not_quoted(self, service, server, fake):
        fake.points["m"] = minutes(2, 2, 2, 2, 2)
        fake.units["m"] = "sk-live-0123"
        with pytest.raises(GarbageAnswer, match="a unit that we do not know") as unit:
            service.read_one(ask("m"), INTERVAL)
        span = {"endTime": "sk-live-0123"}
        series = {"points": [{"interval": span, "value": {"doubleValue": 1}}]}
        server.answer(lambda r: fake(r) if r.path == "/token" else {"timeSeries": [series]})
        with pytest.raises(GarbageAnswer, match="a text of 12 characters is not a time") as time:
            service.read_one(ask("m"), INTERVAL)
        assert "sk-" not in f"{unit.value}{time.value}"

    def test_nobody_listening_is_unavailable(self, make, fake):
        service = make(endpoint_url=f"https://127.0.0.1:{closed_port()}")
        with pytest.raises(Unavailable):
            service.read_one(ask(), INTERVAL)

    @pytest.mark.parametrize("name", ["endpoint_url", "iam_endpoint_url"])
    def test_plain_http_is_refused(self, name):
        with pytest.raises(BadRequest, match="https only"):
            GcpMonitoring({name: "http://127.0.0.1:1"})


class TestSpecification:
    @pytest.mark.parametrize(
        ("changes", "length", "complaint"),
        [
            ({"project": "../evil"}, 300, "project"),
            ({"filter": 'resource.type = "x"'}, 300, "filter"),
            ({"aligner": "ALIGN_NONE"}, 300, "aligner"),
            ({"aligner": "ALIGN_INTERPOLATE"}, 300, "aligner"),
            ({"reducer": "REDUCE_NONE"}, 300, "reducer"),
            ({"group_by": ["a"]}, 300, "needs a reducer"),
            ({"unit": "ms"}, 300, "unit"),
            ({"step": 30}, 300, "whole minutes"),
            ({"step": 120}, 300, "no multiple"),
            ({"distribution": "mean"}, 300, "make step the interval"),
        ],
    )
    def test_what_cannot_work_is_refused(self, changes, length, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(length=length, **changes)

    def test_periods_need_not_begin_at_whole_minutes(self, service, fake):
        # Google counts its periods back from the end that it is asked for
        fake.points["up"] = minutes(1, 2, 3, 4, 5, start=FIRST + 7)
        query = ask(first=FIRST + 7)
        answer = service.read_one(query, Interval(FIRST + 7, FIRST + 307)).answer
        assert answer == Value(Fraction(30_000))

    def test_projects_are_read_side_by_side(self):
        assert GcpMonitoring.lane(ask()) == "shop-prod"
