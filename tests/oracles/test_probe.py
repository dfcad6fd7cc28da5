"""What all probes share, shown with HTTP."""

from __future__ import annotations

import errno
import itertools
import json
import logging
import secrets
import socket
import threading
import time
from fractions import Fraction

import pytest

from oracles import NO_DATA, BadRequest, GarbageAnswer, canonical
from oracles.http_probe import HttpProbe
from oracles.icmp_probe import IcmpProbe
from oracles.probing import probe as shared
from oracles.probing.probe import LATENESS
from oracles.testing import MemorySampleStore
from tests.oracles.probing import (
    FIRST,
    INTERVAL,
    LENGTH,
    Rig,
    amount,
    fail_to_connect,
    inline,
    samples,
)
from tests.oracles.sockets import HERE
from tests.oracles.web import closed_port, serving


@pytest.fixture
def web():
    with serving() as web:
        yield web


@pytest.fixture
def rig():
    return Rig(HttpProbe)


def advance(rig, query, steps):
    """Take the first so many samples."""
    due = rig.probe.sample([query], rig.clock.now)
    for _ in range(steps):
        rig.clock.now = due
        due = rig.probe.sample([query], rig.clock.now)
    rig.clock.now = INTERVAL.end + 30


def with_time_between(rig, web):
    """A question whose second sample is due long after its first: the seconds are drawn, and may be neighbours."""

    def spaced(query):
        first, second, *_ = planned_times(query, 1)
        return second - first > 2 * LATENESS

    return next(filter(spaced, (rig.ask(url=web.url(f"/ok?{n}")) for n in itertools.count())))


class TestSchedule:
    @pytest.mark.parametrize(("planned", "length"), [(1, 60), (5, 60), (7, 60), (20, 3600), (3, 7)])
    def test_samples_are_even_and_within_their_interval(self, rig, planned, length):
        url = f"http://127.0.0.1:{closed_port()}/"
        query = rig.ask(url=url, samples=planned, length=length, timeout="0.1")
        rig.run(query, until=FIRST + 3 * length)
        for number in range(3):
            interval = query.interval(number)
            assert len(rig.store.get(query.key, interval.start, interval.end)) == planned
        times = [at for at, _ in rig.store.get(query.key, 0, FIRST + 3 * length)]
        parts = [(at - FIRST) * planned // length for at in times if length % planned == 0]
        assert parts in ([], list(range(3 * planned)))

    def test_each_sample_may_be_taken_in_every_second_of_its_part_of_the_interval(self, rig):
        query = rig.ask(url="http://127.0.0.1/", samples=12)
        planned = planned_times(query, 200)
        for part in range(12):
            places = {(at - FIRST) % LENGTH for at in planned[part::12]}
            assert places == set(range(part * 5, part * 5 + 5))

    def test_one_sample_tells_nothing_of_the_next(self, rig):
        query = rig.ask(url="http://127.0.0.1/", samples=2)
        planned = planned_times(query, 200)
        pairs = zip(planned[::2], planned[1::2], strict=True)
        assert len({later - first for first, later in pairs}) > 30

    def test_nobody_outside_this_process_can_tell_when(self, rig, monkeypatch):
        query = rig.ask(url="http://127.0.0.1/")
        here = planned_times(query, 10)
        assert planned_times(query, 10) == here
        monkeypatch.setattr(shared, "_SECRET", secrets.token_bytes(32))
        assert planned_times(query, 10) != here

    def test_the_times_depend_on_the_query(self, rig, web):
        dues = {rig.probe.sample([rig.ask(url=web.url(f"/{n}"))], FIRST) for n in range(20)}
        assert len(dues) > 3

    def test_a_part_of_the_interval_is_sampled_once_however_often_it_is_restarted(
        self, rig, monkeypatch
    ):
        query = rig.ask(url="http://127.0.0.1:1/", samples=4)
        for second in range(LENGTH):
            monkeypatch.setattr(shared, "_SECRET", bytes([second]))
            rig.probe = inline(rig.make())
            rig.clock.now = FIRST + second
            rig.probe.sample([query], rig.clock.now)
        times = [at for at, _ in rig.store.get(query.key, FIRST, INTERVAL.end)]
        assert [(at - FIRST) // 15 for at in times] == [0, 1, 2, 3]

    def test_it_draws_times_only_when_a_sample_is_over(self, rig, monkeypatch):
        queries = [rig.ask(url=f"http://127.0.0.1/{n}", samples=1) for n in range(100)]
        monkeypatch.setattr(rig.probe, "_take", lambda *_: None)
        rig.probe.sample(queries, FIRST)
        monkeypatch.setattr(shared, "_slot", None)
        due = rig.probe.sample(queries, FIRST)
        assert rig.probe.sample(queries, due - 0.01) == due

    def test_one_call_takes_what_is_due_of_all_queries(self, rig, web):
        queries = [rig.ask(url=web.url(f"/{n}"), samples=2) for n in range(10)]
        rig.run(*queries)
        for query in queries:
            assert len(rig.store.get(query.key, FIRST, INTERVAL.end)) == 2

    def test_a_restarted_probe_invents_nothing(self, rig, web):
        query = rig.ask(url=web.url("/ok"))
        rig.clock.now = FIRST + 40
        rig.run(query)
        assert 1 <= len(rig.store.get(query.key, INTERVAL.start, INTERVAL.end)) <= 2
        assert rig.probe.read_one(query, INTERVAL).answer is NO_DATA

    def test_half_of_the_planned_samples_make_a_reading(self, rig, web):
        query = rig.ask(url=web.url("/ok"))
        advance(rig, query, 3)
        assert amount(rig.probe.read_one(query, INTERVAL)) == 1_000_000

    def test_min_samples_is_as_agreed(self, rig, web):
        query = rig.ask(url=web.url("/ok"), min_samples=4)
        advance(rig, query, 3)
        assert rig.probe.read_one(query, INTERVAL).answer is NO_DATA

    def test_a_missed_sample_is_not_made_up_for(self, rig, web):
        query = with_time_between(rig, web)
        due = rig.probe.sample([query], rig.clock.now)
        rig.probe.sample([query], due + LATENESS + 1)
        rig.probe.sample([query], due + LATENESS + 2)
        assert web.requests == []

    def test_a_sample_may_begin_a_little_late(self, rig, web):
        query = with_time_between(rig, web)
        due = rig.probe.sample([query], rig.clock.now)
        rig.clock.now = due + LATENESS
        rig.probe.sample([query], rig.clock.now)
        assert len(web.requests) == 1
        [(at, _)] = rig.store.get(query.key, FIRST, INTERVAL.end)
        assert at == due

    def test_asking_again_takes_no_sample_twice(self, rig, web):
        query = rig.ask(url=web.url("/ok"))
        rig.clock.now = rig.probe.sample([query], rig.clock.now)
        due = rig.probe.sample([query], rig.clock.now)
        rig.probe.sample([query], rig.clock.now)
        rig.probe.sample([query], due - 0.01)
        assert len(web.requests) == 1

    def test_nothing_is_due_without_queries_or_before_the_start(self, rig, web):
        assert rig.probe.sample([], FIRST) is None
        assert rig.probe.sample([rig.ask(url=web.url("/ok"))], FIRST - 1000) <= FIRST + 12
        assert web.requests == []

    def test_it_does_not_answer_before_the_last_sample_can_be_stored(self, rig, web):
        query = rig.ask(url=web.url("/ok"), timeout="2.5")
        assert rig.probe.delay(query) == LATENESS + 3
        rig.clock.now = INTERVAL.end + LATENESS
        [error] = rig.probe.read([query], INTERVAL)
        assert error.retryable
        assert error.retry_after == 3


class TestWhatIsNotStored:
    def test_a_sample_that_ends_too_late(self, rig, web, monkeypatch, caplog):
        query = rig.ask(url=web.url("/ok"), samples=1)
        measure = rig.probe._measure

        def slowly(spec):
            rig.clock.now = INTERVAL.end + rig.probe.delay(query)
            return measure(spec)

        monkeypatch.setattr(rig.probe, "_measure", slowly)
        with caplog.at_level(logging.WARNING, logger="oracles"):
            rig.clock.now = rig.probe.sample([query], rig.clock.now)
            rig.probe.sample([query], rig.clock.now)
        assert len(web.requests) == 1
        assert rig.store.get(query.key, 0, INTERVAL.end) == []
        assert logged(caplog) == ("sample_dropped", query.key)

    def test_a_sample_that_waited_too_long_for_a_worker(self, rig, web, caplog):
        query = rig.ask(url=web.url("/ok"), samples=1)
        due = rig.probe.sample([query], rig.clock.now)
        rig.clock.now = due + LATENESS + 1
        with caplog.at_level(logging.WARNING, logger="oracles"):
            rig.probe._take(query, int(due))
        assert web.requests == []
        assert rig.store.get(query.key, 0, INTERVAL.end) == []
        assert logged(caplog) == ("sample_skipped", query.key)

    def test_a_sample_that_the_store_refuses_and_its_message_neither(self, rig, web, caplog):
        class Broken(MemorySampleStore):
            def put(self, key, at, sample):
                raise OSError("s3cr3t")

        rig.probe._samples = Broken()
        query = rig.ask(url=web.url("/ok"), samples=1)
        with caplog.at_level(logging.ERROR, logger="oracles"):
            rig.run(query)
        assert "sample lost: OSError" in caplog.text
        assert "s3cr3t" not in caplog.text
        assert logged(caplog) == ("sample_lost", query.key)


def planned_times(query, intervals):
    """The seconds of all samples planned for the first intervals."""
    end = FIRST + intervals * query.length
    return sorted({at for now in range(FIRST, end) if (at := shared._slot(query, now)[0]) >= FIRST})


def logged(caplog):
    """The action word and the query's key of the one line in the log."""
    [record] = caplog.records
    assert record.source == "http_probe"
    assert INTERVAL.start <= record.at < INTERVAL.end
    return record.action, record.key


def test_a_hanging_service_delays_no_other(rig, monkeypatch):
    # the clock moves on before the worker has looked at it
    monkeypatch.setattr(shared, "LATENESS", LENGTH)
    stored = threading.Event()
    arrived = []
    put = rig.store.put

    def record(key, at, sample):
        put(key, at, sample)
        arrived.append(key)
        stored.set()

    rig.store.put = record
    with (
        serving() as web,
        HttpProbe({**HERE, "workers": 4}, store=rig.store, clock=rig.clock) as probe,
    ):
        slow = [rig.ask(url=web.url(f"/slow?{n}"), samples=1, timeout="20") for n in range(3)]
        fast = rig.ask(url=web.url("/ok"), samples=1)
        for query in (*slow, fast):
            rig.clock.now = FIRST - 1
            rig.clock.now = probe.sample([query], rig.clock.now)
            began = time.monotonic()
            probe.sample([query], rig.clock.now)
            assert time.monotonic() - began < 15, "sampling waited for the network"
        assert stored.wait(18)
        assert arrived[0] == fast.key
        web.stop.set()
    assert len(arrived) == 4


MAYBE_OURS = ["ENETUNREACH", "ENETDOWN", "EHOSTUNREACH", "EACCES", "EPERM", "EADDRNOTAVAIL"]
"""Failures that tell nothing about whose fault they are: routers and addresses bring them about."""


class TestOurOwnFaults:
    @pytest.mark.parametrize("dead", [[], ["127.0.0.1:{}"]])
    def test_a_failure_counts_when_a_control_answers(self, web, dead):
        dead = [place.format(closed_port()) for place in dead]
        rig = Rig(HttpProbe, {"control": [*dead, f"127.0.0.1:{web.port}"]})
        assert rig.outcome(url=f"http://127.0.0.1:{closed_port()}/") == ("down", "connection")

    def test_it_does_not_when_every_control_fails_too(self):
        rig = Rig(HttpProbe, {"control": [f"127.0.0.1:{closed_port()}", "[::1]:1"]})
        reading = rig.read(rig.ask(url=f"http://127.0.0.1:{closed_port()}/"))
        assert reading.answer is NO_DATA
        assert {sample["outcome"] for sample in samples(reading)} == {"void"}

    def test_controls_make_an_interval_wait_for_them(self):
        rig = Rig(HttpProbe, {"control": ["127.0.0.1:1", "127.0.0.1:2"]})
        assert rig.probe.delay(rig.ask(url="http://127.0.0.1/")) == LATENESS + 5 + 2 * 2

    @pytest.mark.parametrize(
        "control", ["example.com", "a b:1", "h:0", "h:65536", "::1:80", "1.2:3"]
    )
    def test_a_control_that_nobody_can_connect_to_is_refused(self, control):
        with pytest.raises(BadRequest, match=r"control\.0"):
            HttpProbe({"control": [control]}, store=MemorySampleStore())

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (socket.gaierror(socket.EAI_MEMORY, "no"), ("void", "own")),
            (OSError(errno.EMFILE, "no"), ("void", "own")),  # from Python for EAI_SYSTEM
            (OSError(errno.ECONNREFUSED, "no"), ("down", "connection")),
            (socket.gaierror(socket.EAI_AGAIN, "no"), ("down", "dns")),
            (socket.gaierror(socket.EAI_NONAME, "no"), ("down", "dns")),
            (socket.gaierror(socket.EAI_FAIL, "no"), ("down", "dns")),
        ],
    )
    @pytest.mark.parametrize("kind", [HttpProbe, IcmpProbe])
    def test_a_name_server_that_fails_is_not_certainly_ours(
        self, monkeypatch, error, expected, kind
    ):
        def resolve(*_, **__):
            raise error

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        spec = {"url": "http://service.test/"} if kind is HttpProbe else {"host": "service.test"}
        assert Rig(kind).outcome(**spec) == expected

    @pytest.mark.parametrize("name", MAYBE_OURS)
    def test_what_the_service_can_bring_about_counts_when_a_control_answers(
        self, web, monkeypatch, name
    ):
        fail_to_connect(monkeypatch, "192.0.2.1", getattr(errno, name))
        for options in ({}, {"control": [f"127.0.0.1:{web.port}"]}):
            rig = Rig(HttpProbe, options)
            assert rig.outcome(url="http://192.0.2.1/") == ("down", "connection")

    @pytest.mark.parametrize("name", MAYBE_OURS)
    def test_it_does_not_when_no_control_answers(self, monkeypatch, name):
        fail_to_connect(monkeypatch, "192.0.2.1", getattr(errno, name))
        rig = Rig(HttpProbe, {"control": [f"127.0.0.1:{closed_port()}"]})
        assert rig.outcome(url="http://192.0.2.1/") == ("void", "connection")

    def test_nor_does_a_name_server_that_fails(self, monkeypatch):
        look_up = socket.getaddrinfo

        def resolve(host, *more):
            if host == "service.test":
                raise socket.gaierror(socket.EAI_AGAIN, "no")
            return look_up(host, *more)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with serving() as web:
            rig = Rig(HttpProbe, {"control": [f"127.0.0.1:{web.port}"]})
            assert rig.outcome(url="http://service.test/") == ("down", "dns")
            rig = Rig(HttpProbe, {"control": [f"127.0.0.1:{closed_port()}"]})
            assert rig.outcome(url="http://service.test/") == ("void", "dns")

    @pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EAFNOSUPPORT"])
    def test_what_only_this_machine_can_lack_never_counts(self, web, monkeypatch, name):
        fail_to_connect(monkeypatch, "192.0.2.1", getattr(errno, name))
        for options in ({}, {"control": [f"127.0.0.1:{web.port}"]}):
            assert Rig(HttpProbe, options).outcome(url="http://192.0.2.1/") == ("void", "own")

    @pytest.mark.parametrize("ipv6_first", [True, False])
    def test_a_machine_without_ipv6_still_sees_that_ipv4_refuses(
        self, rig, monkeypatch, ipv6_first
    ):
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
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: found if ipv6_first else found[::-1]
        )
        assert rig.outcome(url=f"http://service.test:{port}/")[0] == "down"

    def test_a_name_is_looked_up_for_every_sample(self, rig, web, monkeypatch):
        asked = []
        look_up = socket.getaddrinfo

        def count(host, *arguments, **named):
            asked.append(host)
            return look_up("127.0.0.1", *arguments, **named)

        monkeypatch.setattr(socket, "getaddrinfo", count)
        rig.run(rig.ask(url=f"http://service.test:{web.port}/ok"))
        assert asked == ["service.test"] * 5


MORE = {"outcome": "up", "reason": "ok", "elapsed_us": 1000, "status": 200}


class TestEvidence:
    @pytest.fixture
    def spoil(self, rig):
        """Rereads evidence of two samples after `change` was made to what it says."""
        query = rig.ask(url="http://127.0.0.1/", samples=2)
        rig.keep(query, {"status": 200}, {"outcome": "down", "reason": "timeout"})
        evidence = rig.probe.read_one(query, INTERVAL).evidence

        def reread(change):
            said = json.loads(evidence)
            change(said["answer"])
            return HttpProbe.reread(query, INTERVAL, canonical(said)).answer.amount

        return reread

    def test_says_all_that_was_seen(self, rig):
        query = rig.ask(url="http://127.0.0.1/", samples=2)
        rig.keep(query, {"status": 200}, {"outcome": "down", "reason": "timeout"})
        reading = rig.probe.read_one(query, INTERVAL)
        assert json.loads(reading.evidence)["answer"] == {
            "needed": 1,
            "samples": [
                {"at": FIRST, "outcome": "up", "reason": "ok", "elapsed_us": 1000, "status": 200},
                {
                    "at": FIRST + 1,
                    "outcome": "down",
                    "reason": "timeout",
                    "elapsed_us": 1000,
                    "status": None,
                },
            ],
        }

    def test_may_have_samples_of_a_relayer_and_of_the_one_that_took_over(self, spoil):
        more = [dict(MORE, at=FIRST + second) for second in (2, 3)]
        assert spoil(lambda answer: answer["samples"].extend(more)) == Fraction(750_000)

    def test_has_no_more_than_twice_the_planned(self, spoil):
        more = [dict(MORE, at=FIRST + second) for second in (2, 3, 4)]
        with pytest.raises(GarbageAnswer, match="5 samples, where 2 are planned"):
            spoil(lambda answer: answer["samples"].extend(more))

    def test_makes_the_reading(self, spoil):
        assert spoil(lambda answer: None) == Fraction(500_000)
        assert spoil(lambda answer: answer["samples"].pop()) == Fraction(1_000_000)

    @pytest.mark.parametrize(
        "change",
        [
            lambda answer: answer["samples"].reverse(),
            lambda answer: answer["samples"].append(answer["samples"][-1]),
            lambda answer: answer["samples"][0].update(at=FIRST - 1),
            lambda answer: answer["samples"][1].update(at=INTERVAL.end),
            lambda answer: answer["samples"][0].update(at=True),
            lambda answer: answer["samples"][0].update(elapsed_us=-1),
            lambda answer: answer["samples"][0].update(elapsed_us="1000"),
            lambda answer: answer["samples"][0].update(elapsed_us=1000.5),
            lambda answer: answer["samples"][0].update(outcome="perhaps"),
            lambda answer: answer["samples"][0].update(reason="Connection refused by 10.0.0.1"),
            lambda answer: answer["samples"][0].update(note="more"),
            lambda answer: answer["samples"][0].pop("reason"),
            lambda answer: answer.update(needed=2),
            lambda answer: answer.update(more=1),
            lambda answer: answer.update(samples=None),
        ],
    )
    def test_that_no_probe_can_have_made_is_garbage(self, spoil, change):
        with pytest.raises(GarbageAnswer):
            spoil(change)

    @pytest.mark.parametrize("stored", [b"", b"null", b"[]", b"\xff", b'{"outcome":"up"}', b'"up"'])
    def test_of_a_store_that_holds_something_else_is_garbage(self, rig, stored):
        query = rig.ask(url="http://127.0.0.1/")
        rig.store.put(query.key, FIRST, stored)
        rig.clock.now = INTERVAL.end + 30
        [error] = rig.probe.read([query], INTERVAL)
        assert isinstance(error, GarbageAnswer)
        assert "the store holds something else" in str(error)


def test_a_probe_needs_a_store():
    with pytest.raises(BadRequest, match="needs a store"):
        HttpProbe()


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"samples": 0}, "samples"),
        ({"min_samples": 6}, "min_samples 6 is more"),
        ({"timeout": "nan"}, "timeout"),
        ({"timeout": 21}, "timeout"),
        ({"timeout": 13}, "do not fit into 60 s"),
        ({"samples": 61, "timeout": "0.1"}, "one a second"),
    ],
)
def test_what_cannot_be_planned_is_refused(rig, spec, complaint):
    with pytest.raises(BadRequest, match=complaint):
        rig.ask(url="http://a.test/", **spec)
