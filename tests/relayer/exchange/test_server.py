"""What is served, to whom, and what clients can do to the server: nothing."""

import gzip
import http.client
import json
import socket
import threading
import time

import pytest
from sqlalchemy import text

from relayer.errors import ConfigurationError
from relayer.exchange import access, server, wire
from relayer.exchange.server import ExchangeServer, RateLimit
from tests.relayer.exchange.kit import (
    ADDRESSES,
    CHAIN_ID,
    NOW,
    OUTSIDER,
    PARTY,
    WALLETS,
    Clock,
    said,
    signed,
    stored,
)

AUDIENCE = frozenset([PARTY.address, *ADDRESSES])


@pytest.fixture
def zero(member):
    return member(0).serve()


def ask(one, target="/v1/bundles", *, method="GET", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", one.server.port, timeout=30)
    try:
        connection.request(method, target, headers=headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def told(one, target="/v1/bundles", **options):
    status, _, body = ask(one, target, **options)
    assert status == 200, body
    return json.loads(body)


def signed_by(wallet, one, target="/v1/bundles", *, method="GET", now=NOW, to=None):
    header = access.authorization(
        wallet, method=method, target=target, server=to or one.address, now=now
    )
    return {"Authorization": header}


def ids(page):
    return [bundle["id"] for bundle in page["bundles"]]


def test_what_was_signed_is_served_in_its_order(zero):
    bundles = [zero.say(i, [i]) for i in range(3)]
    page = told(zero)
    assert [wire.read_bundle(value).signed() for value in page["bundles"]] == bundles
    assert ids(page) == sorted(ids(page))
    assert page["next"] == ids(page)[-1]


def test_a_reader_goes_on_where_it_was(zero):
    for i in range(5):
        zero.say(i, [i])
    first = told(zero, "/v1/bundles?limit=2")
    second = told(zero, f"/v1/bundles?limit=2&after={first['next']}")
    third = told(zero, f"/v1/bundles?limit=2&after={second['next']}")
    assert len(ids(first)) == len(ids(second)) == 2
    assert [len(ids(third)), told(zero, f"/v1/bundles?after={third['next']}")] == [
        1,
        {"bundles": [], "next": third["next"]},
    ]
    assert ids(first) + ids(second) + ids(third) == ids(told(zero))


def test_a_reader_that_knows_more_than_there_is_learns_of_it(zero):
    zero.say(0, [0])
    newest = told(zero)["next"]
    assert told(zero, f"/v1/bundles?after={newest + 100}") == {"bundles": [], "next": newest}


def test_only_what_one_reporter_signed(zero):
    mine = zero.say(0, [0])
    zero.store.bundles.save(stored(signed(1, said(0, [0]))))
    for address in (zero.address, zero.address.lower()):
        [only] = told(zero, f"/v1/bundles?address={address}")["bundles"]
        assert wire.read_bundle(only).signed() == mine


def test_an_answer_is_not_longer_than_its_bound_unless_one_bundle_is(zero, monkeypatch):
    for i in range(9):
        zero.say(i, [i])
    one = len(ask(zero, "/v1/bundles?limit=1")[2])
    monkeypatch.setattr(server, "ANSWER_BYTES", 4 * one)
    assert 2 <= len(ids(told(zero))) <= 4
    monkeypatch.setattr(server, "ANSWER_BYTES", 1)
    assert len(ids(told(zero))) == 1


def test_answers_are_compressed_for_those_who_like_it(zero):
    for i in range(20):
        zero.say(i, [i])
    _, headers, body = ask(zero, headers={"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(body))["bundles"]) == 20


def test_identity(zero):
    said_so = told(zero, "/v1/identity")
    assert said_so["address"] == zero.address
    assert (said_so["chainId"], said_so["time"]) == (CHAIN_ID, NOW)


# Who reads


@pytest.fixture
def private(zero):
    zero.store.bundles.save(stored(signed(0, said(0, [0])), audience=AUDIENCE))
    return zero


def test_outsiders_do_not_see_private_bundles(private):
    assert ids(told(private)) == []
    assert ids(told(private, headers=signed_by(OUTSIDER, private))) == []


@pytest.mark.parametrize("address", sorted(AUDIENCE))
def test_parties_and_reporters_see_them(private, address):
    wallets = {PARTY.address: PARTY} | {w.address: w for w in WALLETS}
    assert len(ids(told(private, headers=signed_by(wallets[address], private)))) == 1


def test_what_does_not_prove_who_asks_is_refused_not_ignored(private):
    for headers in (
        {"Authorization": "Bearer 1"},
        signed_by(PARTY, private, now=NOW - 901),
        signed_by(PARTY, private, now=NOW + 901),
        signed_by(PARTY, private, to=ADDRESSES[1]),
        signed_by(PARTY, private, "/v1/bundles?after=1"),
        signed_by(PARTY, private, method="HEAD"),
    ):
        status, answered, body = ask(private, headers=headers)
        assert (status, answered["www-authenticate"]) == (401, "Makegood")
        assert set(json.loads(body)["error"]) == {"message", "hint"}


def test_a_request_that_one_server_got_is_of_no_use_at_another(private, member):
    """Whoever is asked cannot pass the signature on and read in the reader's name, whatever host it writes."""
    headers = signed_by(PARTY, private)
    other = member(1).serve()
    other.store.bundles.save(stored(signed(1, said(0, [0])), audience=AUDIENCE))
    host = {"Host": f"127.0.0.1:{private.server.port}"}
    assert ask(other, headers=headers | host)[0] == 401
    assert ask(private, headers=headers | host)[0] == 200


def test_heads_are_signed_as_such(private):
    status, _, body = ask(private, method="HEAD", headers=signed_by(PARTY, private, method="HEAD"))
    assert (status, body) == (200, b"")


# Requests that make no sense


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/", "GET", 404),
        ("/v1", "GET", 404),
        ("/v1/bundles/7", "GET", 404),
        ("/v1/identity", "POST", 405),
        ("/v1/bundles", "DELETE", 405),
        ("/v1/bundles?after=-1", "GET", 400),
        ("/v1/bundles?after=9223372036854775808", "GET", 400),
        ("/v1/bundles?after=%D9%A1", "GET", 400),
        ("/v1/bundles?after=1&after=2", "GET", 400),
        ("/v1/bundles?limit=0", "GET", 400),
        ("/v1/bundles?limit=1001", "GET", 400),
        ("/v1/bundles?address=0x12", "GET", 400),
        ("/v1/bundles?color=red", "GET", 400),
        ("/v1/bundles?address=%FF", "GET", 400),
    ],
)
def test_errors_say_what_is_wrong_and_what_to_do(zero, target, method, status):
    answered, headers, body = ask(zero, target, method=method)
    assert answered == status
    assert headers["content-type"] == "application/json"
    error = json.loads(body)["error"]
    assert error["message"]
    assert error["hint"]


def test_a_head_has_no_body(zero):
    assert ask(zero, "/v1/identity", method="HEAD")[::2] == (200, b"")
    assert ask(zero, "/nowhere", method="HEAD")[::2] == (404, b"")


def test_what_goes_wrong_inside_is_not_told(zero):
    with zero.store.writing() as db:
        db.execute(text("DROP TABLE bundle_feeds"))
        db.execute(text("DROP TABLE bundles"))
    status, _, body = ask(zero)
    assert status == 500
    assert json.loads(body)["error"]["message"] == "this relayer cannot answer now"
    assert b"bundles" not in body
    assert told(zero, "/v1/identity")["address"] == zero.address


def test_a_bug_is_not_told_either(zero, monkeypatch):
    def broken(*_):
        raise KeyError("password")

    zero.say(0, [0])
    monkeypatch.setattr(wire, "show", broken)
    status, _, body = ask(zero)
    assert status == 500
    assert json.loads(body)["error"]["message"] == "this relayer cannot answer now"


# Clients that mean harm


def test_who_asks_too_often_has_to_wait(member, monkeypatch):
    # The server's bucket refills in real time: so slowly that no machine is slower.
    monkeypatch.setitem(RateLimit.__init__.__kwdefaults__, "per_second", 0.001)
    zero = member(0).serve()
    answers = [ask(zero, "/v1/identity") for _ in range(server.BURST + 1)]
    assert [status for status, _, _ in answers[:-1]] == [200] * server.BURST
    status, headers, body = answers[-1]
    assert status == 429
    assert int(headers["retry-after"]) >= 1
    assert json.loads(body)["error"]["hint"]


def test_a_bucket_fills_again_and_each_client_has_its_own():
    clock = Clock(0.0)
    limit = RateLimit(None, per_second=2.0, burst=3, clock=clock)
    assert [limit._wait("a") > 0 for _ in range(5)] == [False, False, False, True, True]
    assert limit._wait("a") == 0.5
    assert limit._wait("b") <= 0
    clock.now += 0.5
    assert limit._wait("a") <= 0
    assert limit._wait("a") > 0


def test_buckets_are_bounded_and_a_network_is_one_client(monkeypatch):
    monkeypatch.setattr(server, "_CLIENTS", 10)
    limit = RateLimit(None, clock=Clock(0.0))
    for i in range(100):
        limit._wait(str(i))
    assert len(limit._buckets) == 10
    assert server._client(("2001:db8::1", 1)) == server._client(("2001:db8::ffff:1", 2))
    assert server._client(("2001:db8::1", 1)) != server._client(("2001:db8:0:1::1", 1))
    assert server._client(("10.0.0.1", 1)) != server._client(("10.0.0.2", 1))


def ends(connection):
    """Whether the server ends a connection, sooner or later."""
    connection.settimeout(30)
    try:
        while connection.recv(65_536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def test_who_is_slow_is_cut_off(zero, monkeypatch):
    monkeypatch.setattr(server, "CONNECTION_SECONDS", 0.3)
    for sent in (b"", b"GET /v1/identity HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", zero.server.port)) as connection:
            connection.sendall(sent)
            assert ends(connection)


def test_no_connection_serves_twice(zero):
    with socket.create_connection(("127.0.0.1", zero.server.port)) as connection:
        connection.settimeout(30)
        connection.sendall(b"GET /v1/identity HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        received = b""
        try:
            while more := connection.recv(65_536):
                received += more
        except ConnectionError:
            pass  # the second request was thrown away unread
    assert received.count(b"HTTP/1.1 ") == 1


def test_one_client_has_few_connections(zero):
    """Else one could take the files and threads of the whole process."""
    address = ("127.0.0.1", zero.server.port)
    held = [socket.create_connection(address) for _ in range(server.CONNECTIONS_PER_CLIENT)]
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.create_connection(address) as one_more:
                one_more.settimeout(0.2)
                try:
                    one_more.sendall(b"GET /v1/identity HTTP/1.1\r\nHost: x\r\n\r\n")
                    refused = not one_more.recv(1)
                except ConnectionError:
                    refused = True
                except TimeoutError:
                    refused = False
            if refused:
                break
        assert refused
    finally:
        for connection in held:
            connection.close()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert ask(zero, "/v1/identity")[0] == 200
            break
        except (ConnectionError, http.client.HTTPException):
            time.sleep(0.02)
    else:
        pytest.fail("the server does not recover")


def test_a_header_without_end_is_refused(zero, monkeypatch):
    monkeypatch.setattr(server, "CONNECTION_SECONDS", 1_000.0)
    with socket.create_connection(("127.0.0.1", zero.server.port)) as connection:
        connection.settimeout(30)
        try:
            connection.sendall(b"GET /v1/identity HTTP/1.1\r\nX: " + b"x" * (1 << 20))
            answered = connection.recv(65_536)
        except ConnectionError:
            answered = b""
        assert b" 200 " not in answered
    assert ask(zero, "/v1/identity")[0] == 200


def test_garbage_is_survived(zero):
    for sent in (b"\x16\x03\x01" + bytes(200), b"\r\n\r\n", b"GET\r\n\r\n", bytes(range(256))):
        with socket.create_connection(("127.0.0.1", zero.server.port)) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert ends(connection)
    assert ask(zero, "/v1/identity")[0] == 200


def test_readers_do_not_use_the_daemons_connections(zero, monkeypatch):
    zero.say(0, [0])

    def forbidden(*_, **__):
        raise AssertionError

    monkeypatch.setattr(zero.store, "reading", forbidden)
    monkeypatch.setattr(zero.store, "writing", forbidden)
    assert len(ids(told(zero))) == 1


def test_reading_goes_on_while_the_daemon_writes(zero):
    zero.say(0, [0])
    with zero.store.writing() as db:
        db.execute(text("UPDATE meta SET value = value"))
        assert len(ids(told(zero))) == 1


# Beginning and end


def test_a_port_that_is_taken_is_a_clear_error(zero):
    second = ExchangeServer(
        zero.store,
        address=zero.address,
        chain_id=CHAIN_ID,
        host="127.0.0.1",
        port=zero.server.port,
        clock=Clock(),
    )
    with pytest.raises(ConfigurationError, match=f"exchange.listen: 127.0.0.1:{zero.server.port}"):
        second.start()
    second.stop()


def test_it_ends_although_somebody_holds_a_connection(member):
    one = member(0).serve()
    with socket.create_connection(("127.0.0.1", one.server.port)) as connection:
        connection.sendall(b"GET /v1/bund")
        one.server.stop(30)
        assert not [thread for thread in threading.enumerate() if thread.name == "exchange"]
    with pytest.raises(ConnectionError):
        ask(one, "/v1/identity")


def test_stopping_what_never_started_does_nothing(member):
    one = member(0)
    ExchangeServer(
        one.store, address=one.address, chain_id=CHAIN_ID, host="127.0.0.1", port=0
    ).stop()
