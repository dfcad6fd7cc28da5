"""A probe driven by hand: every sample is taken at once, so that tests may move the clock freely."""

from __future__ import annotations

import json
import os
import socket
from concurrent.futures import Future

from oracles import Interval, Value
from oracles.testing import MemorySampleStore
from tests.oracles.contract import Bench, Clock
from tests.oracles.sockets import HERE

FIRST = 1_760_000_000
LENGTH = 60
INTERVAL = Interval(FIRST, FIRST + LENGTH)


class Inline:
    """In the place of a probe's threads."""

    def submit(self, function, *arguments):
        function(*arguments)
        return Future()

    def shutdown(self, **_):
        pass


def inline(probe):
    probe.close()
    probe._workers = Inline()
    return probe


class Rig:
    """A probe with its clock and its store; `kind` is its class."""

    def __init__(self, kind, options=None, *, first=FIRST):
        self.kind, self.options = kind, {**HERE, **(options or {})}
        self.interval = Interval(first, first + LENGTH)
        self.clock = Clock(first - 1)  # the first sample may be due at `first`
        self.store = MemorySampleStore()
        self.probe = inline(self.make())

    def make(self):
        return self.kind(self.options, store=self.store, clock=self.clock)

    def ask(self, metric="availability", *, length=LENGTH, **spec):
        return self.kind.query(spec, metric, first=self.interval.start, length=length)

    def run(self, *queries, until=None):
        """Take every sample, as a relayer does, until the end of the interval, and let it settle."""
        until = until or self.interval.end
        while (due := self.probe.sample(queries, self.clock.now)) < until:
            self.clock.now = due
        self.clock.now = until + self.probe.SETTLE_DELAY

    def read(self, query):
        """Its reading or its error, of samples that it takes now."""
        self.clock.now = self.interval.start - 1
        self.run(query)
        [answer] = self.probe.read([query], self.interval)
        return answer

    def sample(self, **spec):
        """What stands in evidence of a single sample."""
        [sample] = samples(self.read(self.ask(**{"samples": 1, **spec})))
        return sample

    def outcome(self, **spec):
        sample = self.sample(**spec)
        return sample["outcome"], sample["reason"]

    def keep(self, query, *stored):
        """Store samples in the first seconds of the interval instead of taking them."""
        for second, sample in enumerate(stored):
            line = {"outcome": "up", "reason": "ok", "elapsed_us": 1000, **sample}
            self.store.put(query.key, self.interval.start + second, json.dumps(line).encode())
        self.clock.now = self.interval.end + self.probe.SETTLE_DELAY

    def bench(self, up, down, **more):
        """For the contract's tests; `up` and `down` are specifications of services that are so."""
        value, other = self.ask(**up), self.ask(**down)
        self.run(value, other)
        empty, garbage, border = (self.ask(**up, min_samples=n) for n in (1, 2, 4))
        # a probe is its own monitoring service: it fails when its store does
        self.store.put(garbage.key, self.interval.start + 7, b'{"outcome":"up","elapsed_us":NaN}')
        for second in range(4):
            line = {"outcome": "up", "reason": "ok", "elapsed_us": 1000}
            self.store.put(border.key, self.interval.end + second, json.dumps(line).encode())
        return Bench(
            make=self.make,
            clock=self.clock,
            interval=self.interval,
            value=value,
            value_amount=1_000_000,
            other=other,
            other_amount=0,
            empty=empty,
            garbage=garbage,
            failing=garbage,
            border=border,
            spec=up,
            **more,
        )


def fail_to_connect(monkeypatch, host, number):
    """Have connections to this host, and to it alone, fail as errno `number` says."""
    connect = socket.socket.connect

    def refuse(self, address):
        if address[0] == host:
            raise OSError(number, os.strerror(number))
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


def samples(reading):
    return json.loads(reading.evidence)["answer"]["samples"]


def amount(reading):
    """The number of a reading that has one."""
    assert isinstance(reading.answer, Value), reading
    return reading.answer.amount
