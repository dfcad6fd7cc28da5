"""What `makegood doctor` finds: each check against the real thing, well and broken."""

import contextlib
import json
import os
import resource
import socket
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from sqlalchemy import insert
from web3 import HTTPProvider, Web3

from relayer.cli.checks import chains, checkup, key, machine, peers
from relayer.cli.checks.finding import Finding, Known
from relayer.cli.output import Output
from relayer.cli.session import Session
from relayer.demo.processes import free_port
from relayer.exchange.server import ExchangeServer
from relayer.store import Lease, Store, tables
from tests.relayer.world import deploy
from tests.samples import wallet

API_KEY = "0123456789abcdefSECRET"
DAY = 86_400
ME, OTHER, THIRD = (wallet(number).address for number in (1, 2, 3))


@pytest.fixture
def known(home):
    """What a doctor knows before its first check, given a configuration."""
    opened = []

    def known(config="", clock=time.time, address=None):
        file = home / "makegood.yaml"
        file.write_text(config)
        known = Known(Session(Output(quiet=True), file=file, flags={}), clock=clock)
        known.address = address
        opened.append(known)
        return known

    yield known
    for one in opened:
        if one.store is not None:
            one.store.close()


@pytest.fixture
def store(home):
    store = Store(home / "db.sqlite")
    yield store
    store.close()


@contextlib.contextmanager
def answering(answer):
    """A server on 127.0.0.1 that answers every request with ``answer(body)``, or HTTP 500 if that is None; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.do_POST()

        def do_POST(self):
            said = answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            body = b"no" if said is None else said
            self.send_response(500 if said is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def node(chain_id, age=0):
    """An RPC endpoint of a chain whose newest block has an age [s]."""

    def answer(body):
        asked = json.loads(body)
        block = {
            "number": "0x10",
            "hash": "0x" + "ab" * 32,
            "parentHash": "0x" + "aa" * 32,
            "timestamp": hex(int(time.time()) - age),
        }
        result = block if "Block" in asked["method"] else hex(chain_id)
        return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()

    return answering(answer)


def by_check(findings):
    return {finding.check: finding for finding in findings}


def states(findings):
    return {finding.check: finding.state for finding in findings}


def test_a_local_chain_that_makes_no_blocks_is_told(makegood):
    for age, told in ((5, False), (500, True)):
        with node(31337, age) as url:
            rows = makegood("doctor", "--rpc-url", url, "--json").json["checks"]
        detail = next(row["detail"] for row in rows if row["check"] == "chain 31337")
        assert ("a relayer waits for the next one" in detail) is told


# The command


def test_a_warning_does_not_fail_and_is_seen(makegood, monkeypatch):
    findings = [Finding("one", "ok", "well"), Finding("two", "warning", "hm", "do this")]
    monkeypatch.setattr(checkup.Checkup, "run", lambda _: iter(findings))
    ran = makegood("doctor", "--json")
    assert (ran.code, ran.json["ok"]) == (0, True)
    assert [check["state"] for check in ran.json["checks"]] == ["ok", "warning"]
    ran = makegood("doctor")
    assert ran.out.splitlines()[2].split("\t")[1:] == ["two", "hm", "do this"]
    findings.append(Finding("three", "failed", "bad", "do that"))
    assert makegood("doctor").code == 7


def test_every_finding_that_is_not_well_says_what_to_do(makegood, home):
    listening = socket.create_server(("127.0.0.1", 0))
    with listening:
        port = listening.getsockname()[1]
        (home / "makegood.yaml").write_text(
            f"rpcUrl: ['http://127.0.0.1:{free_port()}/{API_KEY}', 'http://127.0.0.1:{free_port()}']\n"
            f"exchange: {{listen: '127.0.0.1:{port}', peers: {{'{OTHER}': 'http://127.0.0.1:{free_port()}/{API_KEY}'}}}}\n"
            f"operations: {{listen: '192.0.2.1:80', webhook: 'http://hooks.example/{API_KEY}'}}\n"
        )
        ran = makegood("doctor", "--json")
    assert ran.code == 7
    wrong = [check for check in ran.json["checks"] if check["state"] in ("failed", "warning")]
    assert {check["check"] for check in wrong} >= {
        "chain",
        "exchange.listen",
        "operations.listen",
        "webhook",
        f"peer {OTHER}",
    }
    assert all(check["nextStep"] for check in wrong)
    assert API_KEY not in ran.out + ran.err


# RPC endpoints


def test_an_endpoint_that_others_make_up_for_is_a_warning(known, rpc_url):
    dead = f"http://127.0.0.1:{free_port()}/{API_KEY}"
    with node(31_337) as second:
        found = by_check(chains.chains(known(f"rpcUrl: [{rpc_url}, {dead}, {second}]")))
    assert [finding.state for finding in found.values()] == ["ok", "warning", "ok", "ok"]
    assert found["chain 31337"].detail == "2 of 3 endpoints work, 2 have to agree"
    assert API_KEY not in str(found)


def test_too_few_endpoints_for_the_agreement_fail(known, rpc_url):
    dead = f"http://127.0.0.1:{free_port()}/{API_KEY}"
    found = by_check(chains.chains(known(f"rpcUrl: [{rpc_url}, {dead}]")))
    assert [finding.state for finding in found.values()] == ["ok", "failed", "failed"]
    assert found["chain"].detail == "1 of 2 endpoints work, and 2 have to agree"
    lone = by_check(chains.chains(known(f"rpcUrl: {dead}")))
    assert states(lone.values()) == {"chain": "failed"}
    assert "no answer" in lone["chain"].detail


def test_an_endpoint_of_another_chain_is_wrong_even_if_others_suffice(known, rpc_url):
    with node(31_337) as second, node(1) as wrong:
        asked = known(f"rpcUrl: [{rpc_url}, {second}, {wrong}]")
        asked.documents.append(SimpleNamespace(chain_id=31_337))
        found = by_check(chains.chains(asked))
    assert states(found.values())[f"endpoint {wrong}"] == "failed"
    assert found[f"endpoint {wrong}"].detail == "serves chain 1, not chain 31337"
    assert found["chain 31337"].state == "ok"


def test_an_endpoint_that_does_not_follow_its_chain(known):
    with node(1) as well, node(1, age=301) as lagging, node(1, age=200) as slow:
        found = by_check(chains.chains(known(f"rpcUrl: [{well}, {lagging}, {slow}]")))
    assert [found[f"endpoint {url}"].state for url in (well, lagging, slow)] == [
        "ok",
        "warning",
        "ok",
    ]


def test_a_batcher_has_code(known, rpc_url):
    w3 = Web3(HTTPProvider(rpc_url))
    batcher = deploy(w3, "Batcher", w3.eth.accounts[0])
    for address, state in ((batcher, "ok"), (wallet(8).address, "failed")):
        found = by_check(chains.chains(known(f"rpcUrl: {rpc_url}\nbatcher: '{address}'")))
        assert found["batcher on chain 31337"].state == state, found


@pytest.mark.parametrize(
    ("days", "state"), [(1, "failed"), (2, "warning"), (13, "warning"), (15, "ok")]
)
def test_the_balance_is_judged_by_the_days_that_it_lasts(known, store, rpc_url, days, state):
    w3 = Web3(HTTPProvider(rpc_url))
    now = time.time()
    spend = {"account": OTHER, "nonce": 0, "state": "final", "items": "[]", "fee_paid": str(10**16)}
    with store.writing() as db:
        for age in (20, 6.9, 4, 1):  # the first is long ago and does not count
            db.execute(insert(tables.transactions).values(created_at=now - age * DAY, **spend))
    balance = int((days + 0.5) * 3 * 10**16 / 7)
    w3.provider.make_request("anvil_setBalance", [OTHER, hex(balance)])
    asked = known(f"rpcUrl: {rpc_url}", clock=lambda: now, address=OTHER)
    asked.store = store
    found = by_check(chains.chains(asked))
    left = found["balance on chain 31337"]
    assert left.state == state
    assert f"which lasts {days}.5 days" in left.detail or days > 9


# Other reporters


@pytest.fixture
def peer(store):
    server = ExchangeServer(store, address=OTHER, chain_id=31_337, host="127.0.0.1", port=0)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def with_chain(known):
    known.chains[31_337] = SimpleNamespace(chain_id=31_337)
    return known


def asked_of(known, address, url):
    [finding] = peers.exchange(with_chain(known(f"exchange: {{peers: {{'{address}': '{url}'}}}}")))
    return finding


def test_a_peer_is_asked_who_it_is(known, peer):
    assert asked_of(known, OTHER, peer).state == "ok"
    wrong = asked_of(known, THIRD, peer)
    assert wrong.state == "failed"
    assert f"answers as {OTHER}" in wrong.detail


def identity(**changes):
    said = {"address": OTHER, "chainId": 31_337, "version": "0.1.0", "time": time.time()}
    return json.dumps(said | changes).encode()


@pytest.mark.parametrize(
    ("body", "state", "detail"),
    [
        (identity(chainId=1), "failed", "reports to chain 1"),
        (identity(address=7), "warning", "no relayer of makegood"),
        (b"<html>", "warning", "no relayer of makegood"),
        (b"[]", "warning", "no relayer of makegood"),
        (b"\xff" * 1_000_000, "warning", "no relayer of makegood"),
        (None, "warning", "HTTP 500"),
    ],
    ids=["another chain", "no address", "a page", "a list", "a megabyte", "an error"],
)
def test_a_peer_may_answer_anything(known, body, state, detail):
    with answering(lambda _: body) as url:
        found = asked_of(known, OTHER, url)
    assert (found.state, detail in found.detail) == (state, True), found


def test_a_peer_that_is_down_is_a_warning(known):
    found = asked_of(known, OTHER, f"http://127.0.0.1:{free_port()}/{API_KEY}")
    assert found.state == "warning"
    assert API_KEY not in str(found)


def in_panel(known, *reporters):
    panel = SimpleNamespace(quorum=2, reporters=reporters)
    level = SimpleNamespace(name="availability", feed=SimpleNamespace(panel=panel))
    known.documents.append(SimpleNamespace(levels=[level]))
    return with_chain(known)


def test_reporters_without_an_address_are_named(known, peer):
    config = f"exchange: {{listen: '127.0.0.1:1', peers: {{'{OTHER}': '{peer}'}}}}"
    found = by_check(peers.exchange(in_panel(known(config, address=ME), ME, OTHER, THIRD)))
    assert states(found.values()) == {"other reporters": "warning", f"peer {OTHER}": "ok"}
    assert THIRD in found["other reporters"].detail
    assert OTHER not in found["other reporters"].detail
    found = by_check(peers.exchange(in_panel(known("", address=ME), ME, OTHER, THIRD)))
    assert states(found.values()) == {"other reporters": "warning", "exchange.listen": "warning"}
    assert not list(peers.exchange(in_panel(known("", address=wallet(5).address), ME, OTHER)))
    own = f"exchange: {{peers: {{'{ME}': '{peer}'}}}}"
    assert states(peers.exchange(known(own, address=ME))) == {f"peer {ME}": "failed"}


# The clock


@pytest.mark.parametrize(
    ("blocks", "others", "state", "word"),
    [
        ([-5, -200], [], "ok", ""),
        ([-5, 61], [], "warning", "61 s behind"),
        ([-100, -90], [], "warning", "90 s ahead of"),
        ([-100, -90], [3], "ok", ""),
        ([-700], [-600, -601, 5], "warning", "600 s ahead of"),
        ([], [600, 601, -5], "warning", "600 s behind"),
        ([], [59], "ok", ""),
    ],
)
def test_the_clock_is_compared(known, blocks, others, state, word):
    asked = known()
    asked.blocks = {str(number): ahead for number, ahead in enumerate(blocks)}
    asked.clocks = {str(number): ahead for number, ahead in enumerate(others)}
    [found] = peers.clock(asked)
    assert found.state == state
    assert word in found.detail


@pytest.mark.parametrize(("wrong", "state"), [(-600, "warning"), (0, "ok"), (600, "warning")])
def test_a_clock_wrong_by_ten_minutes_is_seen(known, peer, wrong, state):
    config = f"exchange: {{peers: {{'{OTHER}': '{peer}'}}}}"
    asked = known(config, clock=lambda: time.time() + wrong)
    assert states(peers.exchange(asked)) == {f"peer {OTHER}": "ok"}
    assert states(peers.clock(asked)) == {"clock": state}


# The machine


def test_a_database_is_not_made_by_looking_at_it(known, home):
    asked = known("database: db.sqlite")
    assert machine.database(asked).detail.endswith("(will be made)")
    assert not (home / "db.sqlite").exists()
    Store(home / "db.sqlite").close()
    assert machine.database(asked).state == "ok"
    assert asked.store is not None


def test_a_damaged_database_is_found(makegood, home):
    (home / "makegood.yaml").write_text("database: db.sqlite")
    (home / "db.sqlite").write_bytes(b"this is no database" * 1_000)
    found = makegood("doctor", "--json").json["checks"]
    [database] = [check for check in found if check["check"] == "database"]
    assert database["state"] == "failed"
    assert "db.sqlite" in database["detail"]


def test_a_key_that_is_in_use_is_said(known, store, home):
    asked = known("database: db.sqlite", address=ME)
    machine.database(asked)
    assert [finding.detail for finding in machine.lease(asked)] == [
        "no relayer is running with this key"
    ]
    with Lease(store, ME):
        [found] = machine.lease(asked)
    assert (found.state, asked.in_use) == ("ok", True)
    assert f"process {os.getpid()}" in found.detail


def test_ports_to_listen_on(known):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        asked = known(
            f"exchange: {{listen: '{place}'}}\noperations: {{listen: '127.0.0.1:{free_port()}'}}"
        )
        assert states(machine.ports(asked)) == {
            "exchange.listen": "failed",
            "operations.listen": "ok",
        }
        asked.in_use = True  # then it is our own relayer that listens there
        assert states(machine.ports(asked))["exchange.listen"] == "ok"
    elsewhere = known("exchange: {listen: '192.0.2.1:8720'}")
    elsewhere.in_use = True
    assert states(machine.ports(elsewhere)) == {"exchange.listen": "failed"}


@pytest.mark.parametrize(
    ("url", "state"),
    [
        (f"https://hooks.example/{API_KEY}", "ok"),
        (f"http://hooks.example/{API_KEY}", "warning"),
        ("https://hooks.example/", "warning"),
        ("http://127.0.0.1:9000", "ok"),
    ],
)
def test_the_shape_of_a_webhook(known, url, state):
    [found] = machine.webhook(known(f"operations: {{webhook: '{url}'}}"))
    assert found.state == state
    assert API_KEY not in str(found)


@pytest.mark.parametrize(
    ("free", "files", "state"),
    [
        (100 << 30, 65_536, "ok"),
        (1 << 30, 65_536, "warning"),
        (1 << 20, 65_536, "failed"),
        (100 << 30, 512, "warning"),
        (100 << 30, 100, "failed"),
        (1 << 30, 100, "failed"),
        (100 << 30, resource.RLIM_INFINITY, "ok"),
    ],
)
def test_room_on_the_disk_and_open_files(known, monkeypatch, free, files, state):
    usage = namedtuple("usage", "total used free")(1 << 40, 0, free)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    monkeypatch.setattr("resource.getrlimit", lambda _: (files, files))
    found = machine.resources(known("database: db.sqlite"))
    assert (found.state, bool(found.next_step)) == (state, state != "ok")


def test_a_key_signs(known, key_file):
    path = key_file(wallet(1))
    asked = known(f"key: {{file: {path}}}")
    assert key.key(asked).detail == ME
    assert asked.address == ME
    assert key.key(known()).state == "skipped"
