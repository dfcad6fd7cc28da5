"""How Azure is called: batches, credentials, and what its failures are."""

from __future__ import annotations

import os
import urllib.parse
from fractions import Fraction

import pytest

from oracles import (
    NO_DATA,
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MonitoringError,
    Throttled,
    Unavailable,
    Value,
)
from oracles.azure_monitor import AzureMonitor
from tests.oracles.azure import (
    AVAILABLE,
    CPU,
    FIRST,
    INTERVAL,
    SECRET,
    TENANT,
    TOKEN,
    ask,
    azure_here,
    every_minute,
    logs_spec,
    make,
    metric_spec,
    odd_one,
    options,
    refusal,
    vm,
)
from tests.oracles.contract import Clock
from tests.oracles.tls_server import HANG, RESET, Answer, dripping_head, serving_tls
from tests.oracles.web import closed_port


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("AZURE_", "MSI_", "IDENTITY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_TEST_SECRET", SECRET)


@pytest.fixture
def azure():
    with azure_here() as azure:
        azure.put("up", AVAILABLE, every_minute(1, 1, 1, 1, 1))
        yield azure


@pytest.fixture
def clock():
    return Clock(FIRST + 3600)


@pytest.fixture
def service(azure, clock):
    with make(azure, clock) as service:
        yield service


UP = ask(metric_spec("up"))
OTHER = "22222222-2222-3333-4444-555555555555"


class TestBatches:
    @pytest.mark.parametrize(("count", "sizes"), [(50, [50]), (51, [1, 50]), (120, [20, 50, 50])])
    def test_a_call_carries_50_resources(self, azure, service, count, sizes):
        for n in range(0, count, 2):
            azure.put(f"vm{n}", AVAILABLE, every_minute(*[n / 1000] * 5))
        queries = [ask(metric_spec(f"vm{n}")) for n in range(count)]
        readings = service.read(queries, INTERVAL)
        assert [reading.answer for reading in readings] == [
            NO_DATA if n % 2 else Value(Fraction(n * 1000)) for n in range(count)
        ]
        assert sorted(len(call.json()["resourceids"]) for call in azure.calls()) == sizes

    def test_what_azure_does_not_take_together_is_asked_apart(self, azure, service):
        specs = [
            metric_spec("up"),
            metric_spec("down"),
            metric_spec("up", resource_id=vm("up", OTHER)),
            metric_spec("up", region="northeurope"),
            metric_spec("up", CPU, "Percent"),
            metric_spec("up", aggregation="Minimum"),
            metric_spec("up", step=300),
            metric_spec("up", dimensions={"LUN": "0"}),
        ]
        service.read([ask(spec) for spec in specs], INTERVAL)
        assert len(azure.calls()) == len(specs) - 1

    def test_a_region_has_an_endpoint_of_its_own(self, azure, clock):
        with make(azure, clock, metrics_endpoint=azure.server.url + "/at/{region}") as service:
            service.read([UP, ask(metric_spec("up", region="northeurope"))], INTERVAL)
        assert sorted(call.path.split("/")[2] for call in azure.calls()) == [
            "northeurope",
            "westeurope",
        ]

    def test_the_same_resource_is_asked_for_once(self, azure, service):
        shouted = vm("up").replace("/Shop/", "/SHOP/")
        queries = [UP, UP, ask(metric_spec("up", resource_id=shouted))]
        readings = service.read(queries, INTERVAL)
        assert {reading.answer for reading in readings} == {Value(Fraction(1_000_000))}
        [call] = azure.calls()
        assert len(call.json()["resourceids"]) == 1

    @pytest.mark.parametrize("status", [400, 500])
    def test_one_resource_that_azure_fails_for_costs_no_other_its_answer(
        self, status, azure, service
    ):
        def refuse(request, answer):
            if vm("wrong") in request.json()["resourceids"]:
                return refusal(status, "Poisoned")
            return None

        azure.lie = refuse
        for n in range(20):
            azure.put(f"vm{n}", AVAILABLE, every_minute(1, 1, 1, 1, 1))
        queries = [ask(metric_spec("wrong" if n == 11 else f"vm{n}")) for n in range(20)]
        answers = service.read(queries, INTERVAL)
        assert type(answers.pop(11)) is (BadRequest if status == 400 else Unavailable)
        assert {reading.answer for reading in answers} == {Value(Fraction(1_000_000))}
        assert len(azure.calls()) <= 11

    def test_metrics_and_logs_in_one_go(self, azure, service):
        azure.rows["q"] = [[60 * at, 2.0] for at in range(5)]
        logs = ask(logs_spec("q", unit="%"))
        answers = [reading.answer for reading in service.read([logs, UP, logs], INTERVAL)]
        assert answers == [Value(Fraction(n)) for n in (20_000, 1_000_000, 20_000)]


class TestErrors:
    @pytest.mark.parametrize("query", [UP, ask(logs_spec("q", unit="%"))], ids=["metrics", "logs"])
    @pytest.mark.parametrize(
        ("lie", "expected"),
        [
            (refusal(401), AccessRefused),
            (refusal(403, "AuthorizationFailed"), AccessRefused),
            (refusal(429), Throttled),
            (refusal(529), Throttled),
            (refusal(503, Retry_After="3"), Throttled),
            (refusal(503), Unavailable),
            (refusal(500), Unavailable),
            (refusal(504), Unavailable),
            (refusal(400), BadRequest),
            (refusal(404), BadRequest),
            (Answer(b"<html>captive portal</html>", 200), GarbageAnswer),
            (Answer(b"<html>captive portal</html>", 500), Unavailable),
            (Answer(b"", 200), GarbageAnswer),
            (Answer(b"[1, 2, 3]", 200), GarbageAnswer),
            (Answer(b'{"values": 7, "tables": 7}', 200), GarbageAnswer),
            (Answer(b'{"values": [7], "tables": [7]}', 200), GarbageAnswer),
            (Answer(b'{"values": [], "tables": []}', 200), GarbageAnswer),
            (Answer(b'{"values": ', 200), GarbageAnswer),
            (Answer(b"{}", 302, {"Location": "/elsewhere"}), GarbageAnswer),
            (Answer(b"{}", 200, length=1000), Unavailable),
            (RESET, Unavailable),
        ],
    )
    def test_each_failure_has_its_error(self, azure, service, query, lie, expected):
        azure.lie = lambda *_: lie
        [error] = service.read([query], INTERVAL)
        assert type(error) is expected, error

    def test_a_pause_that_azure_asks_for_is_passed_on(self, azure, service):
        azure.lie = lambda *_: refusal(429, Retry_After="7")
        [error] = service.read([UP], INTERVAL)
        assert error.retry_after == 7
        assert len(azure.calls()) == 1

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("InternalServerError", Unavailable),
            ("RequestThrottled", Throttled),
            ("AuthorizationFailed", AccessRefused),
            ("SomethingNew", Unavailable),
        ],
    )
    def test_each_error_of_one_resource_is_its_own(self, azure, service, code, expected):
        azure.put("down", AVAILABLE, every_minute(0, 0, 0, 0, 0))

        def fail(request, answer):
            odd_one(answer, "down")["value"][0]["errorCode"] = code

        azure.lie = fail
        up, down = service.read([UP, ask(metric_spec("down"))], INTERVAL)
        assert up.answer == Value(Fraction(1_000_000))
        assert type(down) is expected

    def test_garbage(self, azure, service):
        def nan(metric, one):
            metric["timeseries"][0]["data"][2]["average"] = float("nan")

        def infinite(metric, one):
            metric["timeseries"][0]["data"][2]["average"] = float("inf")

        def text(metric, one):
            metric["timeseries"][0]["data"][2]["average"] = "1"

        def twice(metric, one):
            points = metric["timeseries"][0]["data"]
            points[1]["timeStamp"] = points[0]["timeStamp"]

        def elsewhere(metric, one):
            metric["timeseries"][0]["data"][4]["timeStamp"] = "2026-01-01T00:06:00Z"

        def between_grains(metric, one):
            metric["timeseries"][0]["data"][4]["timeStamp"] = "2026-01-01T00:04:01Z"

        def no_zone(metric, one):
            metric["timeseries"][0]["data"][4]["timeStamp"] = "2026-01-01T00:04:00"

        def no_stamp(metric, one):
            del metric["timeseries"][0]["data"][4]["timeStamp"]

        def two_series(metric, one):
            points = metric["timeseries"][0]["data"]
            metric["timeseries"] = [{"data": points[:2]}, {"data": points[2:]}]

        def another_metric(metric, one):
            metric["name"]["value"] = CPU

        def two_metrics(metric, one):
            one["value"] *= 2

        def no_unit(metric, one):
            del metric["unit"]

        def another_grain(metric, one):
            one["interval"] = "PT5M"

        def another_resource(metric, one):
            one["resourceid"] = vm("down").lower()

        for tamper in (
            nan, infinite, text, twice, elsewhere, between_grains, no_zone, no_stamp, two_series,
            another_metric, two_metrics, no_unit, another_grain, another_resource,
        ):  # fmt: skip

            def lie(request, answer, tamper=tamper):
                [one] = answer["values"]
                [metric] = one["value"]
                tamper(metric, one)

            azure.lie = lie
            [answer] = service.read([ask(metric_spec("up", min_points=1))], INTERVAL)
            assert isinstance(answer, GarbageAnswer), tamper.__name__

    def test_what_is_compressed_could_be_of_any_size(self, azure, service):
        azure.lie = lambda _, answer: Answer(answer, headers={"Content-Encoding": "gzip"})
        with pytest.raises(GarbageAnswer, match="compressed"):
            service.read_one(UP, INTERVAL)

    def test_a_redirect_takes_no_token_along(self, azure, service):
        with serving_tls() as elsewhere:
            azure.lie = lambda *_: Answer(b"", 307, {"Location": elsewhere.url})
            [error] = service.read([UP], INTERVAL)
        assert isinstance(error, GarbageAnswer)
        assert elsewhere.requests == []

    def test_nobody_listening_is_unavailable(self, azure, clock):
        nobody = f"https://127.0.0.1:{closed_port()}"
        with make(azure, clock, metrics_endpoint=nobody) as service:
            [error] = service.read([UP], INTERVAL)
        assert type(error) is Unavailable

    def test_a_stranger_who_answers_is_not_believed(self, azure, clock):
        with serving_tls() as other, make(azure, clock, ca_file=other.ca_file) as service:
            [error] = service.read([UP], INTERVAL)
        # the same certificate serves all servers of a test run
        assert not isinstance(error, MonitoringError)
        with make(azure, clock, ca_file=None) as service:
            [error] = service.read([UP], INTERVAL)
        assert type(error) is Unavailable
        assert azure.calls()[1:] == []

    @pytest.mark.parametrize("place", ["metrics_endpoint", "authority"])
    def test_a_head_of_an_answer_that_does_not_end_is_given_up(self, azure, clock, place):
        with (
            dripping_head() as url,
            make(azure, clock, read_timeout=0.5, **{place: url}) as service,
        ):
            [error] = service.read([UP], INTERVAL)
        assert type(error) is Unavailable
        assert "took more than" in str(error)

    def test_half_of_a_secret_is_not_repeated_either(self, azure, service):
        for length in range(360, 410):
            azure.lie = lambda *_, length=length: refusal(400, "x" * length + SECRET)
            [error] = service.read([UP], INTERVAL)
            assert SECRET[:6] not in str(error)

    def test_a_code_that_is_none_is_not_quoted(self, azure, service):
        def lie(_, answer):
            answer["values"][0]["value"][0]["errorCode"] = "sk-live-0123"

        azure.lie = lie
        [error] = service.read([UP], INTERVAL)
        assert "a text of 12 characters" in str(error)
        assert "sk-" not in str(error)

    def test_tokens_that_a_server_repeats_are_not_repeated_again(self, azure, service):
        azure.lie = lambda *_: refusal(403, f"Bearer {TOKEN} eyJhbGciOi.eyJzdWIi.c2ln")
        [error] = service.read([UP], INTERVAL)
        assert TOKEN not in str(error)
        assert "eyJ" not in str(error)


class TestCredentials:
    def token_requests(self, azure):
        return [dict(urllib.parse.parse_qsl(one.body.decode())) for one in azure.calls("/token")]

    def test_an_application_shows_its_secret_once(self, azure, service):
        service.read([UP], INTERVAL)
        service.read([UP], INTERVAL)
        [request] = self.token_requests(azure)
        assert request["client_secret"] == SECRET
        assert request["grant_type"] == "client_credentials"
        assert "https://metrics.monitor.azure.com/.default" in request["scope"]
        assert azure.calls("/token")[0].path == f"/{TENANT}/oauth2/v2.0/token"

    def test_logs_need_a_token_of_their_own(self, azure, service):
        service.read([ask(logs_spec("q", unit="%"))], INTERVAL)
        [request] = self.token_requests(azure)
        assert f"{azure.server.url}/.default" in request["scope"]

    def test_a_federated_token_is_read_from_its_file(self, azure, clock, tmp_path):
        token = tmp_path / "token"
        token.write_text("federated")
        more = {"client_secret": None, "federated_token_file": str(token)}
        with make(azure, clock, **more) as service:
            assert service.read_one(UP, INTERVAL).answer == Value(Fraction(1_000_000))
        [request] = self.token_requests(azure)
        assert request["client_assertion"] == "federated"

    def test_the_chain_finds_what_the_environment_holds(self, azure, clock, monkeypatch):
        monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
        monkeypatch.setenv("AZURE_CLIENT_ID", "from-the-environment")
        monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
        before = dict(os.environ)
        more = {"client_secret": None, "client_id": None, "tenant_id": None}
        with make(azure, clock, **more) as service:
            assert service.read_one(UP, INTERVAL).answer == Value(Fraction(1_000_000))
        [request] = self.token_requests(azure)
        assert request["client_id"] == "from-the-environment"
        assert dict(os.environ) == before

    def test_a_managed_identity_needs_no_secret(self, azure, clock, monkeypatch):
        token = {"access_token": TOKEN, "expires_on": "4102444800", "token_type": "Bearer"}
        with serving_tls(plain=True) as host:
            host.answer(lambda _: token)
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{host.url}/msi/token")
            monkeypatch.setenv("IDENTITY_HEADER", "of-the-host")
            more = {"client_secret": None, "client_id": "mine", "tenant_id": None}
            with make(azure, clock, **more) as service:
                assert service.read_one(UP, INTERVAL).answer == Value(Fraction(1_000_000))
        assert host.requests[0].headers["x-identity-header"] == "of-the-host"
        assert host.requests[0].one("client_id") == "mine"
        assert self.token_requests(azure) == []

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (Answer({"error": "invalid_client", "error_description": SECRET}, 401), AccessRefused),
            (Answer({"error": "unauthorized_client"}, 400), AccessRefused),
            (Answer({"error": "temporarily_unavailable"}, 503), Unavailable),
            (Answer(b"<html>oops</html>", 500, {"Content-Type": "text/html"}), Unavailable),
            (Answer({"error": "slow_down"}, 429, {"Retry-After": "9"}), Throttled),
            (RESET, Unavailable),
        ],
    )
    def test_what_the_authority_says_is_told_apart(self, azure, service, answer, expected):
        azure.token_answer = answer
        [error] = service.read([UP], INTERVAL)
        assert type(error) is expected, error
        assert SECRET not in str(error)
        assert azure.calls() == []

    def test_an_authority_that_is_away_is_no_refusal(self, azure, clock):
        with make(azure, clock, authority=f"https://127.0.0.1:{closed_port()}") as service:
            [error] = service.read([UP], INTERVAL)
        assert type(error) is Unavailable

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (Answer({}, 500), Unavailable),
            (Answer({}, 410), Unavailable),
            (Answer({}, 503), Unavailable),
            (Answer({}, 429, {"Retry-After": "9"}), Throttled),
            (RESET, Unavailable),
            (HANG, Unavailable),
            (Answer({"error": "invalid_request"}, 400), AccessRefused),
            (Answer({"error": "no"}, 401), AccessRefused),
            (Answer({"error": "no"}, 403), AccessRefused),
        ],
    )
    def test_trouble_of_a_managed_identity_is_no_refusal(
        self, azure, clock, monkeypatch, answer, expected
    ):
        with serving_tls(plain=True) as host:
            host.answer(lambda _: answer)
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{host.url}/msi/token")
            monkeypatch.setenv("IDENTITY_HEADER", "of-the-host")
            more = {"client_secret": None, "client_id": None, "tenant_id": None}
            patience = 1 if answer is HANG else 60
            with make(azure, clock, read_timeout=patience, **more) as service:
                [error] = service.read([UP], INTERVAL)
        assert type(error) is expected, error
        assert azure.calls() == []
        if expected is Throttled:
            assert error.retry_after == 9

    @pytest.mark.parametrize(
        ("client_id", "expected"), [(None, AccessRefused), ("mine", Unavailable)]
    )
    def test_a_machine_without_an_identity_is_refused_one_that_ought_to_have_it_is_in_trouble(
        self, azure, clock, monkeypatch, client_id, expected
    ):
        monkeypatch.setattr("oracles.clients.azure_identity._METADATA", "127.0.0.1")
        silent = f"http://127.0.0.1:{closed_port()}"
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", silent)
        more = {"client_secret": None, "client_id": client_id, "tenant_id": None}
        with make(azure, clock, **more) as service:
            [error] = service.read([UP], INTERVAL)
        assert type(error) is expected, error

    def test_what_gave_a_token_before_is_in_trouble_and_refuses_nobody(
        self, azure, clock, monkeypatch
    ):
        monkeypatch.setattr("oracles.clients.azure_identity._METADATA", "127.0.0.1")
        soon = Answer({"access_token": TOKEN, "expires_in": "1", "token_type": "Bearer"})
        more = {"client_secret": None, "client_id": None, "tenant_id": None}
        with serving_tls(plain=True) as host, make(azure, clock, **more) as service:
            host.answer(lambda _: soon)
            monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", host.url)
            assert service.read_one(UP, INTERVAL).answer == Value(Fraction(1_000_000))
            host.answer(lambda _: RESET)
            [error] = service.read([UP], INTERVAL)
        assert type(error) is Unavailable, error

    @pytest.mark.parametrize(
        ("more", "complaint"),
        [
            ({"client_secret": "in-clear-hunter2"}, "not in clear"),
            ({"client_secret": "${AZURE_NOT_SET}"}, "AZURE_NOT_SET is not set"),
            ({"tenant_id": None}, "need tenant_id and client_id"),
            ({"federated_token_file": __file__}, "not both"),
            ({"metrics_endpoint": "http://127.0.0.1:1"}, "metrics_endpoint"),
            ({"logs_endpoint": "http://logs.example.com"}, "logs_endpoint"),
            ({"authority": "http://login.example.com"}, "authority"),
            ({"authority": "https://user:hunter2@login.example.com"}, "authority"),
        ],
    )
    def test_what_cannot_work_is_refused(self, azure, more, complaint):
        with pytest.raises(BadRequest, match=complaint) as caught:
            AzureMonitor({**options(azure), **more})
        assert "hunter2" not in str(caught.value)
