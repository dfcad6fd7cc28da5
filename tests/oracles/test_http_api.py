"""JSON over HTTP against real servers that behave badly."""

from __future__ import annotations

import base64
import threading

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from oracles import (
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MonitoringError,
    Throttled,
    Unavailable,
)
from oracles.clients.http_access import HttpOptions, Servers
from oracles.clients.http_api import BaseUrl, HttpApi, answers, secret_headers
from tests.oracles.contract import Clock
from tests.oracles.sockets import HERE
from tests.oracles.tls_server import HANG, RESET, Answer, serving_tls
from tests.oracles.web import closed_port, serving

NOW = 1_767_225_600
ENCODED = base64.b64encode(b"me:hunter2").decode()
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.fixture
def tls():
    with serving_tls() as tls:
        tls.answer(lambda _: {"fine": True})
        yield tls


@pytest.fixture
def web():
    with serving() as web:
        web.body = b'{"fine": true}'
        yield web


def api(server, **options):
    return HttpApi("test", server.url, ca_file=server.ca_file, **options)


def plain(web, **options):
    return HttpApi("test", web.url(""), **options)


def failure(server, said, **options):
    server.answer(lambda _: said)
    with api(server, **options) as client, pytest.raises(MonitoringError) as caught:
        client.get_json("/")
    return caught.value


class TestRequest:
    def test_get_sends_parameters_and_headers_and_nothing_of_its_own(self, tls):
        with api(tls, headers={"X-Team": "a"}, secrets={"X-Key": SecretStr("k")}) as client:
            assert client.get_json("/a%20b", {"q": "ü&="}, {"X-More": "m"}) == {"fine": True}
        [request] = tls.requests
        assert (request.method, request.path, request.query) == ("GET", "/a b", {"q": ["ü&="]})
        assert request.headers == {
            "host": tls.host,
            "user-agent": "makegood",
            "accept": "application/json",
            "accept-encoding": "identity",
            "x-team": "a",
            "x-key": "k",
            "x-more": "m",
        }

    def test_post_sends_json_or_a_form(self, tls):
        with api(tls) as client:
            client.post_json("/j", {"a": [1.5]})
            client.post_form("/f", {"a": "ü&", "b": "x y"})
        json, form = tls.requests
        assert json.headers["content-type"] == "application/json"
        assert json.json() == {"a": [1.5]}
        assert form.headers["content-type"] == "application/x-www-form-urlencoded"
        assert form.body == b"a=%C3%BC%26&b=x+y"

    def test_what_json_cannot_hold_is_not_sent(self, tls):
        with api(tls) as client, pytest.raises(ValueError, match="JSON"):
            client.post_json("/", float("nan"))
        assert tls.requests == []

    def test_a_path_is_below_the_base(self, tls):
        with HttpApi("test", tls.url + "/prefix/", ca_file=tls.ca_file) as client:
            client.get_json("/x")
        assert tls.requests[0].path == "/prefix/x"

    def test_the_environment_has_no_say(self, tls, monkeypatch, tmp_path):
        proxy = f"http://127.0.0.1:{closed_port()}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
        with api(tls) as client:
            client.get_json("/")
        assert "authorization" not in tls.requests[0].headers

    def test_a_proxy_is_what_the_options_name(self, web, tls):
        with HttpApi("test", "http://elsewhere.test", proxy=web.url("")) as client:
            assert client.get_json("/x") == {"fine": True}
        assert web.requests[0].startswith("GET http://elsewhere.test/x HTTP/1.1")

    def test_cookies_are_not_kept(self, tls):
        tls.answer(lambda _: Answer({}, 200, {"Set-Cookie": "session=1"}))
        with api(tls) as client:
            client.get_json("/")
            client.get_json("/")
        assert "cookie" not in tls.requests[1].headers


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (204, GarbageAnswer),
            (301, GarbageAnswer),
            (302, GarbageAnswer),
            (400, BadRequest),
            (401, AccessRefused),
            (403, AccessRefused),
            (404, BadRequest),
            (407, AccessRefused),
            (408, Unavailable),
            (422, BadRequest),
            (429, Throttled),
            (500, Unavailable),
            (502, Unavailable),
            (503, Unavailable),
            (504, Unavailable),
        ],
    )
    def test_each_has_its_error(self, tls, status, expected):
        assert type(failure(tls, Answer(b"", status))) is expected

    def test_a_service_may_have_troubles_of_its_own(self, tls):
        assert type(failure(tls, Answer(b"", 422), troubles={422})) is Unavailable

    @pytest.mark.parametrize(
        ("said", "pause"),
        [
            ("7", 7),
            ("0", 0),
            ("999999999999", 86_400),
            ("Thu, 01 Jan 2026 00:02:00 GMT", 120),
            ("Thu, 01 Jan 2015 00:02:00 GMT", 0),
            ("Thu, 01 Jan 2099 00:02:00 GMT", 86_400),
        ],
    )
    @pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
    def test_the_pause_that_was_asked_for_is_passed_on(self, web, status, said, pause):
        web.statuses["/"] = f"{status}\r\nRetry-After: {said}\r\nDate: {DATE}"
        # Our clock is wrong; a date means the clock of whoever wrote it.
        with plain(web, clock=Clock(NOW + 5_000)) as client, pytest.raises(Throttled) as caught:
            client.get_json("/")
        assert caught.value.retry_after == pause

    def test_without_a_clock_of_theirs_ours_must_do(self, web):
        web.statuses["/"] = "429 Too Many Requests\r\nRetry-After: Thu, 01 Jan 2026 00:02:00 GMT"
        with plain(web, clock=Clock(NOW + 60)) as client, pytest.raises(Throttled) as caught:
            client.get_json("/")
        assert caught.value.retry_after == 60

    @pytest.mark.parametrize("said", ["", "soon", "-5", "٣", "1e3", "Thu, 99 Foo 2026"])
    def test_a_pause_that_means_nothing_is_none(self, tls, said):
        error = failure(tls, Answer(b"", 429, {"Retry-After": said.encode().decode("latin-1")}))
        assert type(error) is Throttled
        assert error.retry_after is None

    def test_a_redirect_is_not_followed_and_takes_no_secret_along(self, tls, web):
        said = Answer(b"", 302, {"Location": web.url("/elsewhere")})
        error = failure(tls, said, secrets={"X-Key": SecretStr("hunter2")})
        assert "redirects are not followed" in str(error)
        assert web.requests == []


class TestMessage:
    def test_names_the_service_the_place_and_the_reason(self, tls):
        error = failure(tls, Answer({"error": {"code": 5, "message": "no such\nmetric"}}, 400))
        assert str(error) == f"test: {tls.host} answered 400 (no such metric)"

    @pytest.mark.parametrize(
        "body", [b"", b"<html>oops</html>", b"\xff\x00", {"x": 1}, b"[" * 9999]
    )
    def test_whatever_an_error_says(self, tls, body):
        assert len(str(failure(tls, Answer(body, 500)))) < 400

    @pytest.mark.parametrize("header", ["hunter2", "Bearer hunter2", f"Basic {ENCODED}"])
    def test_never_repeats_a_secret(self, tls, header):
        for around in (0, *range(1150, 1200)):
            # blanks, because these are left out: what stands where the text is cut comes forward
            echo = " " * around + f"hunter2 {header} {header.split()[-1]}"
            secrets = {"Authorization": SecretStr(header)}
            error = failure(tls, Answer(echo.encode(), 400), secrets=secrets)
            assert "hunt" not in str(error)
            assert ENCODED[:6] not in str(error)

    def test_a_representation_has_no_secret(self, tls):
        assert "hunter2" not in repr(api(tls, secrets={"X-Key": SecretStr("hunter2")}))


class TestBounds:
    @pytest.mark.parametrize("path", ["/slow", "/drip-header", "/drip-body", "/drip-until-close"])
    def test_one_deadline_covers_the_whole_call(self, web, path):
        with (
            plain(web, timeout=0.4) as client,
            pytest.raises(Unavailable, match=r"took more than 0\.4 s"),
        ):
            client.get_json(path)

    def test_also_over_tls(self, tls):
        error = failure(tls, HANG, timeout=0.4)
        assert type(error) is Unavailable
        assert "took more than" in str(error)

    def test_a_call_after_a_hanging_one_is_served(self, web):
        with plain(web, timeout=3) as client:
            with pytest.raises(Unavailable):
                client.get_json("/slow")
            assert client.get_json("/fine") == {"fine": True}

    def test_an_answer_may_be_as_large_as_agreed_and_no_byte_larger(self, tls):
        body = b'"' + b"x" * 998 + b'"'
        tls.answer(lambda _: Answer(body))
        with api(tls, max_bytes=1000) as client:
            assert len(client.get_json("/")) == 998
        error = failure(tls, Answer(body + b" "), max_bytes=1000)
        assert type(error) is GarbageAnswer
        assert "larger than 1000 bytes" in str(error)

    def test_an_endless_answer_is_not_read_to_its_end(self, web):
        with plain(web, max_bytes=1000) as client, pytest.raises(GarbageAnswer, match="larger"):
            client.get_json("/big")

    def test_what_was_compressed_unasked_is_not_unpacked(self, tls):
        error = failure(tls, Answer(b"\x1f\x8b", 200, {"Content-Encoding": "gzip"}))
        assert type(error) is GarbageAnswer
        assert "compressed" in str(error)

    def test_connections_are_used_again(self, tls):
        ports = set()
        with api(tls) as client:
            for _ in range(5):
                client.get_json("/")
            ports = {pool.num_connections for pool in client._pools.pools._container.values()}
        assert ports == {1}

    def test_many_threads_share_few_connections(self, tls):
        most, running, lock = [], [], threading.Lock()
        together, pause = threading.Barrier(2), threading.Event()

        def slow(_):
            with lock:
                running.append(1)
                most.append(len(running))
            together.wait(60)
            pause.wait(0.02)  # as long as more of them would need to arrive
            with lock:
                running.pop()
            return {}

        tls.answer(slow)
        with api(tls, connections=3) as client:
            assert answers(lambda _: client.get_json("/"), range(24), 12) == [{}] * 24
        assert 1 < max(most) <= 3


class TestFaults:
    @pytest.mark.parametrize(
        ("path", "cause"),
        [
            ("/reset", "ConnectionReset"),
            ("/silent", "RemoteDisconnected"),
            ("/truncated", "IncompleteRead"),
            ("/chunk-missing", "does not answer"),
            ("/noise", "BadStatusLine"),
        ],
    )
    def test_a_broken_exchange_is_unavailable(self, web, path, cause):
        with plain(web) as client, pytest.raises(Unavailable, match=cause):
            client.get_json(path)

    def test_nobody_there_is_unavailable(self):
        url = f"http://127.0.0.1:{closed_port()}"
        with HttpApi("test", url) as client, pytest.raises(Unavailable, match="ConnectionRefused"):
            client.get_json("/")

    def test_a_reset_over_tls_is_unavailable(self, tls):
        assert type(failure(tls, RESET)) is Unavailable

    def test_a_certificate_of_a_stranger_is_unavailable(self, tls):
        with HttpApi("test", tls.url) as client, pytest.raises(Unavailable, match="Cert"):
            client.get_json("/")
        assert tls.requests == []

    def test_plain_http_where_tls_is_spoken(self, tls):
        url = tls.url.replace("https", "http")
        with HttpApi("test", url) as client, pytest.raises((Unavailable, BadRequest)):
            client.get_json("/")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b'{"a": 1',
            b"NaN",
            b"[Infinity]",
            b"\xff\xfe",
            b"[" * 99_999,
            b"9" * 9999,
        ],
    )
    def test_what_is_not_json_is_garbage(self, tls, body):
        error = failure(tls, Answer(body))
        assert type(error) is GarbageAnswer
        assert "something else than JSON" in str(error)


class TestSecrets:
    @pytest.mark.parametrize(
        "url", ["http://api.test", "http://10.0.0.1:8080", "http://127.0.0.1.test", "http://[::2]"]
    )
    def test_are_not_sent_in_clear_to_other_machines(self, url):
        with pytest.raises(BadRequest, match="plain http") as caught:
            HttpApi("test", url, secrets={"X-Key": SecretStr("hunter2")})
        assert "hunter2" not in str(caught.value)
        HttpApi("test", url)

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1", "http://[::1]:80", "http://localhost", "https://api.test"]
    )
    def test_are_sent_to_this_machine_and_over_tls(self, url):
        HttpApi("test", url, secrets={"X-Key": SecretStr("hunter2")})

    @pytest.mark.parametrize("value", ["two\nlines", "", " ", "ümlaut"])
    def test_that_cannot_be_sent_are_refused_without_saying_them(self, monkeypatch, value):
        monkeypatch.setenv("SECRET", value or " ")
        with pytest.raises(BadRequest, match=r"'X-Key' or its value cannot be sent") as caught:
            secret_headers({"X-Key": "${SECRET}"})
        assert repr(value)[1:-1] not in str(caught.value) or not value.strip()
        with pytest.raises(BadRequest, match="not in clear"):
            secret_headers({"X-Key": "hunter2"})

    @pytest.mark.parametrize(
        "url", ["https://u:p@api.test", "https://api.test/?k=1", "https://api.test/#x", "ftp://a.b"]
    )
    def test_do_not_belong_in_an_address(self, url):
        with pytest.raises(ValidationError):
            TypeAdapter(BaseUrl).validate_python(url)


class TestServers:
    def test_each_origin_has_its_own_access(self, tls, monkeypatch):
        monkeypatch.setenv("PASSWORD", "hunter2")
        mine = {"ca_file": tls.ca_file, "username": "me", "password": "${PASSWORD}"}
        options = HttpOptions.model_validate({**HERE, "access": {tls.url: mine}})
        servers = Servers("test", options, Clock(NOW))
        servers.at(f"{tls.url}/any/path").get_json("/x")
        assert tls.requests[0].headers["authorization"] == "Basic bWU6aHVudGVyMg=="
        assert servers.at(f"{tls.url}/another") is servers.at(tls.url)
        assert servers.at("https://api.test") is servers.at("https://API.test:443/x")
        assert servers.at("https://api.test") is not servers.at("http://api.test")
        assert "hunter2" not in repr(options)
        servers.close()

    def test_an_operator_may_reach_it_elsewhere(self, tls):
        mine = {"ca_file": tls.ca_file, "address": tls.url + "/tunnel"}
        options = HttpOptions.model_validate({"access": {"https://prometheus.test": mine}})
        servers = Servers("test", options, Clock(NOW))
        servers.at("https://prometheus.test/x").get_json("/x")
        assert tls.requests[0].path == "/tunnel/x"
        servers.close()

    @pytest.mark.parametrize(
        ("access", "complaint"),
        [
            ({"https://a.test/path": {}}, "per origin"),
            ({"https://a.test": {"username": "me"}}, "together"),
            ({"https://a.test": {"username": "me", "password": "hunter2"}}, "not in clear"),
            ({"http://a.test": {"headers": {"X-Key": "${PASSWORD}"}}}, "plain http"),
            ({"https://a.test": {"headers": {"X-Key": "${NOWHERE}"}}}, "NOWHERE is not set"),
            (
                {
                    "https://a.test": {
                        "username": "me",
                        "password": "${PASSWORD}",
                        "headers": {"authorization": "Bearer ${PASSWORD}"},
                    }
                },
                "not both",
            ),
        ],
    )
    def test_what_cannot_work_is_refused(self, monkeypatch, access, complaint):
        monkeypatch.setenv("PASSWORD", "s3cr3t")
        options = HttpOptions.model_validate({"access": access})
        with pytest.raises(BadRequest, match=complaint) as caught:
            Servers("test", options, Clock(NOW))
        assert "hunter2" not in str(caught.value)
        assert "s3cr3t" not in str(caught.value)


def test_answers_keep_their_places_and_only_our_errors_are_answers():
    def ask(n):
        if n == 1:
            raise Unavailable("away")
        return n

    zero, one, two = answers(ask, [0, 1, 2], 2)
    assert (zero, two) == (0, 2)
    assert isinstance(one, Unavailable)
    with pytest.raises(ZeroDivisionError):
        answers(lambda n: 1 // n, [0, 1], 2)
