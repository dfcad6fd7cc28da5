"""What nodes answer, and what becomes of it: one clear error, with the contract's own words where there are some."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog
from web3 import HTTPProvider, Web3
from web3.exceptions import TimeExhausted

from relayer import chain as chain_module
from relayer.bindings import decode_error
from relayer.chain import Chain, Fees, Sent
from relayer.demo.processes import free_port
from relayer.errors import ChainUnavailable, Reverted
from tests import samples
from tests.faults.rpc_proxy import RpcProxy
from tests.relayer import world


@contextmanager
def node(answer):
    """A web server that gives ``answer``, a pair of status and body, to every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/secret-project-key"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, b"oops"), "HTTP 500"),
        ((429, b"slow down"), "HTTP 429"),
        ((200, b"<html>"), "no sensible answer"),
        ((200, b"{}"), "no sensible answer"),
        ((200, json.dumps({"jsonrpc": "2.0", "id": 0, "result": "nonsense"}).encode()), "sensible"),
        (
            (200, b'{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"no credit left"}}'),
            "no credit left",
        ),
    ],
)
def test_a_bad_answer_is_one_clear_error(answer, words):
    with node(answer) as url, pytest.raises(ChainUnavailable, match=words) as raised:
        Chain.connect(url)
    assert "127.0.0.1" in raised.value.message
    assert "secret-project-key" not in raised.value.message


def test_nobody_listens():
    with pytest.raises(ChainUnavailable, match="no answer") as raised:
        Chain.connect(f"http://127.0.0.1:{free_port()}")
    assert "rpcUrl" in raised.value.hint


def test_the_wrong_chain_is_refused(rpc_url):
    with pytest.raises(ChainUnavailable, match="serves chain 31337, but chain 1 is needed"):
        Chain.connect(rpc_url, expected_chain_id=1)


def test_raised_fees_replace_a_transaction_everywhere():
    fees = Fees(10, 1).raised()
    assert fees.max_fee >= 10 * 1.1 + 1
    assert fees.priority_fee >= 2


def test_fees_have_a_maximum(rpc_url):
    chain = Chain.connect(rpc_url)
    usual = chain.fees()
    chain.max_fee_per_gas = usual.max_fee - 1
    assert chain.fees().max_fee == usual.max_fee - 1
    chain.max_fee_per_gas = 1
    with pytest.raises(ChainUnavailable, match="more than the allowed"):
        chain.fees()


@pytest.mark.parametrize("kind", ["anvil", "ganache"])
def test_a_refusal_is_the_contracts_own_error_with_its_values(kind, tmp_path):
    """On both chains, because each wraps the data of a revert in its own way."""
    with world.running_chain(tmp_path, kind) as rpc_url:
        made = world.make_world(rpc_url, tmp_path)
        consumer = samples.wallet(2)
        with pytest.raises(Reverted) as raised:
            made.chain.send(made.escrow.close(made.terms, 0), consumer)
        assert raised.value.error == "SLAEscrow_NotJudged"
        assert raised.value.values == {"window": 0, "expiry": made.terms.expiry(0)}

        never_opened = replace(made.terms, salt=b"\x01" * 32)
        with pytest.raises(Reverted, match="SLAEscrow_NotOpen") as raised:
            made.chain.send(made.escrow.fund(never_opened, 1, 1), consumer)
        assert raised.value.values["id"] == f"0x{made.escrow.agreement_id(never_opened).hex()}"


@pytest.fixture
def proxy(rpc_url):
    with RpcProxy(rpc_url) as made:
        yield made


def test_the_newest_block_is_known_by_number_hash_and_time(rpc_url):
    chain = Chain.connect(rpc_url)
    head = chain.head()
    block = chain.w3.eth.get_block(head.number)
    assert (head.hash, head.timestamp) == (bytes(block["hash"]), block["timestamp"])
    assert chain.now() == head.timestamp
    assert chain.finalized() <= head.number


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32602, "invalid argument 0: hex string without 0x prefix"),
        (-32602, "Invalid params"),
        (-32000, "finalized block not found"),
        (-39001, "Unknown block"),
        (-32601, "the method is not there"),
    ],
)
def test_a_chain_that_does_not_know_what_is_final_says_nothing(proxy, code, message):
    chain = Chain.connect(proxy.url)
    proxy.error(code, message, "eth_getBlockByNumber")
    assert chain.finalized() is None
    proxy.clear()
    proxy.result(None, "eth_getBlockByNumber")
    assert chain.finalized() is None


def test_a_node_that_fails_is_no_chain_without_finality(proxy):
    chain = Chain.connect(proxy.url)
    proxy.error(-32603, "Internal error", "eth_getBlockByNumber")
    with pytest.raises(ChainUnavailable, match="Internal error"):
        chain.finalized()


def test_a_transaction_in_no_block_has_no_receipt(rpc_url):
    assert Chain.connect(rpc_url).receipt(b"\x11" * 32) is None


def test_any_web3_over_http_becomes_a_chain(rpc_url):
    w3 = Web3(HTTPProvider(rpc_url))
    chain = Chain(w3, w3.eth.chain_id)
    assert chain.host == rpc_url
    assert chain.now() > 0
    assert w3.eth.accounts, "and works as before"


def test_gas_is_estimated_once_if_it_is_not_given(make_world):
    made = make_world()
    call = made.token.approve(made.escrow.address, 5)
    consumer = samples.wallet(2).address
    gas = made.chain.estimate(call, consumer)
    fees = Fees(10, 1)
    assert made.chain.prepare(call, consumer, 0, fees)["gas"] == int(gas * chain_module.GAS_MARGIN)
    assert made.chain.prepare(call, consumer, 0, fees, gas=77)["gas"] == 77


# Sending, for somebody who waits


@pytest.fixture
def sending(proxy, make_world):
    """A chain behind the proxy, and a call that would work."""
    made = make_world()
    chain = Chain.connect(proxy.url)
    token = world.Token(chain.w3, made.token.address)
    return chain, token.approve(made.escrow.address, 5), samples.wallet(2)


def test_if_the_answer_to_a_transaction_is_lost_the_message_names_it(proxy, sending):
    chain, call, account = sending
    proxy.lose_answer("eth_sendRawTransaction")
    with pytest.raises(ChainUnavailable, match=r"0x[0-9a-f]{64} may have been sent") as raised:
        chain.send(call, account)
    assert "look it up" in raised.value.hint
    proxy.clear()
    named = re.search("0x[0-9a-f]{64}", raised.value.message)[0]
    assert chain.w3.eth.wait_for_transaction_receipt(named)["status"] == 1


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("insufficient funds for gas * price + value", "send coins"),
        ("nonce too low", "something else sends"),
        ("replacement transaction underpriced", "try again later"),
    ],
)
def test_a_transaction_that_is_not_taken_says_why(proxy, sending, message, hint):
    chain, call, account = sending
    proxy.error(-32000, message, "eth_sendRawTransaction")
    with pytest.raises(ChainUnavailable) as raised:
        chain.send(call, account)
    assert raised.value.message.endswith(f"answered: {message}")
    assert hint in raised.value.hint


def test_a_transaction_that_is_not_mined_says_how_long_was_waited(proxy, sending, monkeypatch):
    chain, call, account = sending
    monkeypatch.setattr(chain_module, "RECEIPT_SECONDS", 0.3)
    proxy.drop_transactions()
    with pytest.raises(ChainUnavailable, match=r"0x[0-9a-f]{64} was sent.*within 0.3 s$"):
        chain.send(call, account)


def test_waiting_for_a_receipt_outlasts_a_node_that_fails_now_and_then(proxy, sending):
    chain, call, account = sending
    failing = [0, 0, 0]
    real = chain.receipt

    def flaky(tx_hash):
        if failing:
            failing.pop()
            raise ChainUnavailable("not now")
        return real(tx_hash)

    chain.receipt = flaky
    assert chain.send(call, account)["status"] == 1


def test_whoever_waited_in_vain_says_so_himself(rpc_url):
    chain = Chain.connect(rpc_url)
    with pytest.raises(ChainUnavailable, match=r"after 0\.1 seconds"), chain.errors():
        chain.w3.eth.wait_for_transaction_receipt(b"\x11" * 32, timeout=0.1)
    with pytest.raises(ChainUnavailable) as raised, chain.errors():
        raise TimeExhausted("nobody came within 7 s")
    assert raised.value.message == f"{chain.host}: nobody came within 7 s", (
        "the node gave no bad answer"
    )


def test_failing_without_a_reason_is_a_refusal_too(rpc_url):
    """Anvil has no data for it, and no revert either."""
    chain = Chain.connect(rpc_url)
    with pytest.raises(Reverted, match="InvalidFEOpcode"), chain.errors():
        chain.w3.eth.call({"data": "0xfe"})


def test_a_refusal_as_nethermind_words_it_is_the_contracts_own_error(proxy, sending):
    chain, call, account = sending
    data = "Reverted 0x08c379a0" + "20".zfill(64) + "3".zfill(64) + b"why".hex().ljust(64, "0")

    proxy.error(-32015, "VM execution error.", "eth_call")
    with pytest.raises(Reverted):
        chain.simulate(call, account.address)
    proxy.clear()
    with pytest.raises(Reverted, match="why"), chain.errors():
        raise chain_module.ContractLogicError("execution reverted", data=data)


def test_a_transaction_that_nobody_takes_is_logged_with_the_nodes_words(proxy, sending):
    chain, _, account = sending
    transaction = {
        "type": 2,
        "chainId": chain.chain_id,
        "to": account.address,
        "nonce": chain.nonce(account.address),
        "data": b"",
        "value": 0,
        "gas": 10**9,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 1,
    }
    signed = account.sign_transaction(transaction)
    with structlog.testing.capture_logs() as logs:
        assert chain.broadcast(bytes(signed.raw_transaction)) is Sent.REFUSED
    [line] = logs
    assert line["action"] == "broadcast_refused"
    assert "gas" in line["said"]


def test_an_address_without_a_contract_is_named(rpc_url):
    chain = Chain.connect(rpc_url)
    nothing = world.Escrow(chain.w3, samples.wallet(90).address)
    with pytest.raises(ChainUnavailable, match="contract's address"), chain.errors():
        nothing.held(samples.wallet(91).address)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("08c379a0" + "20".zfill(64) + "3".zfill(64) + b"why".hex().ljust(64, "0"), "refused: why"),
        ("4e487b71" + "11".zfill(64), "arithmetic overflow"),
        ("4e487b71" + "7f".zfill(64), "panic 0x7f"),
        ("deadbeef", "0xdeadbeef"),
        ("", "without a reason"),
        ("08c379a0ff", "0x08c379a0ff"),
    ],
)
def test_other_reverts_are_shown_too(data, words):
    assert words in decode_error(bytes.fromhex(data)).message
