"""What a document may have a reporter's machine ask inside its own network: nothing that is not allowed."""

from __future__ import annotations

import ipaddress
import socket
from fractions import Fraction

import pytest

from oracles import AccessRefused, BadRequest, Interval, Reading, Unavailable, Value
from oracles.border import EVERYWHERE, Border, _is_ours, is_inside
from oracles.dns_probe import DnsProbe
from oracles.http_probe import HttpProbe
from oracles.icmp_probe import IcmpProbe
from oracles.json_http import JsonHttp
from oracles.probing.outside import Outside
from oracles.prometheus import Prometheus
from oracles.tcp_probe import TcpProbe
from oracles.testing import MemorySampleStore
from oracles.tls_probe import TlsProbe
from tests.oracles.contract import Clock
from tests.oracles.probing import Rig, fail_to_connect, inline
from tests.oracles.prometheus_server import until
from tests.oracles.sockets import listening
from tests.oracles.tls_server import serving_tls
from tests.oracles.web import closed_port, serving

OUTSIDE = "93.184.215.14"
NOTHING = {"allowed_networks": ()}
FIRST = 1_767_225_600
INTERVAL = Interval(FIRST, FIRST + 60)


def v4(address):
    return ipaddress.IPv4Address(address).packed.hex(":", 2)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104
        "0.1.2.3",
        "10.1.2.3",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "5f00::1",
        # IPv4 in other clothes
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        f"64:ff9b::{v4('169.254.169.254')}",
        f"64:ff9b:1::{v4('8.8.8.8')}",
        f"2002:{v4('10.0.0.1')}::1",
        "2001:0:8.8.8.8::1".replace("8.8.8.8", v4("8.8.8.8")),
    ],
)
def test_what_is_none_of_the_internets_is_inside(address):
    assert is_inside(address)


@pytest.mark.parametrize(
    "address",
    [
        OUTSIDE,
        "8.8.8.8",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        f"64:ff9b::{v4('8.8.8.8')}",
        f"2002:{v4('8.8.8.8')}::1",
    ],
)
def test_what_is_the_internets_is_not(address):
    assert not is_inside(address)


def passes(allowed, host, port, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return bool(Border("x", allowed).passed(host, port, [(family, (address, port))]))


@pytest.mark.parametrize(
    ("allowed", "host", "port", "address", "passed"),
    [
        ("10.0.0.0/8", "db", 1, "10.2.3.4", True),
        ("10.0.0.0/8", "db", 1, "11.2.3.4", True),  # outside
        ("10.0.0.0/8", "db", 1, "127.0.0.1", False),
        ("fd00::/8", "db", 1, "fd00::7", True),
        ("fd00::/8", "db", 1, "10.0.0.1", False),
        ("127.0.0.1", "localhost", 9090, "127.0.0.1", True),
        ("127.0.0.1:9090", "localhost", 9090, "127.0.0.1", True),
        ("127.0.0.1:9090", "localhost", 8545, "127.0.0.1", False),
        ("[::1]:9090", "::1", 9090, "::1", True),
        ("::1", "::1", 9090, "::1", True),
        ("0:0::1", "::1", 9090, "::1", True),
        ("prometheus", "Prometheus.", 80, "172.18.0.5", True),
        ("prometheus:9090", "prometheus", 9090, "172.18.0.5", True),
        ("prometheus:9090", "prometheus", 22, "172.18.0.5", False),
        ("prometheus", "other", 80, "172.18.0.5", False),
    ],
)
def test_the_operator_allows_networks_addresses_and_names(allowed, host, port, address, passed):
    assert passes([allowed], host, port, address) is passed
    if ipaddress.ip_address(address).is_private:
        assert not passes([], host, port, address)


def test_what_the_operator_named_himself_is_not_asked_about():
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "fe80::1%lo")):
        found = [(family, (address, 1))]
        assert EVERYWHERE.passed("x", 1, found) == found


@pytest.mark.parametrize(
    "place", ["10.0.0.1/8", "10.0.0.0/33", "a b", "http://a", "a:0", "1.2", ""]
)
def test_a_place_that_is_none_is_refused_with_what_is_allowed(place):
    with pytest.raises(BadRequest, match=r"allowed_networks\.0: .*10\.0\.0\.0/8"):
        Prometheus({"allowed_networks": [place]})


# --- Probes ------------------------------------------------------------------------------------


@pytest.fixture
def asked():
    """A server that counts who connects; yields its port and the list."""
    seen = []
    with listening(lambda stream, _: seen.append(stream.getpeername())) as port:
        yield port, seen


KINDS = {
    HttpProbe: lambda host, port: {"url": f"http://{host}:{port}/"},
    TcpProbe: lambda host, port: {"host": host, "port": port},
    TlsProbe: lambda host, port: {"host": host, "port": port},
    DnsProbe: lambda host, port: {"name": "a.example", "servers": [f"{host}:{port}"]},
    IcmpProbe: lambda host, _: {"host": host, "packets": 1},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_probe_asks_nobody_inside_and_says_what_to_do(kind, host, asked, monkeypatch, caplog):
    port, seen = asked
    sent = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: sent.append(address))
    rig = Rig(kind, NOTHING)
    error = rig.read(rig.ask(**KINDS[kind](host, port), samples=2))
    assert type(error) is AccessRefused
    assert f"sources.{rig.probe.name}.allowed_networks" in str(error)
    assert not sent
    assert not seen
    [first, *_] = caplog.records
    assert (first.action, first.source, first.host) == ("inside_refused", rig.probe.name, host)


@pytest.mark.parametrize("kind", [HttpProbe, TcpProbe])
def test_a_probe_asks_what_is_allowed_and_nothing_beside_it(kind, asked):
    port, seen = asked
    answers = []
    for allowed in ("127.0.0.1:1", f"127.0.0.1:{port}"):
        rig = Rig(kind, {"allowed_networks": [allowed]})
        answers.append(rig.read(rig.ask(**KINDS[kind]("127.0.0.1", port), samples=1)))
    assert [type(answer) for answer in answers] == [AccessRefused, Reading]
    until(lambda: seen, "the connection")
    assert len(seen) == 1


def test_its_samples_are_void_and_never_down(asked):
    rig = Rig(HttpProbe, NOTHING)
    query = rig.ask(url=f"http://127.0.0.1:{asked[0]}/", samples=2, min_samples=1)
    # One sample of another kind is enough for a reading, of that one alone.
    rig.run(query, until=rig.interval.start + 30)
    rig.keep(query, {}, {})
    [*_, kept] = rig.store.get(query.key, *(rig.interval.start, rig.interval.end))
    assert b'"reason":"inside"' in kept[1]
    assert rig.probe.read_one(query, rig.interval).answer == Value(Fraction(1_000_000))


class Names:
    """The system's look-up, and the net behind an address outside: that is our own server."""

    def __init__(self, monkeypatch, port):
        self.found, self.connected = {}, []
        look_up, connect = socket.getaddrinfo, socket.socket.connect

        def getaddrinfo(host, port, *more):
            if host not in self.found:
                return look_up(host, port, *more)
            addresses = self.found[host]
            if isinstance(addresses[0], tuple):  # another answer each time
                addresses = addresses[0] if len(addresses) == 1 else self.found[host].pop(0)
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in addresses
            ]

        def redirected(stream, address):
            self.connected.append(address[0])
            connect(stream, ("127.0.0.1", port) if address[0] == OUTSIDE else address)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(socket.socket, "connect", redirected)


@pytest.fixture
def web():
    with serving() as web:
        yield web


@pytest.fixture
def names(monkeypatch, web):
    return Names(monkeypatch, web.port)


def test_a_name_that_leads_inside_is_refused_whatever_it_looks_like(names):
    names.found["shop.example"] = ["169.254.169.254"]
    rig = Rig(HttpProbe, NOTHING)
    error = rig.read(rig.ask(url="http://shop.example/", samples=1))
    assert type(error) is AccessRefused
    assert names.connected == []


def test_of_several_addresses_those_outside_are_asked(names):
    names.found["shop.example"] = ["127.0.0.1", "10.0.0.1", OUTSIDE]
    assert Rig(HttpProbe, NOTHING).outcome(url="http://shop.example/") == ("up", "ok")
    assert names.connected == [OUTSIDE]


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(names):
    names.found["shop.example"] = [(OUTSIDE,), ("127.0.0.1",)]
    assert Rig(HttpProbe, NOTHING).outcome(url="http://shop.example/") == ("up", "ok")
    assert names.connected == [OUTSIDE]


def test_a_service_cannot_end_its_outage_by_leading_its_name_inside(names):
    """Void is what the provider must not be able to bring about."""
    names.found["shop.example"] = [(OUTSIDE,), ("127.0.0.1",)]
    rig = Rig(HttpProbe, NOTHING)
    assert rig.outcome(url="http://shop.example/a") == ("up", "ok")
    assert rig.outcome(url="http://shop.example/b") == ("down", "connection")
    assert names.connected == [OUTSIDE]


def test_nor_by_waiting_for_our_relayer_to_restart(names):
    names.found["shop.example"] = [(OUTSIDE,), (OUTSIDE,), ("127.0.0.1",)]
    rig = Rig(HttpProbe, NOTHING)
    assert rig.outcome(url="http://shop.example/a") == ("up", "ok")
    rig.probe.close()
    rig.probe = inline(rig.make())
    rig.clock.now += 20 * 86_400
    assert rig.outcome(url="http://shop.example/b") == ("up", "ok")
    rig.probe = inline(rig.make())
    assert rig.outcome(url="http://shop.example/c") == ("down", "connection")
    error = rig.read(rig.ask(url="http://localhost/", samples=1))
    assert type(error) is AccessRefused, "it is remembered of each host alone"


def test_where_a_host_was_is_written_down_once_a_day():
    class Store(MemorySampleStore):
        def put(self, key, at, sample):
            kept.append(at)
            super().put(key, at, sample)

    kept, clock, store = [], Clock(FIRST), Store()
    outside = Outside(store, clock)
    for seconds in (0, 3600, 86_400):
        clock.now = FIRST + seconds
        for _ in range(2):
            outside.add("a.example")
            outside.save()
    days = [at // 86_400 - FIRST // 86_400 for at in kept]
    assert days == [0, 1]
    assert "a.example" in Outside(store, clock)
    assert "b.example" not in Outside(store, clock)


def test_what_cannot_be_stored_is_known_and_stored_later():
    class Store(MemorySampleStore):
        def put(self, key, at, sample):
            if broken:
                raise OSError("full")
            super().put(key, at, sample)

    broken, store, clock = True, Store(), Clock(FIRST)
    outside = Outside(store, clock)
    outside.add("a.example")
    with pytest.raises(OSError, match="full"):
        outside.save()
    assert "a.example" in outside
    assert "a.example" not in Outside(store, clock)
    broken = False
    outside.save()
    assert "a.example" in Outside(store, clock)


def test_this_machines_own_address_is_inside_however_public_it_is(monkeypatch, asked):
    """No firewall at the edge guards what listens here from what is sent from here."""
    assert _is_ours(socket.AF_INET, ("127.0.0.1", 1))
    assert _is_ours(socket.AF_INET6, ("::1", 1, 0, 0))
    assert not _is_ours(socket.AF_INET, (OUTSIDE, 1))
    with (
        monkeypatch.context() as patch
    ):  # a kernel that lets sockets have any address tells nothing
        patch.setattr(socket.socket, "bind", lambda *_: None)
        assert not _is_ours(socket.AF_INET, (OUTSIDE, 1))
    # loopback stands for the address that our provider gave this machine
    monkeypatch.setattr("oracles.border._inside", lambda _: False)
    assert not passes([], "shop.example", asked[0], "127.0.0.1")
    assert passes([f"127.0.0.1:{asked[0]}"], "shop.example", asked[0], "127.0.0.1")


def test_nor_by_sending_its_visitors_inside(names, web):
    names.found["shop.example"] = [OUTSIDE]
    target = "http://169.254.169.254/latest/meta-data"
    rig = Rig(HttpProbe, NOTHING)
    url = f"http://shop.example/redirect?to={target}"
    assert rig.outcome(url=url, max_redirects=1) == ("down", "redirects")
    assert names.connected == [OUTSIDE]
    assert len(web.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1"])
def test_a_redirect_leads_nowhere_that_its_first_address_may_not(web, asked, host):
    port, seen = asked
    rig = Rig(HttpProbe, {"allowed_networks": [f"127.0.0.1:{web.port}"]})
    url = web.url(f"/redirect?to=http://{host}:{port}/")
    error = rig.read(rig.ask(url=url, samples=1, max_redirects=1))
    assert type(error) is AccessRefused, "a policy of ours is no outage of theirs"
    assert len(web.requests) == 1
    assert not seen


def test_where_redirects_lead_is_not_remembered(names):
    names.found["shop.example"] = [OUTSIDE]
    names.found["other.example"] = [OUTSIDE]
    rig = Rig(HttpProbe, NOTHING)
    url = "http://shop.example/redirect?to=http://other.example/"
    assert rig.outcome(url=url, max_redirects=1) == ("up", "ok")
    assert rig.probe._border.is_public("shop.example")
    assert not rig.probe._border.is_public("other.example")


def test_controls_are_the_operators_own(web, monkeypatch):
    fail_to_connect(monkeypatch, OUTSIDE, 111)
    for port, outcome in ((web.port, "down"), (closed_port(), "void")):
        rig = Rig(TcpProbe, {**NOTHING, "control": [f"127.0.0.1:{port}"]})
        assert rig.outcome(host=OUTSIDE, port=80) == (outcome, "connection")


def test_so_are_this_machines_name_servers(asked, monkeypatch):
    monkeypatch.setattr("oracles.dns_probe._system_servers", lambda: [("127.0.0.1", asked[0])])
    rig = Rig(DnsProbe, NOTHING)
    outcome, reason = rig.outcome(name="a.example", timeout="0.5")
    assert (outcome, reason) in {("down", "timeout"), ("down", "connection")}


def test_a_name_server_inside_does_not_hide_what_one_outside_says(monkeypatch):
    fail_to_connect(monkeypatch, OUTSIDE, 111)
    rig = Rig(DnsProbe, NOTHING)
    spec = {"name": "a.example", "servers": ["10.0.0.1", OUTSIDE]}
    assert rig.outcome(**spec) == ("down", "connection")


# --- JSON over HTTP ----------------------------------------------------------------------------


@pytest.fixture
def api():
    with serving_tls() as server:
        server.answer(lambda _: {"v": 7})
        yield server


def read(url, **options):
    spec = {"url": f"{url}/{{end_s}}", "value": "$.v", "unit": "count"}
    query = JsonHttp.query(spec, "throughput", first=FIRST, length=60)
    with JsonHttp(options, clock=Clock(FIRST + 3600)) as service:
        [answer] = service.read([query], INTERVAL)
    return answer


def test_json_is_asked_for_inside_only_where_it_is_allowed(api):
    trust = {api.url: {"ca_file": api.ca_file}}
    refused = read(api.url, access=trust)
    assert type(refused) is AccessRefused
    assert "sources.json_http.allowed_networks" in str(refused)
    assert "127.0.0.1" in str(refused)
    assert not api.requests
    allowed = read(api.url, access=trust, allowed_networks=["127.0.0.0/8"])
    assert allowed.answer == Value(Fraction(7))


def test_so_is_prometheus(asked):
    port, seen = asked
    spec = {"url": f"http://localhost:{port}", "query": "up", "unit": "count", "step": 60}
    query = Prometheus.query(spec, "throughput", first=FIRST, length=60)
    for allowed, kind in (([], AccessRefused), (["localhost"], Unavailable)):
        with Prometheus({"allowed_networks": allowed}, clock=Clock(FIRST + 3600)) as service:
            [error] = service.read([query], INTERVAL)
        assert type(error) is kind
    until(lambda: seen, "the connection")
    assert len(seen) == 1


def test_a_name_of_an_api_that_leads_inside_is_refused_at_every_look_up(names):
    names.found["api.example"] = ["127.0.0.1"]
    assert type(read("http://api.example")) is AccessRefused
    assert names.connected == []


def test_where_the_operator_reaches_a_server_is_his_own_choice(api):
    tunnel = {"ca_file": api.ca_file, "address": api.url}
    found = read("https://api.example", access={"https://api.example": tunnel})
    assert found.answer == Value(Fraction(7))


def test_so_is_his_proxy(web):
    error = read("http://api.example", access={"http://api.example": {"proxy": web.url("/")}})
    assert type(error) is not AccessRefused
    assert "api.example" in web.requests[0]


def test_nothing_is_allowed_by_default():
    assert HttpProbe({}, store=MemorySampleStore())._options.allowed_networks == ()
    assert JsonHttp({})._options.allowed_networks == ()
