"""One deadline for a call, whichever library makes it: against servers that keep their clients waiting."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest
import requests
import urllib3

from oracles import Unavailable
from oracles.clients import deadline as module
from oracles.clients.bounded_requests import BoundedAdapter
from oracles.clients.deadline import Deadline, watched
from oracles.clients.http_api import HttpApi
from tests.oracles.sockets import listening
from tests.oracles.web import serving

SLOW = ["/slow", "/drip-header", "/drip-body", "/drip-until-close"]


@pytest.fixture
def web():
    with serving() as web:
        web.body = b'{"fine": true}'
        yield web


def by_urllib3(url, seconds):
    with urllib3.PoolManager(timeout=60, retries=False) as pools:
        pools.pool_classes_by_scheme = watched(pools.pool_classes_by_scheme)
        with Deadline("test", seconds):
            return pools.request("GET", url).data


def by_requests(url, seconds, **settings):
    with requests.Session() as session:
        session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            session.mount(scheme, BoundedAdapter("test", seconds))
        return session.get(url, timeout=60, **settings).content


@pytest.mark.parametrize("ask", [by_urllib3, by_requests])
class TestEachLibrary:
    @pytest.mark.parametrize("path", SLOW)
    def test_is_cut_short_wherever_it_waits(self, web, ask, path):
        with pytest.raises(Unavailable, match=r"test took more than 0\.4 s"):
            ask(web.url(path), 0.4)

    def test_is_cut_short_in_the_middle_of_tls(self, ask):
        def drip(stream, stop):
            """A record of TLS that does not end."""
            stream.sendall(b"\x16\x03\x03\x3f\xff")
            while not stop.wait(0.02):
                stream.sendall(b"\x02")

        with listening(drip) as port, pytest.raises(Unavailable, match="took more than"):
            ask(f"https://127.0.0.1:{port}/", 0.4)

    def test_is_left_alone_in_time(self, web, ask):
        assert ask(web.url("/fine"), 60) == b'{"fine": true}'


def test_a_proxy_that_waits_is_cut_short_too(web):
    for scheme in ("http", "https"):
        # whatever is asked of it, CONNECT included, it drips
        def drip(stream, stop):
            stream.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stop.wait(0.02):
                stream.sendall(b"X: y\r\n")

        with listening(drip) as port, pytest.raises(Unavailable, match="took more than"):
            by_requests(
                f"{scheme}://elsewhere.test/",
                0.4,
                proxies={"http": f"http://127.0.0.1:{port}", "https": f"http://127.0.0.1:{port}"},
            )


def test_a_connection_of_an_earlier_call_heeds_the_deadline_of_this_one(web):
    with urllib3.PoolManager(timeout=60, retries=False) as pools:
        pools.pool_classes_by_scheme = watched(pools.pool_classes_by_scheme)
        with Deadline("test", 60):
            pools.request("GET", web.url("/fine"))
        with pytest.raises(Unavailable), Deadline("test", 0.4):
            pools.request("GET", web.url("/slow"))


def entry(port):
    """What a look-up gives for one address."""
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)


@pytest.fixture
def silent():
    """An address where nobody takes a connection."""
    with contextlib.ExitStack() as stack:
        queue = stack.enter_context(socket.socket())
        queue.bind(("127.0.0.1", 0))
        queue.listen(0)
        for _ in range(4):  # fills the queue: who comes now waits for ever
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(queue.getsockname())
        yield entry(queue.getsockname()[1])


@pytest.fixture
def patience(monkeypatch):
    """The seconds that were allowed for each connection."""
    allowed = []
    connect = module.create_connection

    def noted(address, seconds, **more):
        allowed.append(seconds)
        return connect(address, seconds, **more)

    monkeypatch.setattr(module, "create_connection", noted)
    return allowed


def of_names(monkeypatch, found):
    look_up = socket.getaddrinfo

    def answer(host, *more):
        return found if host == "many.test" else look_up(host, *more)

    monkeypatch.setattr(module.socket, "getaddrinfo", answer)


def test_ten_silent_addresses_take_no_longer_than_one(monkeypatch, patience, silent):
    of_names(monkeypatch, [silent] * 10)
    with (
        HttpApi("test", "http://many.test", connect_timeout=0.3, timeout=2.5) as client,
        pytest.raises(Unavailable, match=r"took more than 2\.5 s"),
    ):
        client.get_json("/")
    assert patience[0] == 0.3
    assert len(patience) <= 9
    assert sum(patience) <= 2.5 + 0.3


def test_a_silent_address_does_not_hide_one_that_answers(monkeypatch, patience, silent, web):
    of_names(monkeypatch, [silent, entry(web.port)])
    with HttpApi("test", "http://many.test", connect_timeout=0.2, timeout=60) as client:
        assert client.get_json("/fine") == {"fine": True}
    assert len(patience) == 2


def test_errors_of_ours_that_come_in_time_are_passed_on():
    with pytest.raises(ZeroDivisionError), Deadline("test", 60):
        1 / 0  # noqa: B018


def test_an_answer_that_comes_too_late_is_none():
    with pytest.raises(Unavailable, match="took more than"), Deadline("test", 0.01):
        time.sleep(0.02)


def test_a_name_that_nobody_knows_is_unavailable(monkeypatch):
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(module.socket, "getaddrinfo", unknown)
    with (
        HttpApi("test", "http://nowhere.test") as client,
        pytest.raises(Unavailable, match="gaierror"),
    ):
        client.get_json("/")
