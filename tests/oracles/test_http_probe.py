from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import json
import logging
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from fractions import Fraction

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from oracles import NO_DATA, BadRequest, Interval, Value, http_probe
from oracles.http_probe import LATENESS, HttpProbe
from oracles.testing import MemorySampleStore
from tests.oracles.contract import Bench, Clock, Contract
from tests.oracles.web import closed_port, serving

FIRST = 1_760_000_000
LENGTH = 60
INTERVAL = Interval(FIRST, FIRST + LENGTH)


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
    with HttpProbe(store=store, clock=clock) as probe:
        yield inline(probe)


class Inline:
    """Takes each sample at once, so that tests may move the clock freely."""

    def submit(self, function, *arguments):
        function(*arguments)
        return Future()

    def shutdown(self, **_):
        pass


def inline(probe):
    probe.close()
    probe._workers = Inline()
    return probe


def ask(url, metric="availability", *, length=LENGTH, **spec):
    return HttpProbe.query({"url": url, **spec}, metric, first=FIRST, length=length)


def run(probe, *queries, until=FIRST + LENGTH):
    """Drive the probe as a relayer does, from the clock's time on."""
    while (due := probe.sample(queries, probe._clock())) < until:
        probe._clock.now = due
    probe._clock.now = max(until, FIRST + LENGTH) + probe.SETTLE_DELAY


def samples(reading):
    return json.loads(reading.evidence)["answer"]["samples"]


def one_sample(probe, url, **spec):
    query = ask(url, samples=1, **spec)
    run(probe, query)
    [sample] = samples(probe.read_one(query, INTERVAL))
    return sample["outcome"], sample["reason"]


class TestContract(Contract):
    @pytest.fixture
    def bench(self, web, store, clock, monkeypatch):
        monkeypatch.setenv("PROBE_TOKEN", "s3cr3t-token")
        web.statuses["/down"] = "503 Service Unavailable"
        options = {"headers": {web.url(""): {"Authorization": "Bearer ${PROBE_TOKEN}"}}}

        def make():
            return HttpProbe(options, store=store, clock=clock)

        value = ask(web.url("/up?key=s3cr3t-query"))
        other = ask(web.url("/down?key=s3cr3t-query"))
        empty, garbage = ask(web.url("/never-sampled")), ask(web.url("/spoilt"))
        # a probe is its own monitoring service: it fails when its store does
        store.put(garbage.key, FIRST + 7, b'{"outcome":"up","elapsed_us":NaN}')
        with make() as probe:
            run(inline(probe), value, other)
        assert "Bearer s3cr3t-token" in web.requests[0]
        return Bench(
            make=make,
            clock=clock,
            interval=INTERVAL,
            value=value,
            value_amount=Fraction(1_000_000),
            other=other,
            other_amount=Fraction(0),
            empty=empty,
            garbage=garbage,
            failing=garbage,
            spec={"url": web.url("/up")},
            secrets=["s3cr3t-token", "s3cr3t-query"],
        )


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
        assert time.monotonic() - began < 1

    def test_the_deadline_covers_all_redirects_together(self, probe, web):
        began = time.monotonic()
        url = web.url("/redirect?to=/redirect?to=/slow")
        assert one_sample(probe, url, timeout="0.15", max_redirects=5) == ("down", "timeout")
        assert time.monotonic() - began < 1


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


class TestSchedule:
    @pytest.mark.parametrize(("planned", "length"), [(1, 60), (5, 60), (7, 60), (20, 3600), (3, 7)])
    def test_samples_are_even_and_within_their_interval(self, probe, store, planned, length):
        url = f"http://127.0.0.1:{closed_port()}/"
        query = ask(url, samples=planned, length=length, timeout="0.1")
        run(probe, query, until=FIRST + 3 * length)
        for number in range(3):
            interval = query.interval(number)
            assert len(store.get(query.key, interval.start, interval.end)) == planned
        times = [at for at, _ in store.get(query.key, 0, FIRST + 3 * length)]
        gaps = {later - earlier for earlier, later in itertools.pairwise(times)}
        assert gaps <= {length // planned, length // planned + 1}

    def test_the_phase_depends_on_the_query(self, probe, web):
        dues = {probe.sample([ask(web.url(f"/{n}"))], FIRST) for n in range(20)}
        assert len(dues) > 3

    def test_a_restarted_probe_invents_nothing(self, probe, web, clock, store):
        query = ask(web.url("/ok"))
        clock.now = FIRST + 40
        run(probe, query)
        taken = store.get(query.key, INTERVAL.start, INTERVAL.end)
        assert 1 <= len(taken) <= 2
        assert probe.read_one(query, INTERVAL).answer is NO_DATA

    def test_half_of_the_planned_samples_make_a_reading(self, probe, web, clock):
        query = ask(web.url("/ok"))
        due = probe.sample([query], clock.now)
        for _ in range(3):
            clock.now = due
            due = probe.sample([query], clock.now)
        clock.now = INTERVAL.end + 30
        assert probe.read_one(query, INTERVAL).answer == Value(Fraction(1_000_000))

    def test_min_samples_is_as_agreed(self, probe, web, clock):
        query = ask(web.url("/ok"), min_samples=4)
        due = probe.sample([query], clock.now)
        for _ in range(3):
            clock.now = due
            due = probe.sample([query], clock.now)
        clock.now = INTERVAL.end + 30
        assert probe.read_one(query, INTERVAL).answer is NO_DATA

    def test_a_missed_sample_is_not_made_up_for(self, probe, web, clock):
        query = ask(web.url("/ok"))
        due = probe.sample([query], clock.now)
        probe.sample([query], due + LATENESS + 1)
        assert web.requests == []

    def test_asking_again_takes_no_sample_twice(self, probe, web, clock):
        query = ask(web.url("/ok"))
        clock.now = probe.sample([query], clock.now)
        probe.sample([query], clock.now)
        probe.sample([query], clock.now + 1)
        assert len(web.requests) == 1

    def test_nothing_is_due_without_queries_or_before_the_start(self, probe, web):
        assert probe.sample([], FIRST) is None
        assert probe.sample([ask(web.url("/ok"))], FIRST - 1000) <= FIRST + 12
        assert web.requests == []

    def test_it_does_not_answer_before_the_last_sample_can_be_stored(self, probe, web, clock):
        query = ask(web.url("/ok"), timeout="2.5")
        assert probe.delay(query) == LATENESS + 3
        clock.now = INTERVAL.end + LATENESS
        [error] = probe.read([query], INTERVAL)
        assert error.retryable
        assert error.retry_after == 3

    def test_a_sample_that_ends_too_late_is_dropped(self, probe, web, clock, store, monkeypatch):
        query = ask(web.url("/ok"), samples=1)
        take = probe._probe

        def slowly(spec):
            clock.now = INTERVAL.end + probe.delay(query)
            return take(spec)

        monkeypatch.setattr(probe, "_probe", slowly)
        clock.now = probe.sample([query], clock.now)
        probe.sample([query], clock.now)
        assert len(web.requests) == 1
        assert store.get(query.key, 0, INTERVAL.end) == []

    def test_a_sample_that_waited_too_long_for_a_worker_is_skipped(self, probe, web, clock, store):
        query = ask(web.url("/ok"), samples=1)
        due = probe.sample([query], clock.now)
        clock.now = due + LATENESS + 1
        probe._take(query, int(due))
        assert web.requests == []
        assert store.get(query.key, 0, INTERVAL.end) == []

    def test_a_broken_store_is_logged_without_its_message(self, probe, web, clock, caplog):
        class Broken(MemorySampleStore):
            def put(self, key, at, sample):
                raise OSError("s3cr3t")

        probe._samples = Broken()
        with caplog.at_level(logging.ERROR, logger="oracles"):
            run(probe, ask(web.url("/ok"), samples=1))
        assert "sample lost: OSError" in caplog.text
        assert "s3cr3t" not in caplog.text


def test_a_hanging_url_delays_no_other(web, clock, store, monkeypatch):
    # the clock moves on before the worker has looked at it
    monkeypatch.setattr(http_probe, "LATENESS", LENGTH)
    slow = [ask(web.url(f"/slow?{n}"), samples=1, timeout="0.3") for n in range(3)]
    fast = ask(web.url("/ok"), samples=1)
    stored = threading.Event()
    arrived = []
    put = store.put

    def record(key, at, sample):
        put(key, at, sample)
        arrived.append(key)
        stored.set()

    store.put = record
    with HttpProbe({"workers": 4}, store=store, clock=clock) as probe:
        for query in (*slow, fast):
            clock.now = FIRST - 1
            clock.now = probe.sample([query], clock.now)
            began = time.monotonic()
            probe.sample([query], clock.now)
            assert time.monotonic() - began < 0.1, "sampling waited for the network"
        assert stored.wait(2)
        assert arrived[0] == fast.key
    assert len(arrived) == 4


class TestOurOwnFaults:
    def test_a_failure_counts_when_a_control_answers(self, clock, store, web):
        options = {"control": [f"127.0.0.1:{closed_port()}", f"127.0.0.1:{web.port}"]}
        probe = inline(HttpProbe(options, store=store, clock=clock))
        url = f"http://127.0.0.1:{closed_port()}/"
        assert one_sample(probe, url) == ("down", "connection")

    def test_it_does_not_when_every_control_fails_too(self, clock, store):
        options = {"control": [f"127.0.0.1:{closed_port()}"]}
        probe = inline(HttpProbe(options, store=store, clock=clock))
        query = ask(f"http://127.0.0.1:{closed_port()}/")
        run(probe, query)
        reading = probe.read_one(query, INTERVAL)
        assert reading.answer is NO_DATA
        assert {sample["outcome"] for sample in samples(reading)} == {"void"}

    def test_controls_are_not_asked_when_the_service_spoke(self, clock, store, web):
        web.statuses["/down"] = "500 Oops"
        options = {"control": [f"127.0.0.1:{closed_port()}"]}
        probe = inline(HttpProbe(options, store=store, clock=clock))
        assert one_sample(probe, web.url("/down")) == ("down", "status")

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (OSError(24, "Too many open files"), ("void", "own")),
            (OSError(101, "Network is unreachable"), ("void", "own")),
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

    @pytest.mark.parametrize(
        ("number", "expected"),
        [(socket.EAI_AGAIN, ("void", "own")), (socket.EAI_NONAME, ("down", "dns"))],
    )
    def test_a_silent_resolver_is_ours_a_missing_name_is_not(
        self, probe, monkeypatch, number, expected
    ):
        def resolve(*_, **__):
            raise socket.gaierror(number, "no")

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        assert one_sample(probe, "http://service.test/") == expected

    def test_a_machine_without_ipv6_still_sees_that_ipv4_refuses(self, probe, monkeypatch):
        connect = socket.socket.connect
        port = closed_port()

        def without_ipv6(self, address):
            if self.family is socket.AF_INET6:
                raise OSError(101, "Network is unreachable")
            connect(self, address)

        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket.socket, "connect", without_ipv6)
        for addresses in (found, found[::-1]):
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, a=addresses, **__: a)
            assert one_sample(probe, f"http://service.test:{port}/")[0] == "down"
            probe._clock.now = FIRST - 1
            probe._samples = MemorySampleStore()


class TestHeaders:
    def test_a_token_goes_to_its_origin_only(self, clock, store, web, monkeypatch):
        monkeypatch.setenv("TOKEN", "t0ken")
        with serving() as other:
            options = {"headers": {web.url("/"): {"X-Api-Key": "${TOKEN}"}}}
            probe = inline(HttpProbe(options, store=store, clock=clock))
            target = web.url(f"/redirect?to={other.url('/ok')}")
            assert one_sample(probe, target, max_redirects=1) == ("up", "ok")
            assert "X-Api-Key: t0ken" in web.requests[0]
            assert "t0ken" not in other.requests[0]

    def test_a_token_may_come_from_a_file(self, clock, store, web, tmp_path):
        (tmp_path / "token").write_text("from-file\n")
        options = {"headers": {web.url("/"): {"X-Api-Key": f"${{file:{tmp_path}/token}}"}}}
        probe = inline(HttpProbe(options, store=store, clock=clock))
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
            ({"url": "http://a.test/", "samples": 0}, "samples"),
            ({"url": "http://a.test/", "min_samples": 6}, "min_samples 6 is more"),
            ({"url": "http://a.test/", "timeout": "nan"}, "timeout"),
            ({"url": "http://a.test/", "timeout": 21}, "timeout"),
            ({"url": "http://a.test/", "timeout": 13}, "do not fit into 60 s"),
            ({"url": "http://a.test/", "samples": 61, "timeout": "0.1"}, "one a second"),
            ({"url": "http://a.test/", "expect_status": []}, "expect_status"),
            ({"url": "http://a.test/", "expect_status": "3xx"}, "expect_status"),
        ],
    )
    def test_what_cannot_work_is_refused(self, spec, complaint):
        with pytest.raises(BadRequest, match=complaint) as caught:
            HttpProbe.query(spec, "availability", first=FIRST, length=LENGTH)
        assert "hunter2" not in str(caught.value)

    def test_a_probe_needs_a_store(self):
        with pytest.raises(BadRequest, match="needs a store"):
            HttpProbe()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        signed.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


class TestTls:
    @pytest.fixture
    def secure(self, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with serving(context) as web:
            yield web

    def test_an_unknown_certificate_is_down(self, probe, secure):
        assert one_sample(probe, secure.url("/ok", "https")) == ("down", "tls")

    def test_unless_agreed_otherwise(self, probe, secure):
        url = secure.url("/ok", "https")
        assert one_sample(probe, url, verify_tls=False) == ("up", "ok")

    def test_or_the_authority_is_the_operators(self, clock, store, secure, certificate):
        probe = inline(HttpProbe({"ca_file": certificate}, store=store, clock=clock))
        assert one_sample(probe, secure.url("/ok", "https")) == ("up", "ok")

    @pytest.mark.parametrize("path", ["/slow", "/drip-header", "/drip-body"])
    def test_the_deadline_holds_inside_tls(self, probe, secure, path):
        began = time.monotonic()
        url = secure.url(path, "https")
        outcome = one_sample(probe, url, verify_tls=False, timeout="0.2")
        assert outcome == ("down", "timeout")
        assert time.monotonic() - began < 1

    def test_and_during_the_handshake(self, probe):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            url = f"https://127.0.0.1:{mute.getsockname()[1]}/"
            assert one_sample(probe, url, timeout="0.2") == ("down", "timeout")

    def test_a_redirect_does_not_leave_tls(self, probe, secure, web):
        url = secure.url(f"/redirect?to={web.url('/ok')}", "https")
        outcome = one_sample(probe, url, verify_tls=False, max_redirects=1)
        assert outcome == ("down", "redirects")
        assert web.requests == []
