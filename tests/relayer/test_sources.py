"""When a reading that failed is tried again: a service may ask for a pause, and not decide on the reading's fate."""

from types import SimpleNamespace

import pytest

from oracles import AccessRefused, Throttled, Unavailable
from relayer.operations.alerts import Alerts
from relayer.scaleout.reader import Reader
from relayer.sources import LONGEST_ASKED_PAUSE, LONGEST_RETRY, Source, _Open, pause_after

NOW = 1_767_225_600.0
FEED = b"\1" * 32


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        (7, 7),
        (LONGEST_ASKED_PAUSE, LONGEST_ASKED_PAUSE),
        (86_400, LONGEST_ASKED_PAUSE),
        (1e300, LONGEST_ASKED_PAUSE),
        (0.001, 1),
        # What means nothing: as if nothing had been asked for.
        (None, 8),
        (0, 8),
        (-5, 8),
        (float("nan"), 8),
        (float("inf"), 8),
        (float("-inf"), 8),
    ],
)
def test_a_service_may_ask_for_five_minutes_at_most(asked, pause):
    assert pause_after(Throttled("slow down", retry_after=asked), 3) == pause


def test_without_a_wish_pauses_double_up_to_a_minute():
    pauses = [pause_after(Unavailable("away"), failures) for failures in (0, 1, 5, 6, 10_000)]
    assert pauses == [1, 2, 32, LONGEST_RETRY, LONGEST_RETRY]


def test_what_an_operator_must_mend_is_looked_at_every_minute():
    assert pause_after(AccessRefused("403", retry_after=5), 0) == LONGEST_RETRY


def by_the_daemon(error):
    source = Source(SimpleNamespace(name="test"), None, alerts=Alerts(), clock=lambda: NOW)
    reporter = SimpleNamespace(id=FEED, name="feed")
    return source._failure(_Open(SimpleNamespace(reporter=reporter), 5), error)


def by_a_worker(error):
    reader = Reader(None, None, {}, clock=lambda: NOW)
    one = SimpleNamespace(wanted=SimpleNamespace(feed=FEED, interval=5), failures=0)
    return reader._failure(one, SimpleNamespace(name="feed"), error)


@pytest.mark.parametrize("failed", [by_the_daemon, by_a_worker])
@pytest.mark.parametrize(
    ("asked", "pause"), [(7, 7), (86_400, LONGEST_ASKED_PAUSE), (float("inf"), 1), (-60, 1)]
)
def test_whoever_reads_keeps_to_that(failed, asked, pause):
    assert failed(Throttled("slow down", retry_after=asked)).retry_at == NOW + pause
