from __future__ import annotations

import contextlib
import socket
import ssl
import time

import pytest

from oracles import NO_DATA, BadRequest
from oracles.testing import MemorySampleStore
from oracles.tls_probe import TlsProbe
from tests.oracles.certificates import DAY, Authority, server_context
from tests.oracles.contract import Contract
from tests.oracles.probing import LENGTH, Rig, amount, samples
from tests.oracles.sockets import listening
from tests.oracles.web import closed_port

# Whether a certificate has expired is judged by OpenSSL, with this machine's clock.
NOW = int(time.time()) // LENGTH * LENGTH
UP = ("up", "ok")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def rig(authority):
    return Rig(TlsProbe, {"ca_file": authority.file}, first=NOW)


@contextlib.contextmanager
def shaking_hands(file, change=lambda context: None):
    """A server with such a certificate; gives where it is."""
    context = server_context(file)
    change(context)

    def behave(stream, stop):
        with context.wrap_socket(stream, server_side=True) as secured:
            secured.recv(1)  # until the other side is done

    with listening(behave) as port:
        yield {"host": "127.0.0.1", "port": port}


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(shaking_hands(*arguments))


class TestContract(Contract):
    @pytest.fixture
    def bench(self, rig, serve, authority):
        good = serve(authority.issue("127.0.0.1"))
        return rig.bench(good, serve(authority.issue("127.0.0.1", self_signed=True)))


class TestAvailability:
    def test_a_certificate_that_verifies_is_up(self, rig, serve, authority):
        assert rig.outcome(**serve(authority.issue("127.0.0.1"))) == UP

    def test_for_the_name_that_is_asked_for(self, rig, serve, authority):
        where = serve(authority.issue("www.test"))
        assert rig.outcome(**where, server_name="www.test") == UP
        assert rig.outcome(**where, server_name="api.test") == ("down", "name")
        assert rig.outcome(**where) == ("down", "name")

    def test_the_name_decides_which_certificate_is_shown(self, rig, serve, authority):
        contexts = {name: server_context(authority.issue(name)) for name in ("a.test", "b.test")}

        def choose(stream, name, _):
            if name in contexts:
                stream.context = contexts[name]

        where = serve(
            authority.issue("c.test"), lambda context: setattr(context, "sni_callback", choose)
        )
        for name in ("a.test", "b.test", "c.test"):
            assert rig.outcome(**where, server_name=name) == UP

    @pytest.mark.parametrize(
        ("certificate", "reason"),
        [
            ({"begins": NOW - 2 * DAY, "ends": NOW - DAY}, "expired"),
            ({"begins": NOW + DAY, "ends": NOW + 2 * DAY}, "not_yet_valid"),
            ({"self_signed": True}, "chain"),
        ],
    )
    def test_one_that_does_not_is_down_for_a_reason(
        self, rig, serve, authority, certificate, reason
    ):
        assert rig.outcome(**serve(authority.issue("127.0.0.1", **certificate))) == ("down", reason)

    def test_an_authority_that_nobody_knows_is_down(self, serve, authority):
        rig = Rig(TlsProbe, first=NOW)
        assert rig.outcome(**serve(authority.issue("127.0.0.1"))) == ("down", "chain")

    def test_an_older_version_than_agreed_is_down(self, rig, serve, authority):
        def old(context):
            context.maximum_version = ssl.TLSVersion.TLSv1_2

        where = serve(authority.issue("127.0.0.1"), old)
        assert rig.outcome(**where) == UP
        assert rig.outcome(**where, min_version="1.3") == ("down", "tls")

    def test_a_server_that_wants_a_certificate_of_ours_is_up(self, rig, serve, authority):
        def demand(context):
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority.file)

        assert rig.outcome(**serve(authority.issue("127.0.0.1"), demand)) == UP

    def test_one_that_speaks_something_else_is_down(self, rig):
        with listening(lambda stream, _: stream.sendall(b"220 mail.test ESMTP\r\n")) as port:
            assert rig.outcome(host="127.0.0.1", port=port) == ("down", "tls")

    def test_nobody_listening_is_down(self, rig):
        assert rig.outcome(host="127.0.0.1", port=closed_port()) == ("down", "connection")

    def test_the_deadline_holds_during_the_handshake(self, rig):
        began = time.monotonic()
        with listening(lambda _, stop: stop.wait(20)) as port:
            outcome = rig.outcome(host="127.0.0.1", port=port, timeout="0.2")
        assert outcome == ("down", "timeout")
        assert time.monotonic() - began < 10

    def test_a_drip_does_not_outlast_it(self, rig):
        def drip(stream, stop):
            stream.sendall(b"\x16\x03\x03\x40\x00\x02")  # a long message of the handshake begins
            while not stop.wait(0.02):
                stream.sendall(b"\0")

        began = time.monotonic()
        with listening(drip) as port:
            outcome = rig.outcome(host="127.0.0.1", port=port, timeout="0.3")
        assert outcome == ("down", "timeout")
        assert time.monotonic() - began < 10

    def test_latency_is_the_time_to_the_end_of_the_handshake(self, rig, serve, authority):
        where = serve(authority.issue("127.0.0.1"))
        assert 0 < amount(rig.read(rig.ask("latency", **where))) < 5000


class TestValidity:
    def test_is_the_time_that_was_left_at_the_last_sample(self, rig, serve, authority):
        ends = NOW + 3 * DAY
        query = rig.ask("validity", **serve(authority.issue("127.0.0.1", ends=ends)))
        reading = rig.read(query)
        assert amount(reading) == ends - samples(reading)[-1]["at"]
        assert {sample["not_after"] for sample in samples(reading)} == {ends}

    def test_is_that_of_the_worst_certificate_that_was_shown(self, rig):
        query = rig.ask("validity", host="127.0.0.1", samples=3)
        rig.keep(query, *({"not_after": NOW + span} for span in (5000, 400, 5000)))
        assert amount(rig.probe.read_one(query, rig.interval)) == 399

    def test_is_zero_once_it_has_expired(self, rig, serve, authority):
        expired = authority.issue("127.0.0.1", begins=NOW - 2 * DAY, ends=NOW - DAY)
        reading = rig.read(rig.ask("validity", **serve(expired)))
        assert amount(reading) == 0
        assert {sample["reason"] for sample in samples(reading)} == {"expired"}

    def test_is_zero_within_an_interval_in_which_it_expires(self, rig):
        query = rig.ask("validity", host="127.0.0.1", samples=3)
        rig.keep(query, *({"not_after": NOW + 1} for _ in range(3)))
        assert amount(rig.probe.read_one(query, rig.interval)) == 0

    @pytest.mark.parametrize("fault", [{"self_signed": True}, {"begins": NOW + DAY}])
    def test_is_known_of_a_certificate_that_does_not_verify(self, rig, serve, authority, fault):
        ends = NOW + 3 * DAY
        where = serve(authority.issue("127.0.0.1", ends=ends, **fault))
        reading = rig.read(rig.ask("validity", **where))
        assert amount(reading) == ends - samples(reading)[-1]["at"]
        assert {sample["outcome"] for sample in samples(reading)} == {"down"}

    def test_of_a_certificate_without_end_is_the_longest_there_is(self, rig, serve, authority):
        never = 253_402_300_799  # 99991231235959Z
        query = rig.ask("validity", **serve(authority.issue("127.0.0.1", ends=never)))
        assert amount(rig.read(query)) == 2**32 - 3

    def test_is_no_data_when_no_certificate_was_shown(self, rig):
        query = rig.ask("validity", host="127.0.0.1", port=closed_port())
        assert rig.read(query).answer is NO_DATA

    def test_is_no_data_when_too_few_were(self, rig):
        query = rig.ask("validity", host="127.0.0.1", min_samples=2)
        down = {"outcome": "down", "reason": "timeout"}
        rig.keep(query, {"not_after": NOW + 5000}, down, down)
        assert rig.probe.read_one(query, rig.interval).answer is NO_DATA

    def test_shares_its_samples_with_availability(self, rig, serve, authority):
        where = serve(authority.issue("127.0.0.1"))
        queries = [rig.ask(metric, **where) for metric in ("availability", "validity", "latency")]
        rig.run(*queries)
        assert len({query.key for query in queries}) == 1
        assert len(rig.store.get(queries[0].key, NOW, NOW + LENGTH)) == 5


class TestOurOwnFaults:
    def test_silence_is_void_when_no_control_answers(self, authority):
        rig = Rig(TlsProbe, {"control": [f"127.0.0.1:{closed_port()}"]}, first=NOW)
        assert rig.outcome(host="127.0.0.1", port=closed_port()) == ("void", "connection")

    def test_a_bad_certificate_is_not(self, serve, authority):
        rig = Rig(TlsProbe, {"control": [f"127.0.0.1:{closed_port()}"]}, first=NOW)
        assert rig.outcome(**serve(authority.issue("127.0.0.1"))) == ("down", "chain")

    def test_no_free_descriptor_is_void(self, rig, monkeypatch):
        def refuse(*_):
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        assert rig.outcome(host="127.0.0.1") == ("void", "own")

    def test_a_file_without_authorities_is_refused_at_once(self, tmp_path):
        (tmp_path / "empty.pem").write_text("none here")
        with pytest.raises(BadRequest, match=r"ca_file: .*empty\.pem holds no certificates"):
            TlsProbe({"ca_file": tmp_path / "empty.pem"}, store=MemorySampleStore())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"host": "https://a.test"}, "host"),
        ({"port": 0}, "port"),
        ({"server_name": "a_b.test:443"}, "server_name"),
        ({"min_version": "1.1"}, "min_version"),
    ],
)
def test_what_cannot_work_is_refused(rig, change, complaint):
    with pytest.raises(BadRequest, match=complaint):
        rig.ask(**{"host": "a.test", **change})
