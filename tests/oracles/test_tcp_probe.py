from __future__ import annotations

import socket
import time

import pytest

from oracles import BadRequest
from oracles.tcp_probe import TcpProbe
from tests.oracles.contract import Contract
from tests.oracles.probing import Rig, amount
from tests.oracles.sockets import listening, reset
from tests.oracles.web import closed_port

UP = ("up", "ok")


@pytest.fixture
def rig():
    return Rig(TcpProbe)


@pytest.fixture
def greeting():
    with listening(lambda stream, _: stream.sendall(b"220 mail.test ESMTP\r\n")) as port:
        yield {"host": "127.0.0.1", "port": port}


def echo(stream, _):
    while data := stream.recv(4096):
        stream.sendall(data[::-1])


def answering(rig, behave, **spec):
    """What a sample of such a service says."""
    with listening(behave) as port:
        return rig.outcome(host="127.0.0.1", port=port, **spec)


class TestContract(Contract):
    @pytest.fixture
    def bench(self, rig, greeting):
        return rig.bench(greeting, {"host": "127.0.0.1", "port": closed_port()})


class TestConnecting:
    def test_a_port_that_accepts_is_up(self, rig, greeting):
        assert rig.outcome(**greeting) == UP

    def test_over_ipv6_too(self, rig):
        with listening(echo, "::1") as port:
            assert rig.outcome(host="::1", port=port) == UP

    def test_a_name_with_several_addresses_is_up_if_one_is(self, rig, greeting, monkeypatch):
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", closed_port(), 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", greeting["port"])),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert rig.outcome(host="mail.test", port=25) == UP

    def test_a_port_that_refuses_is_down(self, rig):
        assert rig.outcome(host="127.0.0.1", port=closed_port()) == ("down", "connection")

    def test_a_full_queue_is_down_at_the_deadline(self, rig):
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                began = time.monotonic()
                outcome = rig.outcome(host="127.0.0.1", port=port, timeout="0.2")
                assert outcome == ("down", "timeout")
                assert time.monotonic() - began < 10

    def test_its_latency_is_the_time_to_connect(self, rig, greeting):
        assert 0 < amount(rig.read(rig.ask("latency", **greeting))) < 5000


class TestTalking:
    def test_what_is_expected_is_up(self, rig, greeting):
        assert rig.outcome(**greeting, expect="220 ") == UP

    def test_what_is_not_is_down(self, rig, greeting):
        assert rig.outcome(**greeting, expect="250 ") == ("down", "answer")

    def test_what_is_sent_is_answered(self, rig):
        assert answering(rig, echo, send="PING\r\n", expect="\n\rGNIP") == UP

    def test_a_character_is_a_byte(self, rig):
        heard = []

        def behave(stream, _):
            heard.append(stream.recv(100))
            stream.sendall(b"\x00\xff\x80")

        assert answering(rig, behave, send="\x00\x08\xd2\x16/", expect="\xff\x80") == UP
        assert heard == [b"\x00\x08\xd2\x16/"]

    def test_an_answer_may_come_in_pieces(self, rig):
        def behave(stream, stop):
            for byte in b"* OK ready":
                stream.sendall(bytes([byte]))
                stop.wait(0.01)
            stop.wait(20)

        assert answering(rig, behave, expect="OK ready") == UP

    def test_what_follows_max_bytes_is_not_read(self, rig):
        def behave(stream, stop):
            stream.sendall(b"x" * 100)
            stop.wait(0.1)
            stream.sendall(b"OK")
            stop.wait(20)

        assert answering(rig, behave, expect="OK", max_bytes=101) == ("down", "answer")
        assert answering(rig, behave, expect="OK", max_bytes=102) == UP

    def test_saying_nothing_is_a_timeout(self, rig):
        outcome = answering(rig, lambda _, stop: stop.wait(20), expect="OK", timeout="0.2")
        assert outcome == ("down", "timeout")

    def test_hanging_up_without_a_word_is_no_answer(self, rig):
        assert answering(rig, lambda *_: None, expect="OK") == ("down", "answer")

    def test_a_reset_is_a_broken_connection(self, rig):
        outcome = answering(rig, lambda stream, _: reset(stream), expect="OK")
        assert outcome == ("down", "connection")

    def test_a_drip_does_not_outlast_the_deadline(self, rig):
        def drip(stream, stop):
            while not stop.wait(0.02):
                stream.sendall(b"x")

        began = time.monotonic()
        # it did speak, so it is not our network that is silent
        assert answering(rig, drip, expect="OK", timeout="3") == ("down", "answer")
        assert time.monotonic() - began < 30

    def test_a_service_that_does_not_read_does_not_hold_us(self, rig, monkeypatch):
        send = socket.socket.sendall

        def much(self, data):  # more than fits into the buffers of both sides
            send(self, data * 20_000)

        monkeypatch.setattr(socket.socket, "sendall", much)
        outcome = answering(rig, lambda _, stop: stop.wait(20), send="x" * 4096, timeout="0.3")
        assert outcome == ("down", "timeout")


class TestOurOwnFaults:
    def test_silence_is_void_when_no_control_answers(self):
        rig = Rig(TcpProbe, {"control": [f"127.0.0.1:{closed_port()}"]})
        assert rig.outcome(host="127.0.0.1", port=closed_port()) == ("void", "connection")

    def test_a_wrong_answer_is_not(self, greeting):
        rig = Rig(TcpProbe, {"control": [f"127.0.0.1:{closed_port()}"]})
        assert rig.outcome(**greeting, expect="250 ") == ("down", "answer")

    def test_no_file_descriptor_is_void(self, rig, greeting, monkeypatch):
        def refuse(*_):
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        assert rig.outcome(**greeting) == ("void", "own")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"host": "http://a.test"}, "host: .*an IPv4 or IPv6 address, or a host name"),
        ({"host": "a.test:80"}, "host"),
        ({"host": "127.1"}, "host"),
        ({"host": ""}, "host"),
        ({"host": "münchen.test"}, "xn--"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"send": "€"}, r"send: .*U\+0000 to U\+00FF"),
        ({"send": ""}, "send"),
        ({"expect": "€"}, "expect"),
        ({"expect": "abc", "max_bytes": 2}, "expect, 3 bytes, does not fit into max_bytes 2"),
    ],
)
def test_what_cannot_work_is_refused(rig, change, complaint):
    with pytest.raises(BadRequest, match=complaint):
        rig.ask(**{"host": "a.test", "port": 80, **change})


@pytest.mark.parametrize("host", ["a", "a.test.", "_sip.a-b.test", "10.0.0.1", "::1", "fe80::1"])
def test_names_and_addresses_are_hosts(rig, host):
    assert rig.ask(host=host, port=80).spec.host == host
