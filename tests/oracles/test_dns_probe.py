from __future__ import annotations

import socket
import time

import dns.resolver
import pytest

from oracles import BadRequest, dns_probe
from oracles.dns_probe import DnsProbe
from tests.oracles.contract import Contract
from tests.oracles.name_server import naming
from tests.oracles.probing import Rig, amount
from tests.oracles.sockets import listening
from tests.oracles.web import closed_port

UP = ("up", "ok")
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


@pytest.fixture
def rig():
    return Rig(DnsProbe)


@pytest.fixture
def server():
    with naming() as server:
        yield server


@pytest.fixture
def ask(rig, server):
    """Takes one sample from the server: its outcome and reason."""

    def ask(name, kind="A", **spec):
        return rig.outcome(name=name, type=kind, servers=[server.address], **spec)

    return ask


class TestContract(Contract):
    @pytest.fixture
    def bench(self, rig, server):
        servers = [server.address]
        return rig.bench(
            {"name": "www.test", "servers": servers}, {"name": "missing.test", "servers": servers}
        )


class TestAnswers:
    def test_any_answer_is_up(self, ask, server):
        assert ask("www.test") == UP
        assert ask("www.test.", "AAAA") == UP
        assert server.asked == [("udp", "www.test.", "A"), ("udp", "www.test.", "AAAA")]

    def test_an_alias_is_followed(self, ask):
        assert ask("alias.test", expect=["192.0.2.1", "192.0.2.2"]) == UP
        assert ask("alias.test", "CNAME", expect=["www.test"]) == UP

    @pytest.mark.parametrize(
        ("expect", "match", "expected"),
        [
            (["192.0.2.1", "192.0.2.2"], "equal", UP),
            (["192.0.2.2", "192.0.2.1"], "equal", UP),
            (["192.0.2.1"], "equal", ("down", "answer")),
            (["192.0.2.1", "192.0.2.2", "192.0.2.3"], "equal", ("down", "answer")),
            (["192.0.2.1"], "contain", UP),
            (["192.0.2.1", "192.0.2.2"], "contain", UP),
            (["192.0.2.1", "192.0.2.3"], "contain", ("down", "answer")),
        ],
    )
    def test_answers_are_a_set(self, ask, expect, match, expected):
        assert ask("www.test", expect=expect, match=match) == expected

    @pytest.mark.parametrize(
        ("name", "kind", "expect"),
        [
            ("test", "MX", ["10 mail.test", "20 mail2.test."]),
            ("test", "TXT", ["v=spf1 -all"]),
            ("www.test", "AAAA", ["2001:0db8:0:0:0:0:0:1"]),
        ],
    )
    def test_they_are_compared_by_what_they_mean(self, ask, name, kind, expect):
        assert ask(name, kind, expect=expect) == UP

    @pytest.mark.parametrize(
        ("name", "reason", "rcode"),
        [
            ("missing.test", "rcode", NXDOMAIN),
            ("broken.test", "rcode", SERVFAIL),
            ("refused.test", "rcode", REFUSED),
            ("empty.test", "answer", NOERROR),
        ],
    )
    def test_an_answer_without_records_is_down(self, rig, server, name, reason, rcode):
        sample = rig.sample(name=name, servers=[server.address])
        assert (sample["outcome"], sample["reason"]) == ("down", reason)
        assert sample["rcode"] == rcode

    def test_silence_is_down_at_the_deadline(self, ask):
        began = time.monotonic()
        assert ask("silent.test", timeout="0.2") == ("down", "timeout")
        assert time.monotonic() - began < 10

    def test_nobody_listening_is_down(self, rig):
        server = f"127.0.0.1:{closed_port()}"
        assert rig.outcome(name="www.test", servers=[server]) == ("down", "connection")

    def test_noise_is_down(self, ask):
        assert ask("noise.test", timeout="3") == ("down", "protocol")

    def test_a_forged_packet_does_not_end_the_waiting(self, ask):
        assert ask("forged.test", expect=["192.0.2.3"]) == UP

    def test_latency_is_the_time_to_the_answer(self, rig, server):
        query = rig.ask("latency", name="www.test", servers=[server.address])
        assert 0 < amount(rig.read(query)) < 5000


class TestLongAnswers:
    def test_come_over_tcp(self, ask, server):
        assert (
            ask("long.test", expect=[f"192.0.2.{n}" for n in range(1, 64)], match="contain") == UP
        )
        assert [transport for transport, _, _ in server.asked] == ["udp", "tcp"]

    def test_are_not_judged_by_their_beginning(self, ask, server):
        assert ask("truncated.test", expect=["192.0.2.7"]) == UP
        assert [transport for transport, _, _ in server.asked] == ["udp", "tcp"]

    def test_that_break_off_are_down(self, ask):
        assert ask("hangs-up.test") == ("down", "connection")


class TestServers:
    def test_the_next_one_is_asked_when_one_is_silent(self, rig, server):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            servers = [f"127.0.0.1:{mute.getsockname()[1]}", server.address]
            assert rig.outcome(name="www.test", servers=servers, timeout="6") == UP

    def test_what_one_says_is_told_rather_than_the_others_silence(self, rig, server):
        dead = f"127.0.0.1:{closed_port()}"
        for servers in ([dead, server.address], [server.address, dead]):
            assert rig.outcome(name="missing.test", servers=servers) == ("down", "rcode")

    def test_one_that_cannot_be_reached_from_here_hides_no_other(self, rig, monkeypatch):
        connect = socket.socket.connect

        def without_route(self, address):
            if address[0] == "192.0.2.53":
                raise OSError(101, "Network is unreachable")
            connect(self, address)

        monkeypatch.setattr(socket.socket, "connect", without_route)
        dead = f"127.0.0.1:{closed_port()}"
        for servers in (["192.0.2.53", dead], [dead, "192.0.2.53"]):
            assert rig.outcome(name="www.test", servers=servers) == ("down", "connection")
        assert rig.outcome(name="www.test", servers=["192.0.2.53"]) == ("down", "connection")

    def test_they_may_have_names(self, rig, server, monkeypatch):
        look_up = socket.getaddrinfo
        known = {"ns.test": "127.0.0.1"}
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *more: look_up(known.get(host, host), *more)
        )
        assert rig.outcome(name="www.test", servers=[f"ns.test:{server.port}"]) == UP

    def test_silence_is_void_when_no_control_answers(self):
        rig = Rig(DnsProbe, {"control": [f"127.0.0.1:{closed_port()}"]})
        server = f"127.0.0.1:{closed_port()}"
        assert rig.outcome(name="www.test", servers=[server]) == ("void", "connection")


class TestResolversOfTheSystem:
    @pytest.fixture
    def resolvers(self, monkeypatch):
        def use(*ports):
            monkeypatch.setattr(
                dns_probe, "_system_servers", lambda: [("127.0.0.1", port) for port in ports]
            )

        return use

    def test_are_asked_by_default(self, rig, server, resolvers):
        resolvers(server.port)
        assert rig.outcome(name="www.test") == UP
        assert rig.outcome(name="missing.test") == ("down", "rcode")
        assert rig.outcome(name="noise.test", timeout="3") == ("down", "protocol")

    @pytest.mark.parametrize(("works", "outcome"), [(True, "down"), (False, "void")])
    def test_that_do_not_answer_may_wait_for_the_zones_own(self, server, resolvers, works, outcome):
        with listening(lambda *_: None) as port:
            control = f"127.0.0.1:{port if works else closed_port()}"
            rig = Rig(DnsProbe, {"control": [control]})
            resolvers(closed_port())
            assert rig.outcome(name="www.test") == (outcome, "connection")
            resolvers(server.port)
            assert rig.outcome(name="silent.test", timeout="0.2") == (outcome, "timeout")

    def test_that_do_not_answer_are_down_where_no_control_says_whose_fault_it_is(
        self, rig, server, resolvers
    ):
        resolvers(server.port)
        assert rig.outcome(name="silent.test", timeout="0.2") == ("down", "timeout")

    def test_stand_in_resolv_conf(self, monkeypatch, tmp_path):
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\nnameserver ::1\n")
        resolver = dns.resolver.Resolver
        monkeypatch.setattr(
            dns.resolver, "Resolver", lambda: resolver(str(tmp_path / "resolv.conf"))
        )
        assert dns_probe._system_servers() == [("127.0.0.1", 53), ("::1", 53)]

    def test_that_do_not_exist_are_our_own_fault(self, rig, monkeypatch, tmp_path):
        resolver = dns.resolver.Resolver
        monkeypatch.setattr(dns.resolver, "Resolver", lambda: resolver(str(tmp_path / "none")))
        assert rig.outcome(name="www.test") == ("void", "own")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "a..b"}, "name: .*a domain name"),
        ({"name": ""}, "name"),
        ({"type": "ANY"}, "type"),
        ({"servers": ["::1"]}, r"servers\.0: .*\[IPv6 address\]"),
        ({"servers": ["[nonsense]"]}, r"servers\.0"),
        ({"servers": ["a.test:99999"]}, r"servers\.0: .*99999 is not between"),
        ({"expect": ["www.test"]}, "expect: 'www.test' is no A record"),
        ({"expect": ["mail.test"], "type": "MX"}, "expect: 'mail.test' is no MX record"),
        ({"match": "some"}, "match"),
    ],
)
def test_what_cannot_work_is_refused(rig, change, complaint):
    with pytest.raises(BadRequest, match=complaint):
        rig.ask(**{"name": "a.test", **change})
