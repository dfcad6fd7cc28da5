"""`makegood sla verify`, `resolve` and `schema`: what a document proves to whoever holds it."""

import json
import shutil

import pytest

from relayer.document import load_document, signatures
from tests.relayer.cli.conftest import ROOT
from tests.samples import wallet


def states(ran):
    return {one["about"]: one["state"] for one in ran.json["findings"]}


@pytest.fixture
def signed(agreement, makegood, key_file):
    for role, number in (("provider", 1), ("consumer", 2)):
        key = key_file(wallet(number), role)
        ran = makegood("sla", "sign", agreement, "--as", role, "--key-file", key)
        assert ran.code == 0, ran.err
    return agreement


def id_of(path):
    return f"0x{load_document(path).agreement_id.hex()}"


def test_both_signatures_prove_a_document(makegood, signed):
    ran = makegood("sla", "verify", signed, "--offline", "--agreement", id_of(signed), "--json")
    assert (ran.code, ran.json["signed"]) == (0, True)
    assert states(ran) == {
        "agreement": "proven",
        "signature of the provider": "proven",
        "signature of the consumer": "proven",
    }
    document = load_document(signed)
    assert ran.json["documentHash"] == f"0x{document.hash.hex()}"
    assert ran.json["levels"][0]["descriptor"] == f"0x{document.levels[0].feed.descriptor.hex()}"
    shown = makegood("sla", "verify", signed, "--offline")
    assert shown.code == 0
    assert "signature of the consumer\tproven" in shown.out
    assert "about\tstate\tdetail" in shown.out
    assert "agreement\tto compare\t" in shown.out
    assert "not proven" not in shown.out
    assert "compare it with the other party's" in shown.out
    assert shown.out.splitlines()[-1] == "both parties have signed exactly this document"
    assert "not shown by this: that the accounts are of the parties" in shown.err


@pytest.mark.parametrize(
    ("old", "new"), [("credit: 25%", "credit: 24%"), ("shop-api-2027.pdf", "shop-api-2026.pdf")]
)
def test_a_letter_that_differs_is_another_document(makegood, signed, old, new):
    known = id_of(signed)
    signed.write_text(signed.read_text().replace(old, new, 1))
    ran = makegood("sla", "verify", signed, "--offline", "--agreement", known, "--json")
    assert (ran.code, ran.json["signed"]) == (7, False)
    assert states(ran)["agreement"] == "wrong"
    assert states(ran)["signatures"] == "wrong"
    assert ran.error["type"] == "ChecksFailed"
    assert "belongs to other terms" in ran.error["message"]
    assert ran.error["hint"] is None


def test_a_comment_that_differs_is_not(makegood, signed):
    known = id_of(signed)
    signed.write_text("# kept by the consumer\n" + signed.read_text())
    assert makegood("sla", "verify", signed, "--offline", "--agreement", known).code == 0


def test_without_signatures_nothing_is_proven(makegood, agreement):
    ran = makegood("sla", "verify", agreement, "--offline", "--json")
    assert ran.code == 7
    assert set(states(ran).values()) == {"open"}
    assert (
        "not proven: signature of the provider, signature of the consumer" in ran.error["message"]
    )
    assert "--offline" in ran.error["hint"]
    assert f"makegood sla sign {agreement} --as provider" in ran.error["hint"]
    assert f"makegood sla sign {agreement} --as consumer" in ran.error["hint"]
    shown = makegood("sla", "verify", agreement, "--offline")
    assert "both parties have signed" not in shown.out


def test_one_signature_is_not_both(makegood, signed):
    signatures_file = signed.with_name("agreement.signatures.json")
    content = json.loads(signatures_file.read_text())
    content["signatures"].pop("consumer")
    signatures_file.write_text(json.dumps(content))
    ran = makegood("sla", "verify", signed, "--offline", "--json")
    assert ran.code == 7
    assert states(ran)["signature of the provider"] == "proven"
    assert states(ran)["signature of the consumer"] == "open"
    assert "--as consumer" in ran.error["hint"]
    assert "--as provider" not in ran.error["hint"]


def test_somebody_elses_signature_is_none(makegood, signed):
    document = load_document(signed)
    given = signatures.load(document)
    signatures.add(document, "provider", given.consumer)
    ran = makegood("sla", "verify", signed, "--offline", "--json")
    assert ran.code == 7
    # Without the chain nobody knows whether the provider is a contract, which could take this.
    assert states(ran)["signature of the provider"] == "open"
    assert "may be a contract, which only the chain can ask" in ran.out


@pytest.mark.parametrize("given", ["5", "0x12", "0x" + "g" * 64])
def test_an_id_has_32_bytes(makegood, agreement, given):
    ran = makegood("sla", "verify", agreement, "--offline", "--agreement", given)
    assert ran.code == 2
    assert "64 hexadecimal digits" in ran.err


def test_a_document_that_is_wrong_exits_with_3(makegood, agreement):
    agreement.write_text(agreement.read_text().replace("op: gte", "op: ge", 1))
    assert makegood("sla", "verify", agreement, "--offline").code == 3
    agreement.with_name("agreement.signatures.json").write_text("{")
    shutil.copy(ROOT / "samples" / "three-reporters.yaml", agreement)
    assert makegood("sla", "verify", agreement, "--offline").code == 3


# With a chain


def test_the_chain_proves_what_was_opened(place):
    place.signed()
    ran = place.run("sla", "verify", place.path, "--json")
    assert ran.code == 0, ran.err
    assert states(ran) == {
        "agreement": "open",
        "escrow": "proven",
        "feed of availability": "proven",
        "opening": "open",
        "signature of the provider": "proven",
        "signature of the consumer": "proven",
    }
    place.paid()
    # Who holds nothing but the document: the escrow took both signatures.
    place.path.with_name("agreement.signatures.json").unlink()
    known = id_of(place.path)
    ran = place.run("sla", "verify", place.path, "--agreement", known, "--json")
    assert (ran.code, set(states(ran).values())) == (0, {"proven"})
    # A document with one more word is not what was opened.
    content = json.loads(place.path.read_text())
    content["metadata"]["description"] = "x"
    place.path.write_text(json.dumps(content))
    ran = place.run("sla", "verify", place.path, "--agreement", known, "--json")
    assert ran.code == 7
    assert states(ran)["agreement"] == "wrong"
    assert states(ran)["opening"] == "open"


def test_a_signature_that_was_withdrawn_proves_nothing(place):
    place.signed()
    assert place.run("sla", "revoke", place.path, key=wallet(1)).code == 0
    ran = place.run("sla", "verify", place.path, "--json")
    assert ran.code == 7
    assert states(ran)["opening"] == "wrong"
    assert "the provider withdrew the signature" in ran.error["message"]


def test_a_forged_signature_of_an_account_is_wrong(place):
    place.signed()
    document = load_document(place.path)
    signatures.add(document, "provider", signatures.load(document).consumer)
    ran = place.run("sla", "verify", place.path, "--json")
    assert (ran.code, states(ran)["signature of the provider"]) == (7, "wrong")


def test_contracts_that_are_not_there_are_a_wrong_document(place):
    content = json.loads(place.path.read_text())
    content["spec"]["settlement"]["escrow"] = wallet(7).address
    place.path.write_text(json.dumps(content))
    ran = place.run("sla", "verify", place.path)
    assert ran.code == 3
    assert "there is no contract at" in ran.err


# In one piece


def test_a_document_in_one_piece_is_the_same(makegood, home):
    shutil.copy(ROOT / "samples" / "openslo.yaml", home / "slos.yaml")
    ran = makegood("sla", "resolve", "slos.yaml", "--output", "one.yaml", "--json")
    assert ran.code == 0, ran.err
    whole, one = load_document(home / "slos.yaml"), load_document(home / "one.yaml")
    assert ran.json == {"file": "one.yaml", "documentHash": f"0x{one.hash.hex()}"}
    assert (one.hash, one.agreement_id) == (whole.hash, whole.agreement_id)
    assert one.content == whole.content
    printed = makegood("sla", "resolve", "slos.yaml").out
    assert printed == (home / "one.yaml").read_text()
    assert makegood("sla", "resolve", "slos.yaml", "--json").json == whole.content
    again = makegood("sla", "resolve", "slos.yaml", "--output", "one.yaml")
    assert again.code == 3
    assert "File exists" in again.err


def test_the_schema_is_printed(makegood):
    ran = makegood("sla", "schema")
    assert ran.code == 0
    assert ran.json["$schema"] == "https://json-schema.org/draft/2020-12/schema"
