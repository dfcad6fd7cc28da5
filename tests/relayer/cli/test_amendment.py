"""`makegood sla amend`, on a real chain."""

import json
from dataclasses import replace

import pytest

from relayer.document import load_document
from tests.relayer.cli.life import (
    CONSUMER,
    MINUTE,
    PROVIDER,
    STRANGER,
    WINDOW,
    ask_first,
    blocks,
    dollars,
    done,
    edit,
    edit_level,
    fund,
    idle,
    later,
    narrow,
    open_agreement,
    refused,
    rehearsed,
)
from tests.samples import wallet


@pytest.fixture
def running(place):
    """Four windows, of which 0, 2 and 3 are paid for."""
    open_agreement(place)
    fund(place, "2..3")
    return place


def amended(place, *, start=2 * WINDOW, name="new.yaml", **parts):
    """A new document that amends the running one from a time on, as a place of its own."""
    path = place.folder / name
    path.write_text(place.path.read_text())
    previous = f"0x{load_document(place.path).agreement_id.hex()}"
    term = {"start": later(place, start), "windows": 3, "prepaidWindows": 0}
    edit(path, **{"amends": previous, "term": term, "salt": "0x" + "5d" * 32} | parts)
    return replace(place, path=path)


def amend(new, old):
    return ("amend", new.path, "--from", old.path)


def test_new_terms_take_over_with_the_money_of_the_windows_that_are_left(running, monkeypatch):
    new = amended(running)
    edit_level(new.path, tiers=[{"badIntervals": 1, "credit": "50%"}])
    words = amend(new, running)
    refused(new, *words, key=STRANGER, code=3, says="the provider has not signed")
    new.signed()
    ask_first(new, monkeypatch, *words, key=STRANGER)
    ran = rehearsed(new, *words)
    assert f"takes over at {later(running, 2 * WINDOW)}, where window 2 of" in ran.err
    assert "200.00 tUSD paid for windows 2..3 move along: windows 0..1 of the new terms" in ran.err
    before = dollars(new, CONSUMER)
    ran = done(new, *words, key=STRANGER)
    assert (ran.json["moved"], ran.json["fromWindow"]) == ([2, 3], 2)
    idle(new, *words, key=STRANGER, says=f"{new.path} has taken over already")
    assert dollars(new, CONSUMER) == before

    old = new.run("sla", "status", running.path, "--json", "--windows", "0..3").json
    states = ["funded", "unfunded", "moved", "moved"]
    assert [window["status"] for window in old["windows"]] == states
    assert (old["status"], old["amendment"]["amendedFromWindow"]) == ("ended", 2)
    ran = new.run("sla", "status", running.path)
    assert "amended\tother terms hold from window 2 on" in ran.out
    status = new.run("sla", "status", new.path, "--json", "--windows", "0..2").json
    assert [window["status"] for window in status["windows"]] == ["funded", "funded", "unfunded"]
    assert status["amendment"]["amends"] == old["agreementId"]

    # One bad interval costs 50 under the new terms.
    new.warp(2 * WINDOW + 5 * MINUTE)
    new.report([0])
    new.chain.send(new.escrow.settle(load_document(new.path).terms, 0), wallet(9))
    assert dollars(new, CONSUMER) - before == 50


def test_renewal_begins_where_the_old_terms_end(running):
    new = amended(running, start=4 * WINDOW, money={"feePerWindow": "120.00"}).signed()
    ran = rehearsed(new, *amend(new, running))
    assert f"renews {running.path} where it ends" in ran.err
    ran = done(new, *amend(new, running), key=STRANGER)
    assert ran.json["moved"] == []
    states = new.run("sla", "status", running.path, "--json", "--windows", "2..3").json["windows"]
    assert [window["status"] for window in states] == ["funded", "funded"]


def test_a_chain_of_amendments_keeps_one_bond(place):
    edit(place.path, money={"bond": "50.00"}, term={"prepaidWindows": 0})
    open_agreement(place)
    place.mint(PROVIDER, 100)
    done(place, "bond", place.path, key=PROVIDER)
    second = amended(place, money={"bond": "60.00"}).signed()
    ran = done(second, *amend(second, place), key=STRANGER)
    assert "10.00 tUSD of bond are missing" in ran.err
    third = amended(second, start=3 * WINDOW, name="newer.yaml").signed()
    done(third, *amend(third, second), key=STRANGER)
    shown = third.run("sla", "status", third.path, "--json").json
    assert shown["bond"]["held"] == "50.00"
    first = f"0x{load_document(place.path).agreement_id.hex()}"
    assert (shown["amendment"]["first"], shown["amendment"]["amends"] == first) == (first, False)
    assert done(third, "bond", third.path, key=PROVIDER).json["amount"] == "10.00"
    narrow(third)
    narrow(place)
    release = ("bond", place.path, "--release")
    place.warp(2 * WINDOW)
    refused(place, *release, key=PROVIDER, code=6, says="the bond belongs to the newest ones")


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"parties": {"consumer": wallet(6).address}}, "has another parties"),
        ({"money": {"feePerWindow": "90.00"}}, "does not have it at the same fee"),
        ({"term": {"windows": 1}}, "does not have it at the same fee"),
        ({"money": {"bond": "5.00"}}, "a bond can neither come nor go"),
        ({"start": 2 * WINDOW + MINUTE}, "where no window of"),
        ({"start": 5 * WINDOW}, "where no window of"),
        ({"amends": "0x" + "11" * 32}, "amends 0x1111"),
    ],
)
def test_what_cannot_be_amended(running, parts, says):
    new = amended(running, **{key: value for key, value in parts.items() if key != "term"})
    if "term" in parts:
        edit(new.path, term=parts["term"])
    refused(new, *amend(new, running), key=STRANGER, code=3, says=says)


def test_a_document_that_amends_nothing(running):
    copy = replace(running, path=running.folder / "copy.yaml")
    copy.path.write_text(running.path.read_text())
    refused(copy, *amend(copy, running), key=STRANGER, code=3, says="amends nothing")
    refused(copy, "amend", copy.path, key=STRANGER, code=2, says="--from")


def test_too_late(running):
    new = amended(running).signed()
    edit(new.path, term={"openBy": later(running, WINDOW)})
    running.warp(WINDOW + 1)
    refused(new, *amend(new, running), key=STRANGER, code=3, says="had to take over by")
    edit(new.path, term={"openBy": later(running, 2 * WINDOW)})
    running.warp(2 * WINDOW)
    refused(new, *amend(new, running), key=STRANGER, code=3, says="before it starts")


def test_terms_that_never_ran_or_have_ended_cannot_be_amended(place):
    new = amended(place).signed()
    refused(new, *amend(new, place), key=STRANGER, code=3, says="is not open")
    open_agreement(place)
    other = amended(place, name="other.yaml", salt="0x" + "5e" * 32).signed()
    done(new, *amend(new, place), key=STRANGER)
    refused(other, *amend(other, place), key=STRANGER, code=3, says="has ended before window 2")


def test_signatures_that_were_swapped_or_withdrawn(running):
    new = amended(running).signed()
    file = new.folder / "new.signatures.json"
    good = file.read_text()
    content = json.loads(good)
    given = content["signatures"]
    content["signatures"] = {"provider": given["consumer"], "consumer": given["provider"]}
    file.write_text(json.dumps(content))
    words = amend(new, running)
    refused(new, *words, key=STRANGER, code=3, says="the provider's signature is of")
    file.write_text(good)
    ran = new.run("sla", "revoke", new.path, key=CONSUMER)
    assert ran.code == 0, ran.err
    before = blocks(new)
    refused(new, *words, key=STRANGER, code=3, says="the consumer withdrew the signature")
    assert blocks(new) == before


def test_windows_that_nobody_paid_for_do_not_move(place):
    open_agreement(place)
    new = amended(place).signed()
    ran = done(new, *amend(new, place), key=STRANGER)
    assert (ran.json["moved"], "nothing moves" in ran.err) == ([], True)
