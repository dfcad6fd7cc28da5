"""The commands that meet a chain: a real one, with the contracts."""

import json

import pytest

from relayer.document import load_document
from tests import samples
from tests.relayer.cli.place import DAY, MINUTE
from tests.samples import reporter_wallets, wallet


def test_the_life_of_an_agreement(place):
    document = load_document(place.path)
    assert place.escrow.agreement_id(document.terms) == document.agreement_id

    # Nobody has signed; then one has.
    ran = place.run("sla", "open", place.path, key=wallet(2))
    assert ran.code == 3
    assert "the provider has not signed; the consumer has not signed" in ran.err
    place.signed()

    # Without a key: a dry run. Without money: refused before anything is sent.
    ran = place.run("sla", "open", place.path, "--json")
    assert (ran.code, ran.json["dryRun"], ran.json["transactions"]) == (0, True, {})
    assert "dry run" in ran.err
    ran = place.run("sla", "open", place.path, key=wallet(2))
    assert ran.code == 1
    assert "has 0.00 tUSD, but 100.00 are needed" in ran.err

    place.mint(wallet(2), 1_000)
    ran = place.start("sla", "open", place.path, "--json", key=wallet(2))
    assert ran.code == 0, ran.err
    assert list(ran.json["transactions"]) == ["approve", "open"]
    assert (ran.json["amount"], ran.json["windows"]) == ("100.00", [0])
    for part in (
        "approve exactly 100.00 tUSD",
        "function   open",
        f"to         {place.escrow.address}",
    ):
        assert part in ran.err
    assert place.token.allowance(wallet(2).address, place.escrow.address) == 0
    assert place.escrow.status(document.agreement_id) == "open"

    # The same command again changes nothing.
    ran = place.run("sla", "open", place.path, "--json", key=wallet(2))
    assert (ran.code, ran.json["transactions"]) == (0, {})
    assert "open already" in ran.err
    assert (ran.json["function"], ran.json["amount"], ran.json["windows"]) == ("open", "0.00", [])

    # Later windows, by a stranger.
    place.mint(wallet(5), 1_000)
    ran = place.run("sla", "fund", place.path, "--windows", "1..2", "--json", key=wallet(5))
    assert ran.code == 0, ran.err
    assert (ran.json["amount"], ran.json["windows"]) == ("200.00", [1, 2])
    ran = place.run("sla", "fund", place.path, "--windows", "2..3", key=wallet(5))
    assert ran.code == 3
    assert "window 2 is paid already" in ran.err

    # Three bad minutes.
    place.warp(8 * MINUTE)
    place.report([1_000_000, 0, 0, 0, 0xFFFFFFFF])
    ran = place.run("sla", "status", place.path, "--json")
    assert ran.code == 0, ran.err
    status = ran.json
    assert (status["status"], status["deposited"], status["held"]) == ("open", "300.00", "300.00")
    first, second = status["windows"]
    assert (first["status"], second["status"]) == ("funded", "funded")
    assert (first["creditBps"], first["claimable"], first["paid"]) == (4_000, "40.00", "0.00")
    assert first["levels"] == [
        {
            "name": "availability", "planned": 10, "judged": 5, "good": 1, "bad": 3, "unknown": 1,
            "notApplicable": 0, "longestRun": 3, "availabilityPpm": 700_000,
        }
    ]  # fmt: skip
    place.chain.send(place.escrow.settle(document.terms, 0), wallet(9))
    place.warp(11 * MINUTE)
    place.report([1_000_000] * 5, first=5)
    place.chain.send(place.escrow.close(document.terms, 0), wallet(9))
    ran = place.run("sla", "status", place.path, "--json", "--windows", "0..3")
    first = ran.json["windows"][0]
    assert (first["status"], first["paid"], first["creditBps"]) == ("closed", "40.00", 4_000)
    assert (ran.json["deposited"], ran.json["held"]) == ("300.00", "200.00")
    assert [window["status"] for window in ran.json["windows"]] == [
        "closed",
        "funded",
        "funded",
        "unfunded",
    ]
    ran = place.start("sla", "status", place.path)
    said = ran.err.splitlines()  # what it measures here is on this machine, which is noted
    assert [line for line in said if "inside the reporter's own network" not in line] == []
    assert "held\t200.00 tUSD" in ran.out
    assert "0\tavailability\t10/10\t6\t3\t1\t0\t3\t70%" in ran.out

    # A window that began without being paid has lapsed.
    place.warp(31 * MINUTE)
    ran = place.run("sla", "fund", place.path, "--windows", "3", key=wallet(5))
    assert ran.code == 3
    assert "window 3 has begun unpaid" in ran.err


def test_a_signature_can_be_withdrawn_until_the_agreement_is_open(place):
    (place.folder / "makegood.yaml").write_text("agreements: [agreement.yaml]\n")
    place.signed().mint(wallet(2), 1_000)
    ran = place.run("sla", "revoke", place.path)
    assert (ran.code, "no key is configured" in ran.err) == (4, True)
    ran = place.run("sla", "revoke", place.path, key=wallet(5))
    assert (ran.code, "neither provider nor consumer" in ran.err) == (4, True)

    ran = place.run("sla", "revoke", place.path, "--json", key=wallet(1))
    assert (ran.code, list(ran.json["transactions"])) == (0, ["revoke"]), ran.err
    effect = "withdraw the provider's signature, for good"
    assert effect in ran.err
    assert (ran.json["function"], ran.json["effect"]) == ("revoke", effect)
    ran = place.run("sla", "revoke", place.path, "--json", key=wallet(1))
    assert (ran.code, ran.json["transactions"]) == (0, {})
    assert (ran.json["function"], ran.json["effect"]) == (
        "revoke",
        "the signature is withdrawn already",
    )
    assert "withdrawn already" in ran.err

    for words in (["open", place.path], ["fund", place.path, "--windows", "1"]):
        ran = place.run("sla", *words, key=wallet(2))
        assert (ran.code, "withdrawn its signature" in ran.err) == (3, True)
    assert place.run("sla", "list", "--json").json[0]["state"] == "revoked"
    assert place.run("sla", "status", place.path, "--json").json["status"] == "revoked"
    ran = place.run("sla", "status", place.path)
    assert "never opened; the provider withdrew the signature" in ran.out


def test_a_signature_that_has_been_used_cannot_be_withdrawn(place):
    place.signed().paid()
    ran = place.run("sla", "revoke", place.path, key=wallet(1))
    assert (ran.code, "opened already" in ran.err) == (3, True)


def test_payments_go_where_the_party_says(place):
    place.signed().paid()
    mine, other = wallet(2).address, wallet(6).address
    status = place.run("sla", "status", place.path, "--json").json
    assert status["payouts"] == {"provider": wallet(1).address, "consumer": mine}
    assert place.run("sla", "payout", place.path, "--to", "0x12", key=wallet(2)).code == 2

    ran = place.run("sla", "payout", place.path, "--to", other, "--json", key=wallet(2))
    assert (ran.code, list(ran.json["transactions"])) == (0, ["setPayout"]), ran.err
    ran = place.run("sla", "payout", place.path, "--to", other, "--json", key=wallet(2))
    assert (ran.code, ran.json["transactions"]) == (0, {})
    assert f"to the consumer\t{other}" in place.run("sla", "status", place.path).out

    place.warp(4 * MINUTE)
    place.report([0, 0, 0])
    before = place.token.balance(other)
    place.chain.send(place.escrow.settle(load_document(place.path).terms, 0), wallet(9))
    assert place.token.balance(other) - before == 40 * samples.DOLLAR

    assert place.run("sla", "payout", place.path, "--to", mine, key=wallet(2)).code == 0
    assert "to the consumer" not in place.run("sla", "status", place.path).out


def test_what_was_not_delivered_can_be_fetched(place):
    place.signed().paid()
    ran = place.run("sla", "withdraw", place.path, "--json", key=wallet(2))
    assert (ran.code, ran.json["transactions"]) == (0, {})
    assert "nothing waits for" in ran.err

    place.withhold(wallet(2).address, 7 * samples.DOLLAR)
    status = place.run("sla", "status", place.path, "--json").json
    assert status["withheld"] == {"provider": "0.00", "consumer": "7.00"}
    assert "withheld from the consumer\t7.00 tUSD" in place.run("sla", "status", place.path).out
    elsewhere = wallet(6).address
    before = place.token.balance(elsewhere)
    ran = place.run("sla", "withdraw", place.path, "--to", elsewhere, "--json", key=wallet(2))
    assert (ran.code, list(ran.json["transactions"])) == (0, ["withdraw"]), ran.err
    assert place.token.balance(elsewhere) - before == 7 * samples.DOLLAR
    assert place.escrow.withdrawable(place.token.address, wallet(2).address) == 0


def test_an_agreement_that_both_ended(place):
    (place.folder / "makegood.yaml").write_text("agreements: [agreement.yaml]\n")
    place.signed().paid().mint(wallet(5), 1_000)
    assert place.run("sla", "fund", place.path, "--windows", "1..2", key=wallet(5)).code == 0
    place.warp(4 * MINUTE)
    place.report([0, 0, 0])
    document = load_document(place.path)
    place.chain.send(place.escrow.settle(document.terms, 0), wallet(9))
    place.terminate(window=1, to_provider=30 * samples.DOLLAR)

    status = place.run("sla", "status", place.path, "--json", "--windows", "0..3").json
    assert (status["status"], status["endsBeforeWindow"]) == ("ended", 1)
    states = [window["status"] for window in status["windows"]]
    assert states == ["funded", "terminated", "terminated", "unfunded"]
    assert (status["deposited"], status["held"]) == ("300.00", "60.00")
    assert "status\tended before window 1" in place.run("sla", "status", place.path).out
    assert place.run("sla", "list", "--json").json[0]["state"] == "ended"
    for number, words in ((2, "was ended by both parties"), (3, "is void")):
        ran = place.run("sla", "fund", place.path, "--windows", number, key=wallet(5))
        assert (ran.code, words in ran.err) == (3, True), ran.err
    ran = place.run("sla", "open", place.path, key=wallet(2))
    assert (ran.code, "cannot be opened again" in ran.err) == (3, True)
    place.warp(11 * MINUTE)
    assert place.run("sla", "list", "--json").json[0]["state"] == "over"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("decimals", 18, "the token has 6 decimals, the document says 18"),
        ("escrow", wallet(7).address, "there is no contract at"),
        ("chainId", 1, "serves chain 31337, but chain 1 is needed"),
    ],
)
def test_a_document_that_does_not_fit_the_chain(place, field, value, message):
    content = json.loads(place.path.read_text())
    content["spec"]["settlement"][field] = value
    place.path.write_text(json.dumps(content))
    ran = place.run("sla", "status", place.path)
    assert ran.code in (3, 5)
    assert message in ran.err


def test_the_wrong_kind_of_contract_is_no_bug(place):
    content = json.loads(place.path.read_text())
    content["spec"]["settlement"]["escrow"] = place.oracle.address
    place.path.write_text(json.dumps(content))
    ran = place.run("sla", "status", place.path)
    assert ran.code in (5, 6)
    assert "bug" not in ran.err


def test_list_and_wallet(place):
    (place.folder / "makegood.yaml").write_text("agreements: [agreement.yaml]\n")
    assert place.run("sla", "list", "--json").json[0]["state"] == "unsigned"
    place.signed()
    assert place.run("sla", "list", "--json").json[0]["state"] == "signed"
    place.paid()
    assert place.run("sla", "list", "--json").json[0]["state"] == "open"
    shown = place.run("wallet", "show", place.path, "--json", key=wallet(2)).json
    assert shown["address"] == wallet(2).address
    assert shown["token"] == {
        "address": place.token.address,
        "symbol": "tUSD",
        "balance": "900.00",
    }
    assert place.run("wallet", "show", "--token", "0x12", key=wallet(2)).code == 2
    place.warp(10 * DAY)
    assert place.run("sla", "list", "--json").json[0]["state"] == "over"


def test_doctor(place):
    config = place.folder / "makegood.yaml"
    config.write_text("agreements: [agreement.yaml]\n")
    reporter = reporter_wallets()[1]
    place.give_coins(reporter, 0)  # others have used this chain and this key
    ran = place.run("doctor", "--json", key=reporter)
    failed = [check for check in ran.json["checks"] if check["state"] == "failed"]
    assert (ran.code, ran.json["ok"]) == (7, False)
    [inside] = [check for check in failed if check["check"].startswith("source http_probe")]
    assert "list it in sources.http_probe.allowed_networks" in inside["detail"]
    config.write_text(
        "agreements: [agreement.yaml]\nsources: {http_probe: {allowed_networks: [127.0.0.1]}}\n"
    )
    ran = place.run("doctor", "--json", key=reporter)
    failed = [check for check in ran.json["checks"] if check["state"] == "failed"]
    assert [check["check"] for check in failed] == [f"balance on chain {place.chain.chain_id}"]
    assert reporter.address in failed[0]["nextStep"]
    place.give_coins(reporter, 1)
    ran = place.run("doctor", "--json", key=reporter)
    assert (ran.code, ran.json["ok"]) == (0, True), ran.out
    states = {check["check"]: (check["state"], check["detail"]) for check in ran.json["checks"]}
    assert states["contracts of shop"] == ("ok", "ids agree; the agreement is not open yet")
    assert '"outcome":"up"' in states["source http_probe for availability"][1]
    # A stranger's key reports nothing.
    ran = place.run("doctor", key=wallet(5))
    assert ran.code == 7
    assert f"{wallet(5).address} is no reporter of availability" in ran.out
    assert "checks failed" in ran.err
