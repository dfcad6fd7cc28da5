"""What nodes answer, and what becomes of it: one clear error, with the contract's own words where there are some."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from relayer.bindings import decode_error
from relayer.chain import Chain, Fees
from relayer.demo.processes import free_port
from relayer.errors import ChainUnavailable, Reverted
from tests import samples
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
