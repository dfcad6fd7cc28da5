"""What nodes and providers say, and what it means. Each row is an answer of one of them."""

from __future__ import annotations

import itertools

import pytest
import requests
from web3.exceptions import ContractLogicError, Web3RPCError

from relayer.errors import ChainUnavailable, Reverted
from relayer.rpc_errors import ACTIONS, Action, EndpointFault, Kind, classify
from tests import samples
from tests.relayer import world

K = Kind
ANSWERS = [
    # go-ethereum
    ("geth", -32000, "already known", K.ALREADY_KNOWN),
    ("geth", -32000, "nonce too low: next nonce 5, tx nonce 3", K.NONCE_TOO_LOW),
    ("geth", -32000, "nonce too low: address 0x71, tx: 3 state: 5", K.NONCE_TOO_LOW),
    ("geth", -32000, "nonce too high: address 0x71, tx: 9 state: 5", K.NONCE_TOO_HIGH),
    ("geth", -32000, "gapped-nonce tx from delegated accounts", K.NONCE_TOO_HIGH),
    ("geth", -32000, "replacement transaction underpriced", K.UNDERPRICED),
    (
        "geth",
        -32000,
        "transaction underpriced: gas tip cap 1, minimum needed 1000000",
        K.UNDERPRICED,
    ),
    ("geth", -32000, "future transaction tries to replace pending", K.UNDERPRICED),
    ("geth", -32000, "txpool is full", K.UNDERPRICED),
    (
        "geth",
        -32000,
        "max fee per gas less than block base fee: address 0x71, maxFeePerGas: 1, baseFee: 875000000",
        K.UNDERPRICED,
    ),
    (
        "geth",
        -32000,
        "insufficient funds for gas * price + value: balance 0, tx cost 21000, overshot 21000",
        K.INSUFFICIENT_FUNDS,
    ),
    (
        "geth",
        -32000,
        "err: insufficient funds for gas * price + value: address 0x71 have 1 want 2 (supplied gas 30000000)",
        K.INSUFFICIENT_FUNDS,
    ),
    ("geth", -32000, "exceeds block gas limit", K.GAS_LIMIT),
    ("geth", -32000, "transaction gas limit too high (cap: 16777216, tx: 20000000)", K.GAS_LIMIT),
    ("geth", -32000, "intrinsic gas too low: gas 20000, minimum needed 21000", K.GAS_LIMIT),
    ("geth", -32000, "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", K.GAS_LIMIT),
    ("geth", -32000, "gas required exceeds allowance (30000000)", K.REVERTED),
    ("geth", 3, "execution reverted: SafeMath: subtraction overflow", K.REVERTED),
    ("geth", -32000, "execution reverted", K.REVERTED),
    ("geth", -32000, "invalid opcode: INVALID", K.REVERTED),
    ("geth", -32000, "header not found", K.LAGGING),
    ("geth", -32000, "missing trie node 1a2b (path ) state 0x1a2b is not available", K.LAGGING),
    (
        "geth",
        -32601,
        "the method eth_foo does not exist/is not available",
        K.UNSUPPORTED,
    ),
    (
        "geth",
        -32602,
        "invalid argument 0: hex string without 0x prefix",
        K.UNSUPPORTED,
    ),
    ("geth", -32000, "invalid sender", K.INVALID),
    ("geth", -32000, "transaction type not supported", K.INVALID),
    ("geth", -32000, "invalid chain id for signer: have 5 want 1", K.WRONG_CHAIN),
    ("geth", -32002, "request timed out", K.TIMEOUT),
    ("geth", -32000, "execution aborted (timeout = 5s)", K.TIMEOUT),
    ("geth", -32000, "finalized block not found", K.LAGGING),
    # nethermind
    ("nethermind", -32010, "AlreadyKnown", K.ALREADY_KNOWN),
    (
        "nethermind",
        -32010,
        "OldNonce, Current nonce: 5, nonce of rejected tx: 3",
        K.NONCE_TOO_LOW,
    ),
    ("nethermind", -32010, "NonceGap, Future nonce. Expected nonce: 5", K.NONCE_TOO_HIGH),
    ("nethermind", -32010, "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1", K.UNDERPRICED),
    ("nethermind", -32010, "FeeTooLowToCompete", K.UNDERPRICED),
    ("nethermind", -32010, "ReplacementNotAllowed", K.UNDERPRICED),
    (
        "nethermind",
        -32010,
        "InsufficientFunds, Account balance: 0, cumulative cost: 1",
        K.INSUFFICIENT_FUNDS,
    ),
    ("nethermind", -32010, "GasLimitExceeded, Gas limit: 30000000", K.GAS_LIMIT),
    ("nethermind", -32010, "InvalidTxChainId", K.WRONG_CHAIN),
    ("nethermind", -32015, "VM execution error.", K.REVERTED),
    # erigon
    ("erigon", -32000, "ALREADY_EXISTS: already known", K.ALREADY_KNOWN),
    ("erigon", -32000, "existing tx with same hash", K.ALREADY_KNOWN),
    ("erigon", -32000, "nonce too low", K.NONCE_TOO_LOW),
    ("erigon", -32000, "could not replace existing tx", K.UNDERPRICED),
    ("erigon", -32000, "UNDERPRICED: underpriced", K.UNDERPRICED),
    ("erigon", -32000, "INTERNAL_ERROR: insufficient funds", K.INSUFFICIENT_FUNDS),
    # besu; its codes are those of other people's rate limits
    ("besu", -32000, "Known transaction", K.ALREADY_KNOWN),
    ("besu", -32001, "Nonce too low", K.NONCE_TOO_LOW),
    ("besu", -32006, "Nonce too high", K.NONCE_TOO_HIGH),
    (
        "besu",
        -32000,
        "Transaction nonce is too distant from current sender nonce",
        K.NONCE_TOO_HIGH,
    ),
    ("besu", -32000, "Replacement transaction underpriced", K.UNDERPRICED),
    ("besu", -32009, "Gas price below configured minimum gas price", K.UNDERPRICED),
    ("besu", -32009, "Gas price below current base fee", K.UNDERPRICED),
    ("besu", -32004, "Upfront cost exceeds account balance", K.INSUFFICIENT_FUNDS),
    ("besu", -32005, "Transaction gas limit exceeds block gas limit", K.GAS_LIMIT),
    ("besu", -32003, "Intrinsic gas exceeds gas limit", K.GAS_LIMIT),
    ("besu", -32000, "Transaction fee cap exceeded", K.GAS_LIMIT),
    ("besu", -32007, "Sender account not authorized to send transactions", K.INVALID),
    ("besu", -32008, "Initial sync is still in progress", K.LAGGING),
    ("besu", -32000, "Wrong chainId", K.WRONG_CHAIN),
    ("besu", -32000, "Execution reverted", K.REVERTED),
    # reth
    ("reth", -32000, "already known", K.ALREADY_KNOWN),
    ("reth", -32000, "nonce too low: next nonce 5, tx nonce 3", K.NONCE_TOO_LOW),
    ("reth", -32000, "replacement transaction underpriced", K.UNDERPRICED),
    ("reth", -32000, "max fee per gas less than block base fee", K.UNDERPRICED),
    (
        "reth",
        -32000,
        "insufficient funds for gas * price + value: have 0 want 21000",
        K.INSUFFICIENT_FUNDS,
    ),
    ("reth", -32000, "exceeds block gas limit", K.GAS_LIMIT),
    ("reth", -32001, "block not found: 0x10", K.LAGGING),
    # parity and its heirs
    (
        "parity",
        -32010,
        "Transaction with the same hash was already imported.",
        K.ALREADY_KNOWN,
    ),
    (
        "parity",
        -32010,
        "Transaction nonce is too low. Try incrementing the nonce.",
        K.NONCE_TOO_LOW,
    ),
    (
        "parity",
        -32010,
        "There is another transaction with same nonce in the queue. Try increasing the gas price",
        K.UNDERPRICED,
    ),
    (
        "parity",
        -32010,
        "Insufficient funds. The account you tried to send transaction from does not have enough funds.",
        K.INSUFFICIENT_FUNDS,
    ),
    # anvil
    ("anvil", -32003, "transaction already imported", K.ALREADY_KNOWN),
    ("anvil", -32003, "nonce too low", K.NONCE_TOO_LOW),
    ("anvil", -32003, "replacement transaction underpriced", K.UNDERPRICED),
    ("anvil", -32003, "max fee per gas less than block base fee", K.UNDERPRICED),
    ("anvil", -32003, "Insufficient funds for gas * price + value", K.INSUFFICIENT_FUNDS),
    (
        "anvil",
        -32000,
        "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit",
        K.GAS_LIMIT,
    ),
    ("anvil", -32003, "Out of gas: gas required exceeds allowance: 30000000", K.REVERTED),
    ("anvil", -32603, "EVM error InvalidFEOpcode", K.REVERTED),
    (
        "anvil",
        -32602,
        "BlockOutOfRangeError: block height is 2 but requested was 65535",
        K.LAGGING,
    ),
    ("anvil", -32003, "invalid chain id for signer", K.WRONG_CHAIN),
    ("anvil", -32003, "max priority fee per gas higher than max fee per gas", K.INVALID),
    ("anvil", -32602, "Failed to decode transaction", K.INVALID),
    ("anvil", -32601, "Method not found", K.UNSUPPORTED),
    # ganache
    (
        "ganache",
        -32000,
        "the tx doesn't have the correct nonce. account has nonce of: 5 tx has nonce of: 3",
        K.NONCE_TOO_LOW,
    ),
    (
        "ganache",
        -32000,
        "the tx doesn't have the correct nonce. account has nonce of: 5 tx has nonce of: 9",
        K.NONCE_TOO_HIGH,
    ),
    (
        "ganache",
        -32000,
        "VM Exception while processing transaction: revert nonce too low",
        K.REVERTED,
    ),
    ("ganache", -32000, "transaction underpriced", K.UNDERPRICED),
    (
        "ganache",
        -32000,
        "sender doesn't have enough funds to send tx. The upfront cost is: 1 and the sender's account only has: 0",
        K.INSUFFICIENT_FUNDS,
    ),
    # hardhat
    ("hardhat", -32000, "Known transaction: 0xabcd", K.ALREADY_KNOWN),
    ("hardhat", -32000, "Nonce too low. Expected nonce to be 5 but got 3.", K.NONCE_TOO_LOW),
    ("hardhat", -32000, "Nonce too high. Expected nonce to be 5 but got 9.", K.NONCE_TOO_HIGH),
    (
        "hardhat",
        -32000,
        "Transaction maxFeePerGas (1) is too low for the next block, which has a baseFeePerGas of 875000000",
        K.UNDERPRICED,
    ),
    (
        "hardhat",
        -32000,
        "Sender doesn't have enough funds to send tx. The max upfront cost is: 1",
        K.INSUFFICIENT_FUNDS,
    ),
    (
        "hardhat",
        -32000,
        "Transaction gas limit is 50000000 and exceeds block gas limit of 30000000",
        K.GAS_LIMIT,
    ),
    (
        "hardhat",
        -32603,
        "Error: VM Exception while processing transaction: reverted with reason string 'insufficient funds'",
        K.REVERTED,
    ),
    ("hardhat", -32603, "Transaction reverted without a reason string", K.REVERTED),
    # providers
    (
        "infura",
        -32005,
        "daily request count exceeded, request rate limited",
        K.RATE_LIMITED,
    ),
    ("infura", -32005, "project ID request rate exceeded", K.RATE_LIMITED),
    ("infura", -32005, "query returned more than 10000 results", K.INVALID),
    ("infura", -32005, "", K.RATE_LIMITED),
    (
        "alchemy",
        429,
        "Your app has exceeded its compute units per second capacity.",
        K.RATE_LIMITED,
    ),
    (
        "alchemy",
        429,
        "Monthly capacity limit exceeded. Visit the dashboard to upgrade.",
        K.RATE_LIMITED,
    ),
    ("alchemy", 429, "slow down", K.RATE_LIMITED),
    ("alchemy", -32600, "Must be authenticated!", K.HTTP_ERROR),
    ("quicknode", -32007, "50/second request limit reached", K.RATE_LIMITED),
    ("quicknode", -32007, "later", K.RATE_LIMITED),
    ("proxyd", -32016, "over rate limit", K.RATE_LIMITED),
    ("proxyd", -32017, "sender is over rate limit", K.RATE_LIMITED),
    ("proxyd", -32011, "no backends available for method", K.CONNECTION),
    ("proxyd", -32015, "gateway timeout", K.TIMEOUT),
    ("a provider", -32603, "service temporarily unavailable", K.CONNECTION),
    # codes alone
    ("eth_simulateV1", -38010, "", K.NONCE_TOO_LOW),
    ("eth_simulateV1", -38012, "", K.UNDERPRICED),
    ("eth_simulateV1", -38014, "", K.INSUFFICIENT_FUNDS),
    ("anybody", 3, "", K.REVERTED),
    ("anybody", -32601, "", K.UNSUPPORTED),
    ("anybody", -32602, "", K.INVALID),
    ("anybody", -32000, "something that nobody has seen before", K.OTHER),
    ("anybody", -32603, "Internal error", K.OTHER),
]


@pytest.mark.parametrize(("who", "code", "message", "kind"), ANSWERS)
def test_every_answer_has_its_kind(who, code, message, kind):
    assert classify({"code": code, "message": message}) is kind


@pytest.mark.parametrize("code", [-32000, -32010, -32602, -32603, -32005])
@pytest.mark.parametrize(
    ("message", "kind"),
    [("nonce too low", K.NONCE_TOO_LOW), ("already known", K.ALREADY_KNOWN)],
)
def test_the_words_win_over_the_code(code, message, kind):
    assert classify({"code": code, "message": message}) is kind


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32603, "message": "Internal error", "data": {"message": "nonce too low"}},
        {"code": -32603, "message": "Internal error", "data": "nonce too low"},
        {
            "code": -32603,
            "message": "upstream",
            "data": {"originalError": {"code": -32000, "message": "Nonce too low"}},
        },
        {"code": -32602, "message": "", "error": {"code": -38010, "message": ""}},
    ],
)
def test_wrapped_errors_are_looked_into(error):
    assert classify(error) is K.NONCE_TOO_LOW


def test_bytes_in_an_error_are_no_words():
    assert classify({"code": -32000, "message": "odd", "data": "0x" + b"429".hex()}) is K.OTHER
    assert classify({"code": 3, "message": "", "data": "0x08c379a0"}) is K.REVERTED
    assert classify({"code": -32015, "message": "?", "data": "Reverted 0x08c379a0"}) is K.REVERTED


def raised(error, cause=None, context=None):
    error.__cause__, error.__context__ = cause, context
    return error


def rpc_error(message, code=-32000):
    error = {"code": code, "message": message}
    return Web3RPCError(repr(error), rpc_response={"jsonrpc": "2.0", "id": 1, "error": error})


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (rpc_error("already known"), K.ALREADY_KNOWN),
        (raised(ChainUnavailable("x"), cause=rpc_error("nonce too low")), K.NONCE_TOO_LOW),
        (raised(RuntimeError("x"), context=rpc_error("nonce too low")), K.NONCE_TOO_LOW),
        (
            raised(
                ChainUnavailable("x"),
                cause=raised(RuntimeError("x"), cause=EndpointFault(K.GARBAGE, "x")),
            ),
            K.GARBAGE,
        ),
        (ContractLogicError("execution reverted"), K.REVERTED),
        (Reverted("nonce too low"), K.REVERTED),
        (requests.ReadTimeout(), K.TIMEOUT),
        (requests.ConnectTimeout(), K.TIMEOUT),
        (requests.ConnectionError(), K.CONNECTION),
        (ConnectionResetError(), K.CONNECTION),
        (requests.JSONDecodeError("x", "y", 0), K.GARBAGE),
        (requests.exceptions.ChunkedEncodingError(), K.GARBAGE),
        (ValueError("no number"), K.GARBAGE),
        (RuntimeError("nonce too low"), K.OTHER),
    ],
)
def test_the_whole_chain_of_causes_is_looked_at(error, kind):
    assert classify(error) is kind


@pytest.mark.parametrize(("status", "kind"), [(429, K.RATE_LIMITED), (503, K.HTTP_ERROR)])
def test_http_errors_have_their_kind(status, kind):
    response = requests.Response()
    response.status_code = status
    assert classify(requests.HTTPError(response=response)) is kind


def test_causes_that_go_in_a_circle_end():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first) is K.OTHER


def test_every_kind_says_what_to_do():
    assert set(ACTIONS) == set(Kind)
    assert {kind for kind in Kind if kind.action is Action.SUCCESS} == {K.ALREADY_KNOWN}
    assert {kind for kind in Kind if kind.action is Action.BUMP} == {K.UNDERPRICED}
    assert {kind for kind in Kind if kind.action is Action.PAUSE} == {K.INSUFFICIENT_FUNDS}
    assert {kind for kind in Kind if kind.action is Action.ASK_CHAIN} == {K.NONCE_TOO_LOW}


def test_what_blames_an_endpoint_is_asked_elsewhere_and_what_is_about_the_call_blames_none():
    for kind in Kind:
        if kind.blames_endpoint:
            assert kind.action is Action.NEXT_ENDPOINT
    for kind in (K.REVERTED, K.NONCE_TOO_LOW, K.UNDERPRICED, K.INSUFFICIENT_FUNDS):
        assert not kind.blames_endpoint


def test_every_kind_that_nodes_speak_of_has_a_row():
    said = {kind for *_, kind in ANSWERS}
    assert set(Kind) - said == {K.GARBAGE}, "garbage is no answer of a node"


# Real nodes


class Node:
    def __init__(self, url):
        self.url = url
        self.numbers = itertools.count()
        self.chain_id = int(self.ask("eth_chainId")["result"], 16)

    def ask(self, method, *params):
        question = {
            "jsonrpc": "2.0",
            "id": next(self.numbers),
            "method": method,
            "params": params,
        }
        return requests.post(self.url, json=question, timeout=30).json()

    def send(self, account, nonce, **changes):
        transaction = {
            "type": 2,
            "chainId": self.chain_id,
            "to": account.address,
            "nonce": nonce,
            "data": b"",
            "value": 0,
            "gas": 21_000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
        }
        signed = account.sign_transaction(transaction | changes)
        return self.ask("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())

    def kind(self, answer):
        assert "error" in answer, answer
        return classify(answer["error"])


@pytest.fixture(scope="module", params=["anvil", "ganache"])
def node(request, tmp_path_factory):
    with world.running_chain(tmp_path_factory.mktemp(request.param), request.param) as url:
        made = Node(url)
        made.name = request.param
        yield made


def test_real_nodes_are_understood(node):
    rich, poor = samples.wallet(0), samples.wallet(95)
    assert "result" in node.send(rich, 0)
    if node.name == "anvil":
        node.ask("evm_setAutomine", False)
        assert node.kind(node.send(rich, 0, value=1)) is K.NONCE_TOO_LOW
    else:
        node.ask("miner_stop")
    assert "result" in node.send(rich, 1)
    if node.name == "anvil":  # ganache takes what it has without a word
        assert node.kind(node.send(rich, 1)) is K.ALREADY_KNOWN
        cheap = node.send(rich, 2, maxFeePerGas=1, maxPriorityFeePerGas=1)
        assert node.kind(cheap) is K.UNDERPRICED
        assert node.kind(node.send(rich, 2, chainId=5)) is K.WRONG_CHAIN
    assert node.kind(node.send(rich, 1, value=1)) is K.UNDERPRICED
    assert node.kind(node.send(poor, 0)) is K.INSUFFICIENT_FUNDS
    assert node.kind(node.send(rich, 2, gas=10**9)) is K.GAS_LIMIT
    assert node.kind(node.send(rich, 2, gas=20_000)) is K.GAS_LIMIT
    assert node.kind(node.ask("eth_sendRawTransaction", "0x1234")) in (K.INVALID, K.OTHER)
    reverting, invalid = {"data": "0x60006000fd"}, {"data": "0xfe"}
    assert node.kind(node.ask("eth_call", reverting, "latest")) is K.REVERTED
    assert node.kind(node.ask("eth_call", invalid, "latest")) is K.REVERTED
    assert node.kind(node.ask("eth_estimateGas", reverting)) is K.REVERTED
    assert node.kind(node.ask("eth_call", invalid, "0xffff")) is K.LAGGING
    assert node.kind(node.ask("eth_nonsense")) is K.UNSUPPORTED
