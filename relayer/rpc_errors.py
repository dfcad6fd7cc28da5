"""What an error of a node means. Every node and every provider words them differently; here each wording has its kind.

The words decide before the code does: -32005 is "too many requests" of one provider and "more gas than a block has" of a
node, and the same failure comes as -32000, -32003, -32602 or -32603, depending on who passes it on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum, StrEnum, auto
from typing import Any, Final

import requests
from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    ContractLogicError,
    Web3RPCError,
)

from relayer.errors import Reverted


class Action(Enum):
    """What to do about an error."""

    SUCCESS = auto()
    """Nothing: the node has what it was given."""
    ASK_CHAIN = auto()
    """The nonce is used: look what became of the transactions that had it."""
    BUMP = auto()
    """Offer higher fees."""
    PAUSE = auto()
    """Wait until somebody has sent coins; the nonce stays."""
    NEXT_ENDPOINT = auto()
    """Ask another endpoint; says nothing about the request."""
    REJECT = auto()
    """The request itself is at fault: asking again or elsewhere does not help."""


class Kind(StrEnum):
    """The kinds of errors; the values are labels of metrics and do not change."""

    ALREADY_KNOWN = "already_known"
    NONCE_TOO_LOW = "nonce_too_low"
    NONCE_TOO_HIGH = "nonce_too_high"
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    REVERTED = "reverted"
    GAS_LIMIT = "gas_limit"
    INVALID = "invalid"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    HTTP_ERROR = "http_error"
    GARBAGE = "garbage"
    WRONG_CHAIN = "wrong_chain"
    LAGGING = "lagging"
    UNSUPPORTED = "unsupported"
    OTHER = "other"

    @property
    def action(self) -> Action:
        return ACTIONS[self]

    @property
    def blames_endpoint(self) -> bool:
        """Whether the endpoint is at fault, whatever it was asked, and should rest.

        One that lacks a method or an old block, or says something new, may still be good for everything else.
        """
        return self in _ENDPOINTS_FAULT


ACTIONS: Final[Mapping[Kind, Action]] = {
    Kind.ALREADY_KNOWN: Action.SUCCESS,
    Kind.NONCE_TOO_LOW: Action.ASK_CHAIN,
    Kind.NONCE_TOO_HIGH: Action.REJECT,
    Kind.UNDERPRICED: Action.BUMP,
    Kind.INSUFFICIENT_FUNDS: Action.PAUSE,
    Kind.REVERTED: Action.REJECT,
    Kind.GAS_LIMIT: Action.REJECT,
    Kind.INVALID: Action.REJECT,
    Kind.RATE_LIMITED: Action.NEXT_ENDPOINT,
    Kind.TIMEOUT: Action.NEXT_ENDPOINT,
    Kind.CONNECTION: Action.NEXT_ENDPOINT,
    Kind.HTTP_ERROR: Action.NEXT_ENDPOINT,
    Kind.GARBAGE: Action.NEXT_ENDPOINT,
    Kind.WRONG_CHAIN: Action.NEXT_ENDPOINT,
    Kind.LAGGING: Action.NEXT_ENDPOINT,
    Kind.UNSUPPORTED: Action.NEXT_ENDPOINT,
    Kind.OTHER: Action.NEXT_ENDPOINT,
}

_ENDPOINTS_FAULT = frozenset(
    {
        Kind.RATE_LIMITED,
        Kind.TIMEOUT,
        Kind.CONNECTION,
        Kind.HTTP_ERROR,
        Kind.GARBAGE,
        Kind.WRONG_CHAIN,
    }
)

# The first row of which a word occurs decides. A revert comes first: a contract's own words may be anything.
_WORDS: Final[tuple[tuple[Kind, tuple[str, ...]], ...]] = (
    (
        Kind.REVERTED,
        (
            "execution reverted",
            "vm exception while processing transaction",  # ganache, hardhat
            "transaction reverted",  # hardhat
            "reverted 0x",  # nethermind, parity, in `data`
            "vm execution error",  # nethermind, parity
            "evm error",  # anvil
            "invalid opcode",
            "invalid jump destination",
            "stack underflow",
            "out of gas:",  # anvil
            "gas required exceeds allowance",  # geth, for a call that fails with all the gas there is
        ),
    ),
    (
        Kind.ALREADY_KNOWN,
        (
            "already known",
            "alreadyknown",  # nethermind
            "already_exists",  # erigon
            "existing tx with same hash",  # erigon
            "known transaction",  # besu, hardhat, old geth
            "already imported",  # anvil, parity
            "already in mempool",
            "already in the mempool",
            "already exists in the mempool",
            "tx already exists in cache",  # chains of the Cosmos kind
        ),
    ),
    (
        Kind.NONCE_TOO_LOW,
        ("nonce too low", "nonce is too low", "oldnonce", "nonce_too_low", "invalid nonce; got"),
    ),
    (
        Kind.NONCE_TOO_HIGH,
        (
            "nonce too high",
            "nonce is too high",
            "noncegap",  # nethermind
            "noncetoofarinfuture",  # nethermind
            "nonce is too distant",  # besu
            "nonce too distant",
            "gapped-nonce",  # geth, for delegated accounts
            "nonce gap",
        ),
    ),
    (
        Kind.UNDERPRICED,
        (
            "underpriced",
            "feetoolow",  # nethermind
            "fee too low",
            "replacementnotallowed",  # nethermind
            "could not replace existing tx",  # erigon
            "another transaction with same nonce",  # parity
            "future transaction tries to replace pending",
            "less than block base fee",
            "less than the block's basefeepergas",  # ganache
            "is too low for the next block",  # hardhat
            "below current base fee",  # besu
            "below configured minimum",  # besu
            "gas price is too low",  # parity
            "gas price too low",
            "gas tip cap",  # geth: "gas tip cap 1, minimum needed 25000000000"
            "transaction is outdated",
            "txpool is full",
            "pool is full",
            "pool overflow",
        ),
    ),
    (
        Kind.INSUFFICIENT_FUNDS,
        (
            "insufficient funds",
            "insufficientfunds",  # nethermind
            "insufficient balance",
            "doesn't have enough funds",  # ganache, hardhat
            "does not have enough funds",  # parity
            "upfront cost exceeds",  # besu
        ),
    ),
    (
        Kind.GAS_LIMIT,
        (
            "exceeds block gas limit",  # geth, besu, erigon, hardhat
            "gaslimitexceeded",  # nethermind
            "gas limit too high",  # EIP-7825
            "gas limit is too high",
            "exceeds max transaction gas limit",  # reth
            "exceeds the block gas limit",
            "intrinsic gas too high",  # anvil
            "intrinsic gas too low",
            "intrinsic gas exceeds",  # besu
            "gas limit is below intrinsic",
            "insufficient gas for floor data",  # EIP-7623
            "gas uint64 overflow",
            "exceeds the configured cap",  # geth: gas times price
            "fee cap exceeded",  # besu
        ),
    ),
    (
        Kind.RATE_LIMITED,
        (
            "rate limit",
            "rate exceeded",
            "request limit reached",  # QuickNode: "50/second request limit reached"
            "request count exceeded",  # Infura
            "too many requests",
            "compute units",  # Alchemy
            "throughput",  # Alchemy
            "capacity limit",  # Alchemy: "monthly capacity limit exceeded"
            "capacity exceeded",
            "quota",
            "usage limit",
            "out of credits",
        ),
    ),
    (
        Kind.TIMEOUT,
        (
            "request timed out",
            "request timeout",
            "gateway timeout",
            "upstream timeout",
            "execution aborted (timeout",  # geth
            "deadline exceeded",
        ),
    ),
    (
        Kind.CONNECTION,
        (
            "bad gateway",
            "service unavailable",
            "temporarily unavailable",
            "no backend",
            "no available server",
            "backend is offline",
            "connection refused",
            "connection reset",
            "failed to forward",
        ),
    ),
    (
        Kind.HTTP_ERROR,
        (
            "unauthorized",
            "must be authenticated",
            "invalid api key",
            "invalid project id",
            "project id required",
            "forbidden",
            "access denied",
        ),
    ),
    (
        Kind.WRONG_CHAIN,
        (
            "invalid chain id",
            "invalidchainid",
            "wrong chainid",  # besu
            "wrong chain id",
            "chain id mismatch",
            "chainid not supported",  # besu
            "incompatible eip155",  # hardhat
            "invalidtxchainid",  # nethermind
        ),
    ),
    (
        Kind.UNSUPPORTED,
        (
            "does not exist/is not available",  # geth
            "method not found",
            "method not supported",
            "unsupported method",
            "method is not whitelisted",
            "hex string without 0x prefix",  # a tag of blocks, e.g. `finalized`, that the node does not know
            "unknown block tag",
            "invalid block tag",
        ),
    ),
    (
        Kind.LAGGING,
        (
            "header not found",
            "header for hash not found",
            "block not found",
            "unknown block",
            "blockoutofrange",  # anvil
            "block is out of range",
            "after last accepted block",  # coreth
            "missing trie node",
            "state not available",
            "state is not available",
            "no state available",
            "not available, pruned",
            "has been pruned",
            "history has been pruned",
            "sync is still in progress",  # besu
            "still syncing",
            "is syncing",
            "not synced",
        ),
    ),
    (
        Kind.INVALID,
        (
            "query returned more than",  # Infura, with the code of its rate limit
            "priority fee per gas higher than",
            "invalid sender",
            "invalid signature",
            "transaction type not supported",
            "invalid transaction type",
            "failed to decode",
            "rlp:",
            "oversized data",
            "max initcode size",
            "sender account not authorized",  # besu
            "address already reserved",
            "in-flight transaction limit",
            "invalid params",
            "invalid argument",
            "invalid request",
            "missing value for required argument",
        ),
    ),
)

# For errors whose words say nothing.
_CODES: Final[Mapping[int, Kind]] = {
    3: Kind.REVERTED,
    -32015: Kind.REVERTED,  # nethermind, parity
    429: Kind.RATE_LIMITED,  # Alchemy
    -32005: Kind.RATE_LIMITED,  # Infura
    -32007: Kind.RATE_LIMITED,  # QuickNode
    -32016: Kind.RATE_LIMITED,  # proxyd, before many public endpoints
    -32017: Kind.RATE_LIMITED,  # proxyd, per sender
    -32029: Kind.RATE_LIMITED,
    -32601: Kind.UNSUPPORTED,
    -32602: Kind.INVALID,
    -32600: Kind.INVALID,
    -32700: Kind.INVALID,
    # eth_simulateV1 and what follows its codes
    -38010: Kind.NONCE_TOO_LOW,
    -38011: Kind.NONCE_TOO_HIGH,
    -38012: Kind.UNDERPRICED,
    -38013: Kind.GAS_LIMIT,
    -38014: Kind.INSUFFICIENT_FUNDS,
    -38015: Kind.GAS_LIMIT,
}

# "the tx doesn't have the correct nonce. account has nonce of: 5 tx has nonce of: 3" (ganache, hardhat before 2.0)
_INCORRECT_NONCE = re.compile(r"correct nonce.*account has nonce of: (\d+).*tx has nonce of: (\d+)")


class EndpointFault(Exception):
    """One endpoint failed: it gave no answer, or one that is worth nothing.

    :param said: For people, without secrets, beginning with the endpoint.
    """

    def __init__(self, kind: Kind, said: str) -> None:
        super().__init__(said)
        self.kind = kind
        self.said = said


def classify(problem: Mapping[str, Any] | BaseException) -> Kind:
    """The kind of an error object of JSON-RPC, or of an exception and whatever caused it."""
    if isinstance(problem, BaseException):
        kinds = (_exception_kind(error) for error in _causes(problem))
        return next((kind for kind in kinds if kind is not Kind.OTHER), Kind.OTHER)
    return _error_kind(problem)


def _error_kind(error: Mapping[str, Any]) -> Kind:
    nested = tuple(_nested(error))
    said = " | ".join(text for level in nested for text in _texts(level)).lower()
    if match := _INCORRECT_NONCE.search(said):
        used = int(match[2]) < int(match[1])
        # A contract's own words may be these, too.
        if not any(word in said for word in _WORDS[0][1]):
            return Kind.NONCE_TOO_LOW if used else Kind.NONCE_TOO_HIGH
    for kind, words in _WORDS:
        if any(word in said for word in words):
            return kind
    codes = (level.get("code") for level in reversed(nested))  # who wraps an error knows less
    kinds = (_CODES[code] for code in codes if isinstance(code, int) and code in _CODES)
    return next(kinds, Kind.OTHER)


def _nested(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """An error and those that it wraps: ganache, hardhat and providers put the node's own into `data` or `error`."""
    yield error
    for name in ("data", "error", "originalError", "cause"):
        inner = error.get(name)
        if isinstance(inner, Mapping):
            yield from _nested(inner)


def _texts(error: Mapping[str, Any]) -> Iterator[str]:
    for name in ("message", "data", "reason"):
        text = error.get(name)
        if isinstance(text, str) and not text.startswith("0x"):
            yield text


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


_EXCEPTIONS: Final[tuple[tuple[tuple[type[BaseException], ...], Kind], ...]] = (
    ((Reverted, ContractLogicError), Kind.REVERTED),
    ((requests.Timeout, TimeoutError), Kind.TIMEOUT),
    (
        (
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
            requests.JSONDecodeError,
            BadResponseFormat,
            BadFunctionCallOutput,
        ),
        Kind.GARBAGE,
    ),
    ((requests.ConnectionError, ConnectionError), Kind.CONNECTION),
    ((requests.RequestException,), Kind.HTTP_ERROR),
    ((ValueError,), Kind.GARBAGE),
)


def _exception_kind(error: BaseException) -> Kind:
    if isinstance(error, EndpointFault):
        return error.kind
    if isinstance(error, Web3RPCError):
        answered: Any = (error.rpc_response or {}).get("error")
        return _error_kind(answered if isinstance(answered, Mapping) else {"message": str(error)})
    if isinstance(error, requests.HTTPError) and error.response is not None:
        limited = error.response.status_code == requests.codes.too_many_requests
        return Kind.RATE_LIMITED if limited else Kind.HTTP_ERROR
    return next((kind for types, kind in _EXCEPTIONS if isinstance(error, types)), Kind.OTHER)
