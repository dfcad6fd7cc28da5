"""The commands that meet a chain: a real one, with the contracts."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from eth_abi import encode
from eth_account import Account
from eth_utils import encode_hex, keccak
from web3 import HTTPProvider, Web3

from relayer import keys
from relayer.bindings import Escrow, Oracle, Token
from relayer.chain import Chain
from relayer.cli import sending
from relayer.cli.agreement import OnChain
from relayer.cli.output import Output
from relayer.document import load_document, signatures
from relayer.document.quantities import show_time
from relayer.protocol.terms import Termination
from relayer.protocol.typed_data import Domain, sign, termination_message
from tests import samples
from tests.relayer.cli.conftest import ROOT, Ran
from tests.relayer.world import deploy
from tests.samples import reporter_wallets, wallet

MINUTE = 60
HOUR = 3_600
DAY = 86_400


class Up(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture
def service_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Up)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/health"
    server.shutdown()
    server.server_close()


@dataclass
class Place:
    """A folder with a document whose contracts exist, and a chain."""

    folder: Path
    chain: Chain
    escrow: Escrow
    oracle: Oracle
    token: Token
    path: Path
    begin: int
    makegood: Callable[..., Ran]
    environ: pytest.MonkeyPatch

    def key(self, account) -> Path:
        path = self.folder / f"{account.address}.key"
        path.touch(mode=0o600)
        path.write_text(account.key.hex())
        return path

    def run(self, *words, key=None) -> Ran:
        """Runs a command in this process: starting one takes longer than most commands do."""
        if key is None:
            self.environ.delenv("MAKEGOOD_KEY_FILE", raising=False)
        else:
            self.environ.setenv("MAKEGOOD_KEY_FILE", str(self.key(key)))
        ran = self.makegood(*words)
        assert "Traceback" not in ran.err, ran.err
        return ran

    def start(self, *words, key=None) -> Ran:
        """The same as a process of its own."""
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        if key is not None:
            env["MAKEGOOD_KEY_FILE"] = str(self.key(key))
        ran = subprocess.run(
            [sys.executable, "-m", "relayer.cli", *(str(word) for word in words)],
            env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def signed(self) -> "Place":
        assert self.run("sla", "sign", self.path, "--as", "provider", key=wallet(1)).code == 0
        assert self.run("sla", "sign", self.path, "--as", "consumer", key=wallet(2)).code == 0
        return self

    def paid(self) -> "Place":
        self.mint(wallet(2), 1_000)
        ran = self.run("sla", "open", self.path, key=wallet(2))
        assert ran.code == 0, ran.err
        return self

    def mint(self, account, dollars: int) -> None:
        self.chain.send(self.token.mint(account.address, dollars * samples.DOLLAR), wallet(0))

    def give_coins(self, account, coins: int) -> None:
        """Afterwards it has so many coins for gas, whatever it had."""
        params = [account.address, hex(coins * 10**18)]
        answer = self.chain.w3.provider.make_request("anvil_setBalance", params)
        assert "error" not in answer, answer

    def warp(self, to: int) -> None:
        for method, params in (("evm_setNextBlockTimestamp", [self.begin + to]), ("evm_mine", [])):
            answer = self.chain.w3.provider.make_request(method, params)
            assert "error" not in answer, answer

    def terminate(self, *, window: int, to_provider: int) -> None:
        """Both parties end the agreement from a window on."""
        document = load_document(self.path)
        ending = Termination(document.agreement_id, window, to_provider, self.begin + DAY)
        message = termination_message(document.domains.escrow, ending)
        call = self.escrow.contract.functions.terminate(
            document.terms.as_abi(),
            ending.as_abi(),
            sign(wallet(1), message),
            sign(wallet(2), message),
        )
        self.chain.send(call, wallet(9))

    def withhold(self, payee: str, amount: int) -> None:
        """As if so much of what the escrow holds could not be delivered to its payee."""
        for slot in range(20):
            inner = keccak(encode(["address", "uint256"], [self.token.address, slot]))
            key = encode_hex(keccak(encode(["address", "bytes32"], [payee, inner])))
            words = [self.escrow.address, key, f"0x{amount:064x}"]
            before = self.chain.w3.eth.get_storage_at(self.escrow.address, int(key, 16))
            self.chain.w3.provider.make_request("anvil_setStorageAt", words)
            if self.escrow.withdrawable(self.token.address, payee) == amount:
                return
            words[2] = encode_hex(before)
            self.chain.w3.provider.make_request("anvil_setStorageAt", words)
        raise AssertionError("withdrawable is stored elsewhere")

    def report(self, codes: list[int], first: int = 0) -> None:
        document = load_document(self.path)
        domain = Domain(self.chain.chain_id, self.oracle.address)
        feed = document.levels[0].feed
        signed = [samples.signed_batch(domain, feed, i, first, codes) for i in (0, 1)]
        self.chain.send(self.oracle.report(feed, signed), wallet(0))


@pytest.fixture
def place(rpc_url, home, makegood, monkeypatch, service_url):
    monkeypatch.setenv("MAKEGOOD_RPC_URL", rpc_url)
    w3 = Web3(HTTPProvider(rpc_url))
    sender = w3.eth.accounts[0]
    chain = Chain.connect(rpc_url)
    contracts = {
        name: deploy(w3, name, sender) for name in ("SLAEscrow", "MonitoringOracle", "TestDollar")
    }
    start = chain.now() // MINUTE * MINUTE + HOUR
    keys = [account.address for account in reporter_wallets()]
    document = {
        "apiVersion": "makegood/v1",
        "kind": "SLA",
        "metadata": {"name": "shop"},
        "spec": {
            "parties": {"provider": wallet(1).address, "consumer": wallet(2).address},
            "settlement": {
                "chainId": chain.chain_id,
                "escrow": contracts["SLAEscrow"],
                "oracle": contracts["MonitoringOracle"],
                "token": contracts["TestDollar"],
                "decimals": 6,
            },
            "money": {"feePerWindow": "100.00"},
            "term": {"start": show_time(start), "window": "10m", "windows": 4, "prepaidWindows": 1},
            "levels": [
                {
                    "name": "availability",
                    "indicator": {
                        "dataSource": {"type": "http_probe", "spec": {"url": service_url}},
                        "metric": "availability",
                    },
                    "objective": {"op": "gte", "value": "99%"},
                    "interval": "60s",
                    "reporters": {"keys": keys, "quorum": 2},
                    "settleDelay": "30s",
                    "reportEvery": "10m",
                    "reportDeadline": "2h",
                    "tiers": [
                        {"availabilityBelow": "95%", "credit": "10%"},
                        {"badIntervals": 3, "credit": "40%"},
                    ],
                }
            ],
            "salt": "0x" + "5a" * 32,
        },
    }
    path = home / "agreement.yaml"
    path.write_text(json.dumps(document))
    return Place(
        home,
        chain,
        Escrow(w3, contracts["SLAEscrow"]),
        Oracle(w3, contracts["MonitoringOracle"]),
        Token(w3, contracts["TestDollar"]),
        path,
        start,
        makegood,
        monkeypatch,
    )


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


def test_an_allowance_that_suffices_is_left_alone_and_the_call_simulated(place):
    place.signed().mint(wallet(2), 1_000)
    place.chain.send(place.token.approve(place.escrow.address, 700 * samples.DOLLAR), wallet(2))
    ran = place.run("sla", "open", place.path, "--json", key=wallet(2))
    assert (ran.code, list(ran.json["transactions"])) == (0, ["open"])
    left = place.token.allowance(wallet(2).address, place.escrow.address)
    assert left == 600 * samples.DOLLAR


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


def test_a_token_whose_approve_answers_nothing_can_be_approved(place):
    w3 = place.chain.w3
    code = "0x6001600c60003960016000f300"  # accepts every call, returns nothing
    sent = w3.eth.send_transaction({"from": w3.eth.accounts[0], "data": code})
    silent = w3.eth.wait_for_transaction_receipt(sent)["contractAddress"]
    document = load_document(place.path)
    document = replace(document, terms=replace(document.terms, token=silent))
    on_chain = OnChain(document, place.chain)
    place.chain.send(on_chain.token.approve(on_chain.escrow.address, 5), wallet(2))


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
