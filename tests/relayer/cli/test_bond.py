"""`makegood sla bond`, on a real chain."""

import pytest

from relayer import keys
from relayer.bindings import Escrow
from relayer.document import load_document
from tests.relayer.cli.life import (
    CONSUMER,
    PROVIDER,
    STRANGER,
    WINDOW,
    ask_first,
    dollars,
    done,
    edit,
    edit_level,
    fund,
    idle,
    narrow,
    open_agreement,
    refused,
    rehearsed,
)
from tests.samples import wallet


@pytest.fixture
def bonded(place):
    """An agreement whose provider has the money for its bond of 50, and has not posted it."""
    edit(place.path, money={"bond": "50.00"}, term={"prepaidWindows": 0}, credits={"cap": "200%"})
    edit_level(place.path, tiers=[{"badIntervals": 3, "credit": "200%"}])
    place.mint(PROVIDER, 1_000)
    return place


def held(place):
    return place.escrow.bond(load_document(place.path).agreement_id)


def test_the_bond_is_posted_and_what_is_there_already_is_not_asked_for_again(bonded, monkeypatch):
    refused(bonded, "bond", bonded.path, key=PROVIDER, code=3, says="is not open")
    open_agreement(bonded)
    ran = bonded.run("sla", "fund", bonded.path, "--windows", "0", key=CONSUMER)
    assert (ran.code, "the bond is not there in full" in ran.err) == (6, True)
    assert "hint: makegood sla bond" in ran.err
    assert bonded.token.allowance(CONSUMER.address, bonded.escrow.address) == 0
    ran = rehearsed(bonded, "bond", bonded.path)
    assert "50.00 tUSD are taken" in ran.err
    refused(
        bonded,
        "bond",
        bonded.path,
        key=STRANGER,
        code=1,
        says="has 0.00 tUSD, but 50.00 are needed",
    )
    ask_first(bonded, monkeypatch, "bond", bonded.path, key=PROVIDER)

    ran = done(bonded, "bond", bonded.path, "--amount", "20.00", key=PROVIDER)
    assert (ran.json["amount"], ran.json["bond"]) == ("20.00", "20.00")
    status = bonded.run("sla", "status", bonded.path)
    assert "bond\t20.00 tUSD of 50.00 tUSD" in status.out
    assert "missing\t30.00 tUSD" in status.out
    narrow(bonded)

    ran = done(bonded, "bond", bonded.path, key=PROVIDER)
    assert list(ran.json["transactions"]) == ["approve for postBond", "postBond"]
    assert ran.json["amount"] == "30.00"
    assert held(bonded).amount == 50_000_000
    assert dollars(bonded, PROVIDER) == 950
    assert bonded.token.allowance(PROVIDER.address, bonded.escrow.address) == 0
    idle(bonded, "bond", bonded.path, key=PROVIDER, says="50.00 tUSD of the bond are there")
    fund(bonded, "0")


def test_what_the_bond_still_owes_goes_to_the_consumer(bonded):
    open_agreement(bonded)
    done(bonded, "bond", bonded.path, key=PROVIDER)
    fund(bonded, "0")
    bonded.warp(WINDOW + 60)
    bonded.report([0] * 10)
    terms = load_document(bonded.path).terms
    bonded.chain.send(bonded.escrow.close(terms, 0), wallet(9))
    # The credit is 200, the fee 100, the bond 50.
    assert dollars(bonded, CONSUMER) == 1_050
    status = bonded.run("sla", "status", bonded.path, "--json").json["bond"]
    assert status == {"agreed": "50.00", "held": "0.00", "owed": "50.00", "openWindows": 0}

    ran = done(bonded, "bond", bonded.path, key=PROVIDER)
    assert ran.json["amount"] == "100.00"
    assert "50.00 tUSD of them go to the consumer" in ran.err
    assert (dollars(bonded, CONSUMER), dollars(bonded, PROVIDER)) == (1_100, 850)
    assert tuple(held(bonded)) == (50_000_000, 0, 0)


def test_the_bond_returns_when_it_has_served_and_not_before(bonded):
    open_agreement(bonded)
    idle(bonded, "bond", bonded.path, "--release", key=STRANGER, says="nothing of the bond")
    done(bonded, "bond", bonded.path, key=PROVIDER)
    fund(bonded, "3")
    release = ("bond", bonded.path, "--release")
    refused(bonded, *release, key=PROVIDER, code=3, says="stands for 1 paid windows")
    bonded.warp(4 * WINDOW + 60)
    refused(bonded, *release, key=PROVIDER, code=3, says="stands for 1 paid windows")
    bonded.report([1_000_000] * 40)
    bonded.chain.send(bonded.escrow.close(load_document(bonded.path).terms, 3), wallet(9))
    before = dollars(bonded, PROVIDER)
    ran = done(bonded, *release, key=STRANGER)
    assert ran.json["amount"] == "50.00"
    assert dollars(bonded, PROVIDER) - before == 50
    idle(bonded, *release, key=STRANGER, says="nothing of the bond")
    idle(bonded, "bond", bonded.path, key=PROVIDER, says="0.00 tUSD of the bond are there, and no")


def test_the_bond_stands_while_windows_could_still_be_paid_for(bonded):
    open_agreement(bonded)
    done(bonded, "bond", bonded.path, key=PROVIDER)
    bonded.warp(3 * WINDOW - 60)
    release = ("bond", bonded.path, "--release")
    refused(bonded, *release, key=PROVIDER, code=3, says="stands until the last window begins")
    bonded.warp(3 * WINDOW)
    done(bonded, *release, key=PROVIDER)


def test_nothing_is_approved_for_a_call_that_the_escrow_would_refuse(bonded, monkeypatch):
    open_agreement(bonded)
    monkeypatch.setattr(Escrow, "post_bond", lambda self, terms, _: self.end_by_notice(terms))
    words = ("bond", bonded.path)
    refused(bonded, *words, key=PROVIDER, code=6, says="the terms know no ending by notice")
    assert bonded.token.allowance(PROVIDER.address, bonded.escrow.address) == 0


def test_an_allowance_that_suffices_is_left_alone(bonded):
    open_agreement(bonded)
    bonded.chain.send(bonded.token.approve(bonded.escrow.address, 70_000_000), PROVIDER)
    ran = done(bonded, "bond", bonded.path, key=PROVIDER)
    assert list(ran.json["transactions"]) == ["postBond"]
    assert bonded.token.allowance(PROVIDER.address, bonded.escrow.address) == 20_000_000


def test_a_key_that_everybody_knows_moves_nothing_elsewhere(bonded, monkeypatch):
    open_agreement(bonded)
    monkeypatch.setattr(keys, "LOCAL_CHAINS", frozenset())
    for words in (("bond", bonded.path), ("bond", bonded.path, "--yes")):
        refused(bonded, *words, key=PROVIDER, code=4, says="everybody knows")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--amount", "5"], 3, "asks for no bond"),
        (["--amount", "5", "--release"], 2, "leave --amount out"),
    ],
)
def test_what_makes_no_sense(place, words, code, says):
    open_agreement(place)
    refused(place, "bond", place.path, *words, key=PROVIDER, code=code, says=says)


@pytest.mark.parametrize("amount", ["0", "-1", "0.0000001", "many"])
def test_an_amount_that_is_none(bonded, amount):
    open_agreement(bonded)
    words = ("bond", bonded.path, f"--amount={amount}")
    refused(bonded, *words, key=PROVIDER, code=2, says="--amount")
