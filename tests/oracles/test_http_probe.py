from __future__ import annotations

import errno
import json
import socket
import time
from fractions import Fraction

import pytest

from oracles import NO_DATA, BadRequest, Value
from oracles.http_probe import HttpProbe
from oracles.testing import MemorySampleStore
from tests.oracles.certificates import Authority, server_context
from tests.oracles.contract import Clock, Contract
from tests.oracles.probing import FIRST, INTERVAL, LENGTH, Rig, fail_to_connect, inline, samples
from tests.oracles.sockets import HERE
from tests.oracles.web import SLOW, closed_port, serving


@pytest.fixture
def web():
    with serving() as web:
        yield web


@pytest.fixture
def clock():
    return Clock(FIRST - 1)  # the first sample may be due at FIRST, depending on the server's port


@pytest.fixture
def store():
    return MemorySampleStore()


@pytest.fixture
def probe(clock, store):
    with HttpProbe(HERE, store=store, clock=clock) as probe:
        yield inline(probe)


def ask(url, metric="availability", **spec):
    return HttpProbe.query({"url": url, **spec}, metric, first=FIRST, length=LENGTH)


def run(probe, *queries):
    """Drive the probe as a relayer does, from the clock's time on."""
    while (due := probe.sample(queries, probe._clock())) < INTERVAL.end:
        probe._clock.now = due
    probe._clock.now = INTERVAL.end + probe.SETTLE_DELAY


def one_sample(probe, url, **spec):
    query = ask(url, samples=1, **spec)
    run(probe, query)
    [sample] = samples(probe.read_one(query, INTERVAL))
    return sample["outcome"], sample["reason"]


class TestContract(Contract):
    @pytest.fixture
    def bench(self, web, monkeypatch):
        monkeypatch.setenv("PROBE_TOKEN", "s3cr3t-token")
        web.statuses["/down"] = "503 Service Unavailable"
        options = {"headers": {web.url(""): {"Authorization": "Bearer ${PROBE_TOKEN}"}}}
        bench = Rig(HttpProbe, options).bench(
            {"url": web.url("/up?key=s3cr3t-query")},
            {"url": web.url("/down?key=s3cr3t-query")},
            secrets=["s3cr3t-token", "s3cr3t-query"],
        )
        assert "Bearer s3cr3t-token" in web.requests[0]
        return bench


class TestAvailability:
    def test_is_the_share_of_samples_that_are_up(self, probe, web, clock):
        query = ask(web.url("/flaky"))
        due = probe.sample([query], clock.now)
        for status in ("200 OK", "500 Oops", "204 No Content", "503 Busy", "200 OK"):
            web.statuses["/flaky"] = status
            clock.now = due
            due = probe.sample([query], clock.now)
        clock.now = INTERVAL.end + 30
        reading = probe.read_one(query, INTERVAL)
        assert reading.answer == Value(Fraction(600_000))
        assert [sample["status"] for sample in samples(reading)] == [200, 500, 204, 503, 200]

    @pytest.mark.parametrize(
        ("path", "spec", "expected"),
        [
            ("/ok", {}, ("up", "ok")),
            ("/ok", {"method": "HEAD"}, ("up", "ok")),
            ("/chunked", {"expect_body": "all fine"}, ("up", "ok")),
            ("/ok", {"expect_body": "fine"}, ("up", "ok")),
            ("/ok", {"expect_body": "broken"}, ("down", "body")),
            ("/ok", {"expect_status": [204]}, ("down", "status")),
            ("/redirect?to=/ok", {}, ("down", "status")),
            ("/redirect?to=/ok", {"expect_status": [302]}, ("up", "ok")),
            ("/redirect?to=/ok", {"max_redirects": 1}, ("up", "ok")),
            ("/redirect?to=ftp://127.0.0.1/", {"max_redirects": 1}, ("down", "redirects")),
            ("/redirect?to=http://[::zz]/", {"max_redirects": 1}, ("down", "redirects")),
            ("/redirect?to=//u:p@127.0.0.1/", {"max_redirects": 1}, ("down", "redirects")),
            ("/loop", {"max_redirects": 3}, ("down", "redirects")),
            ("/reset", {}, ("down", "connection")),
            ("/silent", {}, ("down", "connection")),
            ("/truncated", {}, ("down", "protocol")),
            ("/chunk-missing", {}, ("down", "protocol")),
            ("/noise", {}, ("down", "protocol")),
            ("/big", {"expect_body": "x"}, ("up", "ok")),
            ("/big", {"expect_body": "needle"}, ("down", "body")),
            ("/big", {"expect_body": "needle", "max_bytes": 200_000}, ("up", "ok")),
            ("/big", {"max_bytes": 0}, ("up", "ok")),
        ],
    )
    def test_judges_an_answer(self, probe, web, path, spec, expected):
        assert one_sample(probe, web.url(path), **spec) == expected

    def test_nobody_listening_is_down(self, probe):
        url = f"http://127.0.0.1:{closed_port()}/"
        assert one_sample(probe, url) == ("down", "connection")

    @pytest.mark.parametrize("path", ["/slow", "/drip-header", "/drip-body", "/drip-until-close"])
    def test_the_deadline_holds_for_the_whole_sample(self, probe, web, path):
        began = time.monotonic()
        assert one_sample(probe, web.url(path), timeout="0.15") == ("down", "timeout")
        assert time.monotonic() - began < SLOW / 2

    def test_the_deadline_covers_all_redirects_together(self, probe, web):
        began = time.monotonic()
        url = web.url("/redirect?to=/redirect?to=/slow")
        # Long enough for two answers of a busy machine.
        assert one_sample(probe, url, timeout="5", max_redirects=5) == ("down", "redirects")
        assert time.monotonic() - began < SLOW / 2

    @pytest.mark.parametrize(
        "target",
        [
            "http://255.255.255.255/",
            "http://127.0.0.1:1/",
            "/reset",
            "/silent",
            "/truncated",
            "/slow",
        ],
    )
    def test_a_service_that_leads_into_nothing_is_down_whatever_our_network_does(
        self, clock, store, web, target, monkeypatch
    ):
        fail_to_connect(monkeypatch, "255.255.255.255", errno.ENETUNREACH)  # what Linux says
        options = {"control": [f"127.0.0.1:{closed_port()}"]}
        probe = inline(HttpProbe({**HERE, **options}, store=store, clock=clock))
        url = web.url(f"/redirect?to={target}")
        assert one_sample(probe, url, max_redirects=1, timeout="5") == ("down", "redirects")

    def test_even_if_this_machine_lacks_something_by_then(self, probe, web, monkeypatch):
        fail_to_connect(monkeypatch, "192.0.2.1", errno.EMFILE)
        url = web.url("/redirect?to=http://192.0.2.1/")
        assert one_sample(probe, url, max_redirects=1) == ("down", "redirects")


class TestLatency:
    def test_is_the_mean_of_the_samples_that_are_up(self, probe, store, clock):
        query = ask("http://127.0.0.1/", "latency")
        for at, outcome, elapsed in ((1, "up", 1500), (2, "up", 2501), (3, "down", 9_000_000)):
            sample = {"outcome": outcome, "reason": "ok", "status": 200, "elapsed_us": elapsed}
            store.put(query.key, FIRST + at, json.dumps(sample).encode())
        clock.now = INTERVAL.end + 30
        assert probe.read_one(query, INTERVAL).answer == Value(Fraction(4001, 2000))

    def test_is_no_data_when_nothing_is_up(self, probe, web):
        query = ask(web.url("/reset"), "latency")
        run(probe, query)
        assert probe.read_one(query, INTERVAL).answer is NO_DATA

    def test_shares_its_samples_with_availability(self, probe, web):
        both = ask(web.url("/ok")), ask(web.url("/ok"), "latency")
        run(probe, *both)
        assert len(web.requests) == 5
        availability, latency = probe.read(both, INTERVAL)
        assert availability.answer == Value(Fraction(1_000_000))
        assert 0 < latency.answer.amount < 5000


class TestOurOwnFaults:
    def test_controls_are_not_asked_when_the_service_spoke(self, clock, store, web):
        web.statuses["/down"] = "500 Oops"
        options = {"control": [f"127.0.0.1:{closed_port()}"]}
        probe = inline(HttpProbe({**HERE, **options}, store=store, clock=clock))
        assert one_sample(probe, web.url("/down")) == ("down", "status")

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (OSError(24, "Too many open files"), ("void", "own")),
            (OSError(101, "Network is unreachable"), ("down", "connection")),
            (OSError(113, "No route to host"), ("down", "connection")),
        ],
    )
    def test_a_failure_of_this_machine_is_not_the_services(
        self, probe, monkeypatch, error, expected
    ):
        def refuse(*_):
            raise error

        monkeypatch.setattr(socket.socket, "connect", refuse)
        assert one_sample(probe, "http://127.0.0.1/") == expected


class TestHeaders:
    def test_a_token_goes_to_its_origin_only(self, clock, store, web, monkeypatch):
        monkeypatch.setenv("TOKEN", "t0ken")
        with serving() as other:
            options = {"headers": {web.url("/"): {"X-Api-Key": "${TOKEN}"}}}
            probe = inline(HttpProbe({**HERE, **options}, store=store, clock=clock))
            target = web.url(f"/redirect?to={other.url('/ok')}")
            assert one_sample(probe, target, max_redirects=1) == ("up", "ok")
            assert "X-Api-Key: t0ken" in web.requests[0]
            assert "t0ken" not in other.requests[0]

    def test_a_token_may_come_from_a_file(self, clock, store, web, tmp_path):
        (tmp_path / "token").write_text("from-file\n")
        options = {"headers": {web.url("/"): {"X-Api-Key": f"${{file:{tmp_path}/token}}"}}}
        probe = inline(HttpProbe({**HERE, **options}, store=store, clock=clock))
        one_sample(probe, web.url("/ok"))
        assert "X-Api-Key: from-file\r\n" in web.requests[0]

    @pytest.mark.parametrize(
        ("template", "complaint"),
        [
            ("hunter2", "not in clear"),
            ("${NOT_SET}", "NOT_SET is not set"),
            ("${file:/nowhere/token}", "cannot read"),
            ("${SMUGGLED}", "cannot be sent"),
        ],
    )
    def test_a_bad_reference_is_refused_at_once(self, store, monkeypatch, template, complaint):
        monkeypatch.delenv("NOT_SET", raising=False)
        monkeypatch.setenv("SMUGGLED", "a\r\nX-Other: hunter2")
        with pytest.raises(BadRequest, match=complaint) as caught:
            HttpProbe({"headers": {"http://a.test": {"X-Key": template}}}, store=store)
        assert "hunter2" not in str(caught.value)

    def test_headers_for_a_path_are_refused(self, store, monkeypatch):
        monkeypatch.setenv("TOKEN", "t0ken")
        with pytest.raises(BadRequest, match="per origin"):
            HttpProbe({"headers": {"http://a.test/x": {"X-Key": "${TOKEN}"}}}, store=store)

    def test_nothing_is_taken_from_the_environment(self, probe, web, monkeypatch, tmp_path):
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login u password p\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
        assert one_sample(probe, web.url("/ok")) == ("up", "ok")
        assert "Authorization" not in web.requests[0]


class TestSpecification:
    @pytest.mark.parametrize(
        ("spec", "complaint"),
        [
            ({"url": "http://user:hunter2@a.test/"}, "credentials do not belong"),
            ({"url": "http://a.test/#part"}, "fragment"),
            ({"url": "ftp://a.test/"}, "url"),
            ({"url": "http://a.test/", "method": "POST"}, "method"),
            ({"url": "http://a.test/", "expect_status": []}, "expect_status"),
            ({"url": "http://a.test/", "expect_status": "3xx"}, "expect_status"),
        ],
    )
    def test_what_cannot_work_is_refused(self, spec, complaint):
        with pytest.raises(BadRequest, match=complaint) as caught:
            HttpProbe.query(spec, "availability", first=FIRST, length=LENGTH)
        assert "hunter2" not in str(caught.value)


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path):
        return Authority(tmp_path)

    @pytest.fixture
    def secure(self, authority):
        with serving(server_context(authority.issue("127.0.0.1"))) as web:
            yield web

    def test_an_unknown_certificate_is_down(self, probe, secure):
        assert one_sample(probe, secure.url("/ok", "https")) == ("down", "tls")

    def test_unless_agreed_otherwise(self, probe, secure):
        url = secure.url("/ok", "https")
        assert one_sample(probe, url, verify_tls=False) == ("up", "ok")

    def test_or_the_authority_is_the_operators(self, clock, store, secure, authority):
        probe = inline(HttpProbe({**HERE, "ca_file": authority.file}, store=store, clock=clock))
        assert one_sample(probe, secure.url("/ok", "https")) == ("up", "ok")

    def test_a_file_without_authorities_is_refused_at_once(self, store, tmp_path):
        (tmp_path / "empty.pem").write_text("none here")
        with pytest.raises(BadRequest, match=r"ca_file: .*empty\.pem holds no certificates"):
            HttpProbe({"ca_file": tmp_path / "empty.pem"}, store=store)

    @pytest.mark.parametrize("path", ["/slow", "/drip-header", "/drip-body"])
    def test_the_deadline_holds_inside_tls(self, probe, secure, path):
        began = time.monotonic()
        url = secure.url(path, "https")
        outcome = one_sample(probe, url, verify_tls=False, timeout="0.2")
        assert outcome == ("down", "timeout")
        assert time.monotonic() - began < SLOW / 2

    def test_and_during_the_handshake(self, probe):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            url = f"https://127.0.0.1:{mute.getsockname()[1]}/"
            assert one_sample(probe, url, timeout="0.2") == ("down", "timeout")

    def test_a_redirect_does_not_leave_tls(self, probe, secure, web):
        url = secure.url(f"/redirect?to={web.url('/ok')}", "https")
        outcome = one_sample(probe, url, verify_tls=False, max_redirects=1)
        assert outcome == ("down", "redirects")
        assert web.requests == []
