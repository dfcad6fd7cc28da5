"""`makegood sla dispute`, `rule` and `lapse`, on a real chain."""

import pytest

from relayer.document import load_document
from tests.relayer.cli import life
from tests.relayer.cli.life import (
    ARBITER,
    CONSUMER,
    DAY,
    MINUTE,
    NO_DATA,
    PROVIDER,
    STRANGER,
    WINDOW,
    ask_first,
    dollars,
    done,
    edit,
    idle,
    narrow,
    open_agreement,
    refused,
    rehearsed,
    settle,
)
from tests.samples import wallet


@pytest.fixture
def judged(place):
    """Three unknown intervals count as bad: 40 of 100 wait for the consumer, and the arbiter may be asked for a day."""
    edit(
        place.path,
        dispute={"arbiter": ARBITER.address, "challengePeriod": "1d", "deposit": "10.00"},
        unknown={"countAs": "bad"},
    )
    open_agreement(place)
    for party in (PROVIDER, CONSUMER):
        place.mint(party, 50)
    place.warp(5 * MINUTE)
    place.report([1_000_000, NO_DATA, NO_DATA, NO_DATA])
    return place


def words(place, command, *more, window=0, side="consumer"):
    return (command, place.path, "--window", window, "--side", side, *more)


def payments(place):
    return place.run("sla", "status", place.path, "--json").json["payments"]


def test_a_dispute_is_raised_once_by_the_other_party_and_ruled_by_the_arbiter(judged, monkeypatch):
    dispute = words(judged, "dispute")
    refused(judged, *dispute, key=PROVIDER, code=3, says="window 0 waits: none has been made")
    settle(judged, 0)
    refused(judged, *dispute, key=CONSUMER, code=4, says="only the provider may")
    ask_first(judged, monkeypatch, *dispute, key=PROVIDER)
    assert rehearsed(judged, *dispute).json["disputed"] == "40.00"
    rule = words(judged, "rule", "--award", "25.00")
    refused(judged, *rule, key=ARBITER, code=3, says="is not disputed")

    ran = done(judged, *dispute, key=PROVIDER)
    assert list(ran.json["transactions"]) == ["approve for dispute", "dispute"]
    assert (ran.json["disputed"], ran.json["deposit"]) == ("40.00", "10.00")
    assert "40.00 tUSD of the consumer's payment for window 0 are frozen" in ran.err
    assert dollars(judged, PROVIDER) == 40
    idle(judged, *dispute, key=PROVIDER, says="it is disputed; the arbiter may rule until")
    (shown,) = payments(judged)
    assert (shown["side"], shown["dispute"], shown["disputed"]) == ("consumer", "open", "40.00")
    narrow(judged)
    assert "disputed\t40.00 tUSD, open" in judged.run("sla", "status", judged.path).out

    refused(judged, *rule, key=PROVIDER, code=4, says="only the arbiter may")
    much = words(judged, "rule", "--award", "40.01")
    refused(judged, *much, key=ARBITER, code=3, says="40.00 tUSD are disputed")
    lapse = words(judged, "lapse")
    refused(judged, *lapse, key=STRANGER, code=3, says="the arbiter may rule until")
    consumer = dollars(judged, CONSUMER)
    ran = done(judged, *rule, key=ARBITER)
    assert (ran.json["awarded"], ran.json["upheld"]) == ("25.00", "15.00")
    assert dollars(judged, PROVIDER) == 40 + 10 + 25
    assert dollars(judged, CONSUMER) - consumer == 15
    refused(judged, *rule, key=ARBITER, code=3, says="was ruled on already; a ruling is final")
    refused(judged, *lapse, key=STRANGER, code=3, says="was ruled on already")
    refused(judged, *dispute, key=PROVIDER, code=3, says="was disputed before")


def test_who_is_awarded_nothing_forfeits_the_deposit(judged):
    settle(judged, 0)
    done(judged, *words(judged, "dispute"), key=PROVIDER)
    consumer = dollars(judged, CONSUMER)
    ran = done(judged, *words(judged, "rule", "--award", "0"), key=ARBITER)
    assert "the deposit of 10.00 tUSD goes to the consumer" in ran.err
    assert (dollars(judged, PROVIDER), dollars(judged, CONSUMER) - consumer) == (40, 50)


def test_the_consumer_disputes_what_the_provider_is_paid(judged):
    edit(judged.path, unknown={"countAs": "good"}, salt="0x" + "5c" * 32)
    (judged.folder / "agreement.signatures.json").unlink()
    # The window has begun: this one starts later.
    life.edit(judged.path, term={"start": life.later(judged, 2 * WINDOW)})
    open_agreement(judged)
    judged.warp(3 * WINDOW + 2 * MINUTE)
    judged.report([1_000_000] * 7 + [NO_DATA] * 3)
    judged.chain.send(judged.escrow.close(load_document(judged.path).terms, 0), wallet(9))
    dispute = words(judged, "dispute", side="provider")
    refused(judged, *dispute, key=PROVIDER, code=4, says="only the consumer may")
    consumer, provider = dollars(judged, CONSUMER), dollars(judged, PROVIDER)
    ran = done(judged, *dispute, key=CONSUMER)
    assert ran.json["disputed"] == "40.00"
    done(judged, *words(judged, "rule", "--award", "40.00", side="provider"), key=ARBITER)
    assert dollars(judged, CONSUMER) - consumer == 40
    assert dollars(judged, PROVIDER) == provider


def test_a_silent_arbiter_leaves_the_payment_as_it_is(judged):
    settle(judged, 0)
    lapse = words(judged, "lapse")
    refused(judged, *lapse, key=STRANGER, code=3, says="is not disputed")
    done(judged, *words(judged, "dispute"), key=PROVIDER)
    judged.warp(31 * DAY)
    late = words(judged, "rule", "--award", "1.00")
    refused(judged, *late, key=ARBITER, code=3, says="the arbiter could rule until")
    consumer = dollars(judged, CONSUMER)
    done(judged, *lapse, key=STRANGER)
    assert (dollars(judged, CONSUMER) - consumer, dollars(judged, PROVIDER)) == (40, 50)
    idle(judged, *lapse, key=STRANGER, says="the dispute is over")


def test_what_has_waited_long_enough_is_final(judged):
    settle(judged, 0)
    judged.warp(2 * DAY)
    dispute = words(judged, "dispute")
    refused(judged, *dispute, key=PROVIDER, code=3, says="its challenge period is over")
    (shown,) = payments(judged)
    assert (shown["matured"], shown["waiting"]) == ("40.00", "0.00")


def test_what_does_not_depend_on_unknown_intervals_cannot_be_disputed(place):
    edit(place.path, dispute={"arbiter": ARBITER.address, "challengePeriod": "1d"})
    open_agreement(place)
    place.warp(5 * MINUTE)
    place.report([0, 0, 0])
    settle(place, 0)
    dispute = words(place, "dispute")
    refused(place, *dispute, key=PROVIDER, code=3, says="depends on an unknown interval")


def test_without_a_deposit_nothing_is_approved(place):
    edit(
        place.path,
        dispute={"arbiter": ARBITER.address, "challengePeriod": "1d"},
        unknown={"countAs": "bad"},
    )
    open_agreement(place)
    place.warp(5 * MINUTE)
    place.report([NO_DATA] * 3)
    settle(place, 0)
    ran = done(place, *words(place, "dispute"), key=PROVIDER)
    assert list(ran.json["transactions"]) == ["dispute"]


def test_who_cannot_pay_the_deposit_approves_nothing(judged):
    settle(judged, 0)
    judged.chain.send(
        judged.token.contract.functions.transfer(STRANGER.address, 50_000_000), PROVIDER
    )
    dispute = words(judged, "dispute")
    refused(judged, *dispute, key=PROVIDER, code=1, says="has 0.00 tUSD, but 10.00 are needed")


@pytest.mark.parametrize("command", ["dispute", "rule", "lapse"])
def test_without_an_arbiter_payments_are_final(place, command):
    more = ("--award", "1") if command == "rule" else ()
    refused(place, *words(place, command, *more), key=ARBITER, code=3, says="is not open")
    open_agreement(place)
    refused(place, *words(place, command, *more), key=ARBITER, code=3, says="names no arbiter")


def test_no_such_window_or_amount(judged):
    dispute = words(judged, "dispute", window=4)
    refused(judged, *dispute, key=PROVIDER, code=2, says="windows 0 to 3")
    rule = words(judged, "rule", "--award", "much")
    refused(judged, *rule, key=ARBITER, code=2, says="write an amount")
