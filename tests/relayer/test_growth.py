"""What grows with the number of feeds and agreements, and what must not: counted, not timed."""

from collections import Counter
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from relayer import seat
from relayer.encoded import Function
from relayer.rpc_endpoint import Endpoint
from tests.bench import fleet as bench
from tests.bench.fleet import LEVELS, fleet
from tests.relayer.world import PromptChain

FEW, MANY = LEVELS, 12 * LEVELS
CADENCE = 300


class Counted:
    """Requests to the node and statements to the database, while it is entered."""

    def __init__(self, made, monkeypatch) -> None:
        self._made = made
        self._monkeypatch = monkeypatch
        self.requests = Counter()
        self.statements = Counter()

    def minute(self):
        self.requests.clear()
        self.statements.clear()
        engine, really = self._made.store.engine, Endpoint.make_request

        def make_request(endpoint, method, params, **options):
            self.requests[method] += 1
            return really(endpoint, method, params, **options)

        def executed(_connection, _cursor, statement, *_):
            self.statements[statement.split(maxsplit=1)[0]] += 1

        event.listen(engine, "before_cursor_execute", executed)
        self._monkeypatch.setattr(Endpoint, "make_request", make_request)
        self._made.advance(60)
        self._monkeypatch.setattr(Endpoint, "make_request", really)
        event.remove(engine, "before_cursor_execute", executed)
        return dict(self.requests), dict(self.statements)


@contextmanager
def quick(patch, count):
    """A fleet that asks as often as on the fastest machine: no block is waited for, and nothing takes longer than a poll."""
    patch.setattr(bench, "Chain", PromptChain)
    with fleet(count, cadence=CADENCE) as made:
        made.daemon._poll_seconds = float("inf")
        yield made


@pytest.fixture(scope="module")
def minutes():
    """For few feeds and for many: requests and statements of a quiet minute, and of one in which all are reported."""
    found = {}
    for count in (FEW, MANY):
        with pytest.MonkeyPatch.context() as patch, quick(patch, count) as made:
            counted = Counted(made, patch)
            made.advance(60)
            quiet = counted.minute()
            made.advance(CADENCE - 180)
            reporting = counted.minute()
            assert all(made.oracle.next_interval(f.id) == CADENCE // 60 for f in made.feeds)
            found[count] = {"quiet": quiet, "reporting": reporting}
    return found


def test_a_quiet_minute_asks_the_node_as_often_for_many_feeds_as_for_few(minutes):
    requests, _ = minutes[FEW]["quiet"]
    assert minutes[MANY]["quiet"][0] == requests
    assert requests["eth_call"] > 0


@pytest.mark.parametrize("kind", ["quiet", "reporting"])
def test_the_database_is_asked_as_often_for_many_feeds_as_for_few(minutes, kind):
    _, statements = minutes[FEW][kind]
    assert minutes[MANY][kind][1] == statements
    assert statements["INSERT"] > 0


def test_after_a_report_one_question_is_asked_about_each_agreement(minutes):
    requests, more = minutes[FEW]["reporting"][0], minutes[MANY]["reporting"][0]
    agreements = (MANY - FEW) // LEVELS
    assert more["eth_call"] - requests["eth_call"] == agreements
    del requests["eth_call"], more["eth_call"]
    assert more == requests


def test_reports_that_are_due_together_are_planned_once_and_encoded_when_they_are_sent(monkeypatch):
    counted = Counter()
    data, reports = Function.data, seat.Seat.reports

    def counted_data(self, *arguments):
        counted[self._name] += 1
        return data(self, *arguments)

    def counted_reports(self, now):
        found = reports(self, now)
        counted["plans"] += bool(found)
        return found

    monkeypatch.setattr(Function, "data", counted_data)
    monkeypatch.setattr(seat.Seat, "reports", counted_reports)
    monkeypatch.setattr(seat, "MAX_FEEDS", LEVELS)  # many small reports
    with quick(monkeypatch, 3 * LEVELS) as made:
        made.advance(CADENCE)
        assert all(made.oracle.next_interval(f.id) == CADENCE // 60 for f in made.feeds)
        sent = [t for t in made.store.transactions.recent(100) if "report" in t.purposes]
    assert len(sent) == 3
    assert counted["plans"] == 1
    assert counted["reportMany"] == 3
