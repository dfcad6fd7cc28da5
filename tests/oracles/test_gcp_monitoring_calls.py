"""How Google is called: tokens, pages, and what its failures are."""

from __future__ import annotations

import re
from fractions import Fraction

import google.auth.jwt
import pytest
from google.auth.compute_engine import _metadata

from oracles import NO_DATA, AccessRefused, BadRequest, GarbageAnswer, Throttled, Unavailable, Value
from oracles.gcp_monitoring import GcpMonitoring
from tests.oracles.gcp import (
    ACTED,
    FIRST,
    IMPERSONATION,
    INTERVAL,
    ROBOT,
    OnGoogle,
    ask,
    minutes,
    series_calls,
    written,
)
from tests.oracles.tls_server import DRIP, HANG, RESET, Answer, serving_tls
from tests.oracles.web import closed_port


class TestTheCall(OnGoogle):
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


class TestCredentials(OnGoogle):
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


class TestPages(OnGoogle):
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


class TestErrors(OnGoogle):
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
