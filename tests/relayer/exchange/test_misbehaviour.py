"""A peer that lies, is late, sends garbage, floods, or is down changes nothing but a metric and an alert."""

import gzip
import socket
import threading
import time
from dataclasses import replace

import pytest

from relayer.exchange import client, peers, wire
from tests import samples
from tests.relayer.exchange.kit import (
    ADDRESSES,
    NOW,
    START,
    answer,
    answering,
    faults,
    is_about,
    page,
    said,
    scripted,
    showing,
    shown,
    signed,
)

GOOD = signed(0, said(0, [1]))


def hanging(connection, _):
    while connection.recv(1_024):
        pass


def dripping(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def dripping_headers(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X")
        time.sleep(0.05)


def endless(connection, _):
    connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"bundles": [')
    while True:
        connection.sendall(b" " * 65_536)


def endless_chunks(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")


def bomb(connection, _):
    body = gzip.compress(b" " * (wire.MAX_BYTES + 1), 9)
    connection.sendall(answer(body, headers="Content-Encoding: gzip\r\n"))


def hanging_up(connection, _):
    connection.close()


def half_an_answer(connection, _):
    connection.sendall(answer(page(shown(GOOD)))[:-20])


def no_http(connection, _):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(100))


def raw(body, status="200 OK", headers=""):
    return answering(0, body, status=status, headers=headers)


def one(bundle, **changes):
    return raw(page(shown(bundle, **changes)))


MISBEHAVIOUR = {
    "html": ("garbage", raw(b"<html><h1>It works!</h1></html>")),
    "garbage": ("garbage", raw(bytes(range(256)))),
    "nothing": ("garbage", raw(b"")),
    "other JSON": ("garbage", raw(b'{"bundles": "none", "next": 7}')),
    "a bundle of garbage": ("garbage", raw(page({"id": 7}))),
    "damaged gzip": ("garbage", raw(gzip.compress(page())[:12] + bytes(9))),
    "an id that was read": ("garbage", raw(page(shown(GOOD, id=7), upto=0))),
    "ids beyond next": ("garbage", raw(page(shown(GOOD, id=7), upto=6))),
    "a long answer": ("too_large", raw(page() + b" " * wire.MAX_BYTES)),
    "a compressed long answer": ("too_large", bomb),
    "an endless answer": ("too_large", endless),
    "endless chunks": ("too_large", endless_chunks),
    "a redirect": ("redirect", raw(b"", "302 Found", "Location: http://169.254.169.254/\r\n")),
    "a wrong signature": ("wrong_signer", one(replace(GOOD, signature=bytes(65)))),
    "other readings": ("wrong_signer", one(replace(GOOD, evidence=b"\x01" * 32))),
    "another's readings": ("wrong_signer", one(signed(2, said(0, [1])))),
    "another's name": ("wrong_signer", one(GOOD, reporter=2, address=ADDRESSES[2])),
    "an outsider's": ("wrong_signer", one(signed(0, said(0, [1]), wallet=samples.wallet(9)))),
    "another chain": ("wrong_chain", one(GOOD, chainId=1)),
    "feeds that do not ascend": ("order", one(signed(0, said(0, [1])[::-1]))),
    "too many readings": ("too_long", one(signed(0, said(0, [1] * 1_001)))),
    "the far future": ("future", one(signed(0, said(0, [1] * 100)))),
}
ABSENCE = {
    "hangs": ("unreachable", hanging),
    "drips": ("unreachable", dripping),
    "drips headers": ("unreachable", dripping_headers),
    "hangs up": ("unreachable", hanging_up),
    "stops in the middle": ("unreachable", half_an_answer),
    "speaks something else": ("unreachable", no_http),
    "500": ("status", raw(b"oops", "500 Internal Server Error")),
    "404": ("status", raw(b"", "404 Not Found")),
    "429": ("status", raw(b"{}", "429 Too Many Requests")),
    "401": ("refused", raw(b'{"error": {"message": "\\u001b[31mno"}}', "401 Unauthorized")),
}


@pytest.fixture
def network(member):
    """A good reporter, and one that listens to it and to a bad one."""
    good = member(2).serve()
    listener = member(1)

    def listen(url, **changes):
        listener.listen({0: url, 2: good.url}, **changes)
        return good, listener

    return listen


@pytest.mark.parametrize("what", MISBEHAVIOUR)
def test_misbehaviour_changes_a_metric_and_an_alert(what, network):
    kind, respond = MISBEHAVIOUR[what]
    before = faults(0, kind)
    with scripted(respond) as url:
        good, listener = network(url)
        rests = [listener.visit(0), listener.visit(0)]
        sent = good.say(0, [7])
        assert listener.visit(2) == 0
    assert faults(0, kind) > before
    assert listener.firing() == {("peer_misbehaves", ADDRESSES[0])}
    assert listener.inbox() == [sent]
    kept = listener.store.bundles.after(0, limit=9, reader=ADDRESSES[1])
    assert [bundle.signed for bundle in kept] == [sent]
    assert rests[0] == 1.0


@pytest.mark.parametrize("what", ABSENCE)
def test_absence_changes_a_metric_and_after_ten_minutes_an_alert(what, network, monkeypatch):
    kind, respond = ABSENCE[what]
    before = faults(0, kind)
    with scripted(respond) as url:
        good, listener = network(url)
        with monkeypatch.context() as hasty:
            if respond in (hanging, dripping, dripping_headers):
                hasty.setattr(client, "SECONDS", 1.0)
            assert listener.visit(0) == 1.0
            assert listener.firing() == set()
            listener.clock.now += peers.DOWN_SECONDS
            assert listener.visit(0) == 2.0
        sent = good.say(0, [7])
        assert listener.visit(2) == 0
    assert faults(0, kind) == before + 2
    assert listener.firing() == {("peer_down", ADDRESSES[0])}
    assert listener.inbox() == [sent]
    assert "\x1b" not in listener.alerts.firing()[0].message


def test_nobody_listening_is_absence(network):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    before = faults(0, "unreachable")
    _, listener = network(f"http://127.0.0.1:{port}")
    assert listener.visit(0) == 1.0
    assert faults(0, "unreachable") == before + 1


def test_one_that_hangs_delays_no_other(network, monkeypatch):
    monkeypatch.setattr(client, "SECONDS", 60.0)
    asked, released = threading.Event(), threading.Event()

    def respond(connection, request):
        asked.set()
        released.wait(60)

    with scripted(respond) as url:
        good, listener = network(url, monotonic=time.monotonic)
        listener.peers.start()
        assert asked.wait(30)
        sent = good.say(0, [7])
        assert listener.peers.inbox.get(timeout=30).signed == sent
        released.set()


def test_a_peer_that_comes_back_is_taken_back(network):
    answers = {"now": b"down"}

    def respond(connection, request):
        raw(answers["now"])(connection, request)
        if is_about(request, 0) and "then" in answers:
            answers["now"] = answers.pop("then")

    with scripted(respond) as url:
        _, listener = network(url)
        rests = [listener.visit(0) for _ in range(12)]
        answers["now"] = page(shown(GOOD, id=7))
        answers["then"] = page(upto=7)
        assert listener.visit(0) == 0
        assert listener.inbox() == [GOOD]
        assert listener.firing() == {("peer_misbehaves", ADDRESSES[0])}
        listener.clock.now += peers.MISBEHAVIOUR_SECONDS
        listener.visit(0)
        assert listener.firing() == set()
        answers["now"] = b"down"
        assert listener.visit(0) == 1.0
    assert rests[:4] == [1.0, 2.0, 4.0, 8.0]
    assert rests[-1] == peers.MAX_REST


def test_a_peer_that_was_down_is_no_longer(network):
    with scripted(raw(page())) as url:
        _, listener = network(url)
        listener.alerts.fire("peer_down", ADDRESSES[0], "no answer")
        listener.visit(0)
    assert listener.firing() == set()


def test_one_bad_bundle_does_not_hide_the_others(network):
    more = signed(0, said(0, [1, 2]))
    body = page(
        shown(GOOD, id=1),
        {"id": 2, "feeds": "none"},
        shown(replace(GOOD, signature=bytes(65)), id=3),
        shown(more, id=4),
    )
    with scripted(raw(body)) as url:
        _, listener = network(url)
        listener.visit(0)
    assert listener.inbox() == [GOOD, more]


def test_ids_that_descend_are_garbage_from_there_on(network):
    more = signed(0, said(0, [1, 2]))
    before = faults(0, "garbage")
    with scripted(raw(page(shown(GOOD, id=7), shown(more, id=6)))) as url:
        _, listener = network(url)
        assert listener.visit(0) == 1.0
    assert faults(0, "garbage") == before + 1
    assert listener.inbox() == [GOOD]


def test_garbage_does_not_lead_back(network):
    asked = []
    script = answering(0, page(shown(GOOD, id=7)), page({"id": 9}, upto=3))

    def respond(connection, request):
        asked.append(request.split()[1])
        script(connection, request)

    with scripted(respond) as url:
        _, listener = network(url)
        listener.visit(0)
        asked.clear()
        listener.visit(0)
    assert any(path.startswith(b"/v1/bundles?after=7&") for path in asked)


def test_a_panel_that_is_not_ours_is_no_misbehaviour(network):
    """Reporters sit in many panels."""
    other = samples.feed(START, samples.panel(3, parties=b"\x01" * 32))
    stranger = shown(signed(0, said(0, [1], [other])), panel="0x" + other.panel.hash.hex())
    before = faults(0, "unknown_panel")
    with scripted(answering(0, page(stranger), page(upto=stranger["id"]))) as url:
        _, listener = network(url)
        assert listener.visit(0) == 0
    assert faults(0, "unknown_panel") == before + 1
    assert listener.firing() == set()


# Readings of what is not over


def test_a_reading_that_comes_early_waits_until_it_does_not(network):
    """Interval 59 is settled at NOW + 30 and taken 30 s earlier; number 60 a minute later."""
    early = signed(0, said(0, [1] * 61))
    bundles = [shown(early)]
    before = faults(0, "future")
    with scripted(showing(0, *bundles)) as url:
        _, listener = network(url)
        assert listener.visit(0) == 0
        assert listener.inbox() == []
        listener.clock.now = NOW + 59
        listener.visit(0)
        assert listener.inbox() == []
        listener.clock.now = NOW + 60
        listener.visit(0)
        assert listener.inbox() == [early]
    assert faults(0, "future") == before + 1
    assert listener.firing() == set()


def test_few_early_readings_wait_those_first_that_are_ready_first(network, monkeypatch):
    monkeypatch.setattr(peers, "_SET_ASIDE", 2)
    early = [signed(0, said(0, [1] * count)) for count in (64, 62, 63, 61)]
    bundles = [shown(bundle) for bundle in early]
    with scripted(showing(0, *bundles)) as url:
        _, listener = network(url)
        listener.visit(0)
        listener.clock.now = NOW + 900
        listener.visit(0)
    assert listener.inbox() == [early[1], early[3]]


def test_long_early_readings_take_no_memory(network, monkeypatch):
    monkeypatch.setattr(peers, "_ASIDE_BYTES", 1_500)
    bundles = [shown(signed(0, said(0, [1] * count))) for count in (61, 62, 63)]
    with scripted(showing(0, *bundles)) as url:
        _, listener = network(url)
        listener.visit(0)
        listener.clock.now = NOW + 900
        listener.visit(0)
    assert [len(bundle.feeds[0].readings) // 4 for bundle in listener.inbox()] == [61]


# Floods


def flood(distinct):
    """A server that always has more, ten bundles at once."""
    last = [0]

    def respond(connection, request):
        if f"address={ADDRESSES[0]}".encode() not in request:
            connection.sendall(answer(page()))
            return
        bundles = []
        for _ in range(10):
            last[0] += 1
            evidence = (last[0] if distinct else 0).to_bytes(32, "big")
            bundles.append(shown(signed(0, said(0, [1]), evidence=evidence), id=last[0]))
        connection.sendall(answer(page(*bundles)))

    return respond


@pytest.mark.parametrize("distinct", [True, False])
def test_a_flood_has_to_wait_and_if_it_does_not_end_somebody_is_told(
    network, monkeypatch, distinct
):
    monkeypatch.setattr(peers, "BUNDLES_PER_MINUTE", 30)
    monkeypatch.setattr(peers, "_FLOODS", 3)
    monkeypatch.setattr(peers, "_WAITING", 1_000)
    before = faults(0, "flood")
    with scripted(flood(distinct)) as url:
        good, listener = network(url)
        for _ in range(3):
            assert listener.firing() == set()
            assert listener.visit(0) == 60.0
            heard = len(listener.inbox())
            assert heard <= 40
            listener.clock.now += 60
        sent = good.say(0, [7])
        assert listener.visit(2) == 0
    assert faults(0, "flood") == before + 3
    assert listener.firing() == {("peer_misbehaves", ADDRESSES[0])}
    assert listener.inbox() == [sent]


def test_a_flood_of_bytes_has_to_wait_too(network, monkeypatch):
    monkeypatch.setattr(peers, "BYTES_PER_MINUTE", 10_000)
    with scripted(flood(distinct=True)) as url:
        _, listener = network(url)
        assert listener.visit(0) == 60.0
    assert 10 <= len(listener.inbox()) <= 20


def test_many_empty_pages_end(network):
    asked = []

    def respond(connection, request):
        asked.append(request)
        connection.sendall(answer(page(upto=len(asked))))

    with scripted(respond) as url:
        _, listener = network(url)
        listener.visit(0)
    assert len(asked) <= 2 * 16


def test_ids_that_go_back_and_forth_only_cost_the_budget(network, monkeypatch):
    monkeypatch.setattr(peers, "BUNDLES_PER_MINUTE", 5)
    pages = [page(shown(GOOD, id=7)), page(upto=3)] * 20
    with scripted(answering(0, *pages)) as url:
        _, listener = network(url)
        rests = [listener.visit(0) for _ in range(10)]
    assert 60.0 in rests
    assert listener.inbox() == [GOOD]


def test_a_peer_that_shows_something_else_each_time_is_heard_as_far_as_it_signed(network):
    """What it signed stands, whatever it shows later."""
    more = signed(0, said(0, [1, 2]))
    pages = [page(shown(GOOD, id=7)), page(upto=7), page(shown(more, id=8)), page(upto=8)]
    with scripted(answering(0, *pages)) as url:
        _, listener = network(url)
        for _ in range(3):
            listener.visit(0)
    assert listener.inbox() == [GOOD, more]
    assert listener.firing() == set()
