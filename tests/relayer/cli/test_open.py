"""`makegood sla open`, on a real chain."""

import json
from dataclasses import replace

import pytest
from eth_account import Account

from relayer import keys
from relayer.cli import sending
from relayer.cli.agreement import OnChain
from relayer.cli.output import Output
from relayer.document import load_document, signatures
from relayer.document.quantities import show_time
from tests import samples
from tests.samples import wallet


def test_an_allowance_that_suffices_is_left_alone_and_the_call_simulated(place):
    place.signed().mint(wallet(2), 1_000)
    place.chain.send(place.token.approve(place.escrow.address, 700 * samples.DOLLAR), wallet(2))
    ran = place.run("sla", "open", place.path, "--json", key=wallet(2))
    assert (ran.code, list(ran.json["transactions"])) == (0, ["open"])
    left = place.token.allowance(wallet(2).address, place.escrow.address)
    assert left == 600 * samples.DOLLAR


@pytest.mark.parametrize("allowed", [True, False])
def test_what_the_contract_refuses_exits_with_6(place, monkeypatch, allowed):
    # The provider is a contract: only it could say that this is not its signature.
    content = json.loads(place.path.read_text())
    content["spec"]["parties"]["provider"] = place.oracle.address
    place.path.write_text(json.dumps(content))
    assert place.run("sla", "sign", place.path, "--as", "consumer", key=wallet(2)).code == 0
    signatures.add(load_document(place.path), "provider", b"\x01" * 65)
    place.mint(wallet(2), 1_000)
    if allowed:
        approve = place.token.approve(place.escrow.address, 100 * samples.DOLLAR)
        place.chain.send(approve, wallet(2))
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr(Output, "confirm", lambda *_: pytest.fail("asked for what is refused"))
    ran = place.run("sla", "open", place.path, "--json", key=wallet(2))
    assert (ran.code, ran.out) == (6, "")
    assert ran.error["revert"]["error"] == "PartySignatures_Invalid"
    assert ran.error["revert"]["values"]["party"].lower() == place.oracle.address.lower()
    # It was found before anything was asked or approved.
    assert "keeps an allowance" not in ran.err
    left = place.token.allowance(wallet(2).address, place.escrow.address)
    assert left == (100 * samples.DOLLAR if allowed else 0)
    assert place.escrow.status(load_document(place.path).agreement_id) == "none"


def test_nothing_is_approved_for_what_was_overtaken_while_the_question_waited(place, monkeypatch):
    place.signed().mint(wallet(2), 1_000)
    digest = load_document(place.path).agreement_id

    def hesitate(*_):
        place.chain.send(place.escrow.revoke(digest), wallet(1))
        return True

    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr(Output, "confirm", hesitate)
    ran = place.run("sla", "open", place.path, "--json", key=wallet(2))
    assert (ran.code, ran.out) == (6, "")
    assert ran.error["revert"]["error"] == "PartySignatures_Revoked"
    assert place.token.allowance(wallet(2).address, place.escrow.address) == 0


def test_an_allowance_that_the_escrow_did_not_use_is_told(place, monkeypatch):
    place.signed().mint(wallet(2), 1_000)
    digest, approve = load_document(place.path).agreement_id, sending._approve

    def overtaken(*given):
        sent = approve(*given)
        place.chain.send(place.escrow.revoke(digest), wallet(1))
        return sent

    monkeypatch.setattr(sending, "_approve", overtaken)
    ran = place.run("sla", "open", place.path, key=wallet(2))
    assert (ran.code, ran.out) == (6, "")
    assert "the escrow keeps an allowance of 100.00 tUSD that it did not use" in ran.err


def test_a_token_whose_approve_answers_nothing_can_be_approved(place):
    w3 = place.chain.w3
    code = "0x6001600c60003960016000f300"  # accepts every call, returns nothing
    sent = w3.eth.send_transaction({"from": w3.eth.accounts[0], "data": code})
    silent = w3.eth.wait_for_transaction_receipt(sent)["contractAddress"]
    document = load_document(place.path)
    document = replace(document, terms=replace(document.terms, token=silent))
    on_chain = OnChain(document, place.chain)
    place.chain.send(on_chain.token.approve(on_chain.escrow.address, 5), wallet(2))


def test_a_month_that_begins_late_is_paid_for_by_its_share(place):
    content = json.loads(place.path.read_text())
    content["spec"]["term"] |= {"window": "month", "prepaidWindows": 2}
    place.path.write_text(json.dumps(content))
    document = load_document(place.path)
    due = document.terms.fee_of(0) + 100 * samples.DOLLAR
    shown = place.run("sla", "validate", place.path, "--json").json
    assert (shown["window"], shown["windowSeconds"]) == ("month", None)
    assert shown["firstFee"] == document.amount(document.terms.fee_of(0))

    ran = place.signed().paid().run("sla", "status", place.path, "--json", "--windows", "0..1")
    assert (ran.json["deposited"], ran.json["held"]) == (document.amount(due),) * 2
    assert place.token.balance(place.escrow.address) == due
    first, second = ran.json["windows"]
    assert first["end"] == second["start"] == show_time(document.terms.window_start(1))
    assert "\n0\tfunded\t" in place.run("sla", "status", place.path).out


def test_too_late_to_open(place):
    place.signed().mint(wallet(2), 1_000)
    place.warp(1)
    ran = place.run("sla", "open", place.path, key=wallet(2))
    assert ran.code == 3
    assert "had to be opened by" in ran.err


def test_a_forged_signature_is_found_before_anything_is_sent(place):
    place.signed().mint(wallet(2), 1_000)
    file = place.folder / "agreement.signatures.json"
    content = json.loads(file.read_text())
    given = content["signatures"]
    content["signatures"] = {"provider": given["consumer"], "consumer": given["provider"]}
    file.write_text(json.dumps(content))
    ran = place.run("sla", "open", place.path, key=wallet(2))
    assert ran.code == 3
    assert "the provider's signature is of" in ran.err


def test_real_money_is_not_moved_without_a_question(place, monkeypatch):
    monkeypatch.setattr(keys, "LOCAL_CHAINS", frozenset())
    payer = Account.create()
    document = load_document(place.path)
    for role, account in (("provider", wallet(1)), ("consumer", wallet(2))):
        signatures.sign_as(document, role, account)
    place.mint(payer, 1_000)
    place.give_coins(payer, 1)
    ran = place.run("sla", "open", place.path, key=payer)
    assert ran.code == 2
    assert "needs --yes" in ran.err
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr(Output, "confirm", lambda *_: False)
    ran = place.run("sla", "open", place.path, key=payer)
    assert ran.code == 1
    assert "nothing was sent" in ran.err
    ran = place.run("sla", "open", place.path, key=wallet(2))
    assert ran.code == 4
    assert "everybody knows" in ran.err
    assert place.escrow.status(document.agreement_id) == "none"
    assert place.token.allowance(payer.address, place.escrow.address) == 0
    ran = place.run("sla", "open", place.path, "--yes", key=payer)
    assert ran.code == 0, ran.err
    assert place.escrow.status(document.agreement_id) == "open"
