"""On loopback, and on loopbacks of network namespaces of their own, where the kernel can be told what to forbid."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from oracles import NO_DATA, AccessRefused, BadRequest, Unavailable
from oracles.icmp_probe import IcmpProbe
from tests.oracles.contract import Contract
from tests.oracles.probing import INTERVAL, Rig, amount, samples
from tests.oracles.web import closed_port

ROOT = Path(__file__).parents[2]
UP = ("up", "ok")
FORBIDDEN = {"outcome": "void", "reason": "forbidden"}
HERE = {"host": "127.0.0.1"}
FORGE = """
import itertools, socket, struct, threading, time
def forge():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        for number in itertools.cycle(range(3)):
            head = struct.pack("!BBHHH", 0, 0, 0xFFFF - number, 0, number)  # an echo reply
            raw.sendto(head + bytes(56), ("127.0.0.1", 0))
            time.sleep(0.01)
threading.Thread(target=forge, daemon=True).start()
"""
NO_REPLY = {"outcome": "down", "reason": "timeout", "sent": 3}


def may_ping():
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except PermissionError:
            continue
        return True
    return False


def may_unshare():
    up = ["unshare", "--net", "ip", "link", "set", "lo", "up"]
    try:
        return subprocess.run(up, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


echo = pytest.mark.skipif(not may_ping(), reason="this machine lets us send no echo requests")
own_network = pytest.mark.skipif(
    not may_unshare(), reason="this machine gives us no network namespaces of our own"
)


@pytest.fixture
def rig():
    return Rig(IcmpProbe)


@echo
class TestContract(Contract):
    @pytest.fixture
    def bench(self, rig):
        # a name that does not exist is the one thing on loopback that is certain to be down
        bench = rig.bench({**HERE, "packets": 1}, {"host": "nowhere.invalid"})
        bench.refused = rig.ask(host="::1")
        rig.keep(bench.refused, *[FORBIDDEN] * 5)
        return bench

    @pytest.fixture(autouse=True)
    def names(self, monkeypatch):
        look_up = socket.getaddrinfo

        def offline(host, *more):
            if host == "nowhere.invalid":
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            return look_up(host, *more)

        monkeypatch.setattr(socket, "getaddrinfo", offline)


@echo
class TestOnLoopback:
    def test_every_echo_comes_back(self, rig):
        sample = rig.sample(**HERE)
        assert (sample["outcome"], sample["sent"], sample["received"]) == ("up", 3, 3)
        assert 0 < sample["round_trips_us"] <= sample["elapsed_us"] * 3

    def test_over_ipv6_too(self, rig):
        assert rig.outcome(host="::1") == UP
        assert rig.outcome(host="::1", ip_version=6) == UP

    def test_the_version_chooses_among_the_addresses_of_a_name(self, rig, monkeypatch):
        asked = []
        look_up = socket.getaddrinfo

        def both(host, port, family, *more):
            asked.append(family)
            return look_up({socket.AF_INET6: "::1"}.get(family, "127.0.0.1"), port, family, *more)

        monkeypatch.setattr(socket, "getaddrinfo", both)
        for version in (None, 4, 6):
            assert rig.outcome(host="a.test", ip_version=version) == UP
        assert asked == [socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6]

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    @pytest.mark.parametrize(
        "spec", [{"packets": 1}, {"packets": 5, "payload": 17}, {"payload": 1400}]
    )
    def test_any_number_and_size(self, rig, host, spec):
        sample = rig.sample(host=host, **spec)
        assert sample["received"] == sample["sent"] == spec.get("packets", 3)

    def test_probes_of_one_host_do_not_take_each_others_replies(self, rig):
        queries = [rig.ask(**HERE, payload=16 + number, samples=1) for number in range(10)]
        with rig.make() as probe:
            rig.clock.now = INTERVAL.start
            list(probe._workers.map(lambda query: probe._take(query, INTERVAL.start), queries))
        rig.clock.now = INTERVAL.end + 30
        for reading in rig.probe.read(queries, INTERVAL):
            [sample] = samples(reading)
            assert sample["received"] == 3

    def test_latency_is_the_mean_round_trip(self, rig):
        query = rig.ask("latency", **HERE)
        reading = rig.read(query)
        trips = sum(sample["round_trips_us"] for sample in samples(reading))
        assert amount(reading) == Fraction(trips, 1000 * 15)


@own_network
class TestInANetworkOfItsOwn:
    """Each sample is taken by a process of its own, behind a loopback that obeys to it alone."""

    @pytest.fixture
    def sample(self):
        def sample(setup, spec, user=0, before="", options=None):
            script = f"""
import os
{before}
from oracles.icmp_probe import IcmpProbe
from tests.oracles.probing import Rig
# All that is imported late is imported now: another user may not be able to read the library.
first = Rig(IcmpProbe, {options!r})
first.run(first.ask(samples=1, **{spec!r}))
os.setgroups([]); os.setgid({user}); os.setuid({user})
rig = Rig(IcmpProbe, {options!r})
query = rig.ask(samples=1, **{spec!r})
rig.run(query)
[(_, sample)] = rig.store.get(query.key, rig.interval.start, rig.interval.end)
print(sample.decode())
"""
            done = subprocess.run(
                [
                    "unshare",
                    "--net",
                    "sh",
                    "-ec",
                    f'{setup}\nexec "$0" -c "$1"',
                    sys.executable,
                    script,
                ],
                check=True,
                capture_output=True,
                cwd=ROOT,
                timeout=100,
            )
            return json.loads(done.stdout)

        return sample

    UP = "ip link set lo up"
    ALLOW = 'echo "0 2147483647" > /proc/sys/net/ipv4/ping_group_range'
    FORBID = 'echo "1 0" > /proc/sys/net/ipv4/ping_group_range'
    NOBODY = 65534

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_nobody_may_ping_where_the_kernel_allows_it(self, sample, host):
        found = sample(f"{self.UP}; {self.ALLOW}", {"host": host}, self.NOBODY)
        assert (found["outcome"], found["received"]) == ("up", 3)

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_root_may_where_it_does_not(self, sample, host):
        found = sample(f"{self.UP}; {self.FORBID}", {"host": host})
        assert (found["outcome"], found["received"]) == ("up", 3)

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_what_is_forbidden_is_void(self, sample, host):
        found = sample(f"{self.UP}; {self.FORBID}", {"host": host}, self.NOBODY)
        assert (found["outcome"], found["reason"]) == ("void", "forbidden")

    @pytest.mark.parametrize("user", [0, NOBODY])
    def test_a_host_that_does_not_reply_is_down(self, sample, user):
        mute = "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all"
        spec = {"host": "127.0.0.1", "timeout": "3"}
        found = sample(f"{self.UP}; {self.ALLOW}; {mute}", spec, user)
        assert (found["outcome"], found["reason"]) == ("down", "timeout")
        assert (found["sent"], found["received"]) == (3, 0)

    def test_somebody_elses_replies_are_not_ours(self, sample):
        mute = "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all"
        spec = {"host": "127.0.0.1", "timeout": "1"}
        found = sample(f"{self.UP}; {self.FORBID}; {mute}", spec, before=FORGE)
        assert (found["outcome"], found["received"]) == ("down", 0)

    def test_a_machine_without_a_network_is_void_by_its_controls(self, sample):
        found = sample("", {"host": "192.0.2.1"}, options={"control": ["192.0.2.2:443"]})
        assert (found["outcome"], found["reason"]) == ("void", "connection")

    @pytest.mark.parametrize("kind", ["unreachable", "prohibit"])
    def test_an_address_that_cannot_be_reached_is_down(self, sample, kind):
        setup = f"{self.UP}; ip route add {kind} 192.0.2.0/24"
        found = sample(setup, {"host": "192.0.2.1"})
        assert (found["outcome"], found["reason"]) == ("down", "connection")
        found = sample("", {"host": "192.0.2.1"})
        assert (found["outcome"], found["reason"]) == ("down", "connection")


class TestLoss:
    def test_is_the_share_of_packets_that_did_not_come_back(self, rig):
        query = rig.ask("packet_loss", **HERE)
        rig.keep(
            query,
            {"sent": 3, "received": 3},
            {"sent": 3, "received": 2},
            {**NO_REPLY, "received": 0},
            {"outcome": "void", "reason": "own", "sent": 3, "received": 0},
        )
        assert amount(rig.probe.read_one(query, INTERVAL)) == Fraction(4_000_000, 9)

    def test_one_of_three_is_enough_to_be_up(self, rig):
        query = rig.ask(**HERE)
        rig.keep(query, {"sent": 3, "received": 1}, {"sent": 3, "received": 1}, NO_REPLY)
        assert amount(rig.probe.read_one(query, INTERVAL)) == Fraction(2_000_000, 3)

    def test_a_name_that_is_gone_loses_everything(self, rig):
        query = rig.ask("packet_loss", **HERE)
        rig.keep(query, *[{"outcome": "down", "reason": "dns"}] * 5)
        assert amount(rig.probe.read_one(query, INTERVAL)) == 1_000_000

    def test_latency_counts_packets_not_samples(self, rig):
        query = rig.ask("latency", **HERE)
        rig.keep(
            query,
            {"sent": 3, "received": 3, "round_trips_us": 3000},
            {"sent": 3, "received": 1, "round_trips_us": 5000},
            NO_REPLY,
        )
        assert amount(rig.probe.read_one(query, INTERVAL)) == 2

    def test_latency_is_no_data_when_nothing_came_back(self, rig):
        query = rig.ask("latency", **HERE)
        rig.keep(query, *[NO_REPLY] * 5)
        assert rig.probe.read_one(query, INTERVAL).answer is NO_DATA


class TestOurOwnFaults:
    def test_what_is_forbidden_is_refused_saying_what_to_do(self, rig):
        query = rig.ask(**HERE)
        rig.keep(query, *[FORBIDDEN] * 3, NO_REPLY, NO_REPLY)
        [error] = rig.probe.read([query], INTERVAL)
        assert type(error) is AccessRefused
        assert not error.retryable
        assert "net.ipv4.ping_group_range" in str(error)
        assert "CAP_NET_RAW" in str(error)

    @pytest.mark.parametrize("number", [1, 13, 93])
    def test_a_socket_that_the_machine_refuses_is_forbidden(self, rig, monkeypatch, number):
        class Refused(socket.socket):
            def __init__(self, *_):
                raise OSError(number, os.strerror(number))

        monkeypatch.setattr(socket, "socket", Refused)
        assert isinstance(rig.read(rig.ask(**HERE)), AccessRefused)

    def test_unless_there_were_enough_samples_all_the_same(self, rig):
        query = rig.ask("latency", **HERE)
        rig.keep(query, FORBIDDEN, FORBIDDEN, *[NO_REPLY] * 3)
        assert rig.probe.read_one(query, INTERVAL).answer is NO_DATA

    def test_samples_that_were_not_taken_are_no_data(self, rig):
        query = rig.ask(**HERE)
        rig.clock.now = INTERVAL.end + 30
        assert rig.probe.read_one(query, INTERVAL).answer is NO_DATA

    @echo
    def test_a_packet_that_this_machine_does_not_let_out_is_not_lost(self, rig, monkeypatch):
        send = socket.socket.send

        def full(self, packet):
            if int.from_bytes(packet[6:8], "big") == 1:
                raise OSError(105, "No buffer space available")
            return send(self, packet)

        monkeypatch.setattr(socket.socket, "send", full)
        assert rig.outcome(**HERE) == ("void", "own")

    @echo
    @pytest.mark.parametrize("number", [1, 13, 100, 101, 113])
    def test_what_a_router_says_is_not_our_fault(self, rig, monkeypatch, number):
        def recv(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(socket.socket, "recv", recv)
        sample = rig.sample(**HERE, timeout="3")
        assert (sample["outcome"], sample["reason"]) == ("down", "connection")
        assert (sample["sent"], sample["received"]) == (3, 0)

    def test_an_interval_waits_for_its_last_sample(self, rig):
        rig.clock.now = INTERVAL.end
        [error] = rig.probe.read([rig.ask(**HERE)], INTERVAL)
        assert isinstance(error, Unavailable)


@echo
def test_silence_is_void_when_no_control_answers(monkeypatch):
    rig = Rig(IcmpProbe, {"control": [f"127.0.0.1:{closed_port()}"]})
    monkeypatch.setattr("oracles.icmp_probe._Echo._reply", lambda *_: None)  # none is ours
    assert rig.outcome(**HERE, timeout="0.5") == ("void", "timeout")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"host": "a.test:80"}, "host"),
        ({"host": "::1", "ip_version": 4}, "ip_version is 4, but ::1 is of IPv6"),
        ({"host": "10.0.0.1", "ip_version": 6}, "ip_version is 6, but 10.0.0.1 is of IPv4"),
        ({"ip_version": 5}, "ip_version"),
        ({"packets": 0}, "packets"),
        ({"packets": 20, "timeout": 3}, r"20 packets take 1\.9 s to send"),
        ({"payload": 15}, "payload"),
        ({"payload": 1401}, "payload"),
    ],
)
def test_what_cannot_work_is_refused(rig, change, complaint):
    with pytest.raises(BadRequest, match=complaint):
        rig.ask(**{"host": "a.test", **change})
