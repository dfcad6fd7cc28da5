"""Several RPC endpoints used as one: the next is asked when one fails, and what they say is checked against each other.

An endpoint is asked for its chain before anything else, and again whenever it comes back. One that fails rests, longer each
time; one whose newest block is old rests too. What it says about a call, such as a revert, is an answer and no failure.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import structlog
from eth_utils.crypto import keccak
from web3.providers.base import JSONBaseProvider

from relayer.errors import ChainUnavailable, ConfigurationError
from relayer.operations import metrics
from relayer.redaction import redacted_url
from relayer.rpc_endpoint import Endpoint, Head, as_head
from relayer.rpc_errors import Action, EndpointFault, Kind, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from web3.types import RPCEndpoint, RPCResponse

    from relayer.operations.alerts import Alerts

log = structlog.get_logger(__name__)

FIRST_REST_SECONDS = 1
LONGEST_REST_SECONDS = 60
DOWN_AFTER = 3
"""Failures in a row after which an alert says so: a single one is the network's daily life."""
PROBE_SECONDS = 5
"""How long an endpoint may take to show that it is well, while there are others."""
HEAD_SECONDS = 15
"""Time between two looks at the newest blocks of all endpoints."""
LAG_SECONDS = 60
LAG_BLOCKS = 3
"""An endpoint lags if its newest block is both more seconds and more blocks behind that of the others."""
MEMORY_SECONDS = 60
"""For so long a block or nonce that was seen counts although nobody shows it any more."""

# Which answer to a transaction is told, if endpoints give several.
_BEST_FIRST = (
    None,
    Kind.ALREADY_KNOWN,
    Kind.NONCE_TOO_LOW,
    Kind.UNDERPRICED,
    Kind.INSUFFICIENT_FUNDS,
)


@dataclass
class _State:
    """What is known of an endpoint; guarded by the provider's lock.

    :param checked: Whether its chain was asked for since it last failed.
    :param fault: Why it rests.
    """

    checked: bool = False
    failures: int = 0
    rests_until: float = 0.0
    fault: Kind | None = None
    head: Head | None = None
    head_at: float = 0.0


@dataclass
class _Mark:
    """The highest block or nonce that was ever shown, and when that was last."""

    height: int
    seen_at: float


class FailoverProvider(JSONBaseProvider):
    """A web3 provider over several endpoints. Safe to use from several threads.

    :param urls: The endpoints, the preferred one first.
    :param chain_id: The chain that they must serve; None: whichever the first that answers does.
    :param alerts: Where to say that an endpoint fails; None: nowhere, for a command that ends soon anyway.
    :param clock: Only differences count [s].
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        chain_id: int | None = None,
        alerts: Alerts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        if not urls:
            raise ConfigurationError("no RPC endpoint is configured", hint="set rpcUrl")
        self.chain_id = chain_id
        self.endpoints = [
            Endpoint(url, label) for url, label in zip(urls, _labels(urls), strict=True)
        ]
        self._states = {endpoint: _State() for endpoint in self.endpoints}
        self._alerts = alerts
        self._clock = clock
        self._lock = threading.Lock()
        self._heads_due = 0.0
        self._marks: dict[str, _Mark] = {}

    def __repr__(self) -> str:
        return f"FailoverProvider({self.name})"

    @property
    def name(self) -> str:
        """All endpoints, without anything secret."""
        return ", ".join(endpoint.label for endpoint in self.endpoints)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer of the first endpoint that has one.

        :raises ChainUnavailable: None has.
        """
        if method == "eth_sendRawTransaction":
            kind, answer = self.broadcast(params[0])
            if kind is Kind.ALREADY_KNOWN:
                known = {"jsonrpc": "2.0", "id": answer["id"], "result": _hash(params[0])}
                return cast("RPCResponse", known)
            return answer
        self.watch_heads()
        answer = self._first_answer(method, params)
        return self._never_back(method, params, answer)

    def is_connected(self, show_traceback: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002 - web3's signature
        """Whether any endpoint answers."""
        try:
            self.make_request(cast("RPCEndpoint", "eth_chainId"), [])
        except ChainUnavailable:
            return False
        return True

    def broadcast(self, raw: str) -> tuple[Kind | None, RPCResponse]:
        """Give a signed transaction to every endpoint that is well: one that takes it may still lose it.

        :param raw: The transaction as ``0x...``.
        :returns: The best answer, and its kind: None if it was accepted.
        :raises ChainUnavailable: No endpoint gave a clear answer.
        """
        answers: list[tuple[Kind | None, RPCResponse]] = []
        faults: list[EndpointFault] = []
        for endpoint in self._in_order():
            if answers and self.rests(endpoint):
                break
            try:
                answer = self.ask(endpoint, cast("RPCEndpoint", "eth_sendRawTransaction"), [raw])
            except EndpointFault as fault:
                faults.append(fault)
                continue
            kind = _kind(answer)
            if kind in (Kind.LAGGING, Kind.UNSUPPORTED):
                faults.append(EndpointFault(kind, f"{endpoint.label} answered: {_said(answer)}"))
            else:
                answers.append((kind, answer))
        if not answers:
            raise self._unavailable(faults)
        return min(answers, key=lambda pair: _rank(pair[0]))

    # One endpoint

    def ask(self, endpoint: Endpoint, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Its answer, and whatever that tells about the endpoint. Raises EndpointFault."""
        try:
            if not self._states[endpoint].checked:
                self._check(endpoint)
            answer = endpoint.make_request(method, params)
        except EndpointFault as fault:
            self._failed(endpoint, fault)
            raise
        self._succeeded(endpoint)
        newest = (method, params and params[0]) == ("eth_getBlockByNumber", "latest")
        if newest and "result" in answer:
            self._note_head(endpoint, as_head(cast("dict[str, Any]", answer["result"])))
        return answer

    def _check(self, endpoint: Endpoint) -> None:
        """Make sure that it serves our chain, and its newest part."""
        seconds = PROBE_SECONDS if self._others_are_well(endpoint) else None
        found = endpoint.chain_id(seconds=seconds)
        with self._lock:
            if self.chain_id is None:
                self.chain_id = found
            needed = self.chain_id
        if found != needed:
            said = f"{endpoint.label} serves chain {found}, but chain {needed} is needed"
            if self._alerts is not None:
                self._alerts.fire("rpc_wrong_chain", endpoint.label, said)
            raise EndpointFault(Kind.WRONG_CHAIN, said)
        if self._alerts is not None:
            self._alerts.clear("rpc_wrong_chain", endpoint.label)
        if len(self.endpoints) > 1:
            head = endpoint.head(seconds=seconds)
            with self._lock:
                lag = self._lag(head, without=endpoint)
            if lag is not None:
                raise EndpointFault(Kind.LAGGING, f"{endpoint.label} is {lag}")
            self._note_head(endpoint, head)
        with self._lock:
            self._states[endpoint].checked = True

    def _failed(self, endpoint: Endpoint, fault: EndpointFault) -> None:
        with self._lock:
            state = self._states[endpoint]
            state.checked = False
            state.fault = fault.kind
            now = self._clock()
            # One that was asked although it rests does not rest longer for that.
            if now >= state.rests_until:
                rest = min(FIRST_REST_SECONDS * 2 ** min(state.failures, 10), LONGEST_REST_SECONDS)
                state.failures += 1
                state.rests_until = now + rest
            failures = state.failures
        metrics.RPC_ERRORS.labels(endpoint.label, fault.kind.value).inc()
        metrics.RPC_UP.labels(endpoint.label).set(0)
        if self._alerts is not None and failures >= DOWN_AFTER:
            self._alerts.fire("rpc_down", endpoint.label, fault.said)

    def _succeeded(self, endpoint: Endpoint) -> None:
        with self._lock:
            state = self._states[endpoint]
            state.failures, state.rests_until, state.fault = 0, 0.0, None
        metrics.RPC_UP.labels(endpoint.label).set(1)
        if self._alerts is not None:
            self._alerts.clear("rpc_down", endpoint.label)
            self._alerts.clear("rpc_all_down", "rpc")

    def rests(self, endpoint: Endpoint) -> bool:
        with self._lock:
            return self._states[endpoint].rests_until > self._clock()

    def _others_are_well(self, endpoint: Endpoint) -> bool:
        with self._lock:
            return any(state.checked for one, state in self._states.items() if one is not endpoint)

    # All endpoints

    def _in_order(self) -> Iterator[Endpoint]:
        """Those that are well; then, if nobody had an answer, the one that has rested most of its time."""
        with self._lock:
            now = self._clock()
            # One of another chain comes last: it comes back least often.
            resting = {
                endpoint: (state.fault is Kind.WRONG_CHAIN, state.rests_until)
                for endpoint, state in self._states.items()
                if state.rests_until > now
            }
        yield from (endpoint for endpoint in self.endpoints if endpoint not in resting)
        if resting:
            yield min(resting, key=lambda endpoint: resting[endpoint])

    def _first_answer(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        unclear: RPCResponse | None = None
        faults: list[EndpointFault] = []
        for endpoint in self._in_order():
            if unclear is not None and self.rests(endpoint):
                break
            try:
                answer = self.ask(endpoint, method, params)
            except EndpointFault as fault:
                faults.append(fault)
                continue
            kind = _kind(answer)
            if kind is None or kind.action is not Action.NEXT_ENDPOINT:
                return answer
            metrics.RPC_ERRORS.labels(endpoint.label, kind.value).inc()
            unclear = unclear or answer
        if unclear is None:
            raise self._unavailable(faults)
        return unclear

    def _unavailable(self, faults: Sequence[EndpointFault]) -> ChainUnavailable:
        said = "; ".join(dict.fromkeys(fault.said for fault in faults))
        if self._alerts is not None:
            self._alerts.fire("rpc_all_down", "rpc", said)
        kinds = {fault.kind for fault in faults}
        hint = None
        if Kind.WRONG_CHAIN in kinds:
            hint = "set rpcUrl (or --rpc-url) to an endpoint of the right chain"
        elif kinds & {Kind.CONNECTION, Kind.TIMEOUT}:
            hint = "is the node running, and rpcUrl (or --rpc-url) right?"
        error = ChainUnavailable(said, hint=hint)
        error.__cause__ = faults[-1] if faults else None
        return error

    # Heads

    def watch_heads(self) -> None:
        """Now and then ask everybody who is well for the newest block, and let those that lag rest."""
        if len(self.endpoints) == 1:
            return
        with self._lock:
            if self._clock() < self._heads_due:
                return
            self._heads_due = self._clock() + HEAD_SECONDS
        well = iter([endpoint for endpoint in self.endpoints if not self.rests(endpoint)])
        asked = []
        while (head := self.next_head(well)) is not None:
            asked.append(head)
        for endpoint, head_ in asked:
            with self._lock:
                lag = self._lag(head_, without=endpoint)
            if lag is not None:
                self._failed(endpoint, EndpointFault(Kind.LAGGING, f"{endpoint.label} is {lag}"))

    def next_head(self, endpoints: Iterator[Endpoint]) -> tuple[Endpoint, Head] | None:
        """The first of them that tells its newest block."""
        method = cast("RPCEndpoint", "eth_getBlockByNumber")
        for endpoint in endpoints:
            try:
                answer = self.ask(endpoint, method, ["latest", False])
            except EndpointFault:
                continue
            if "result" in answer:
                return endpoint, as_head(cast("dict[str, Any]", answer["result"]))
        return None

    def _note_head(self, endpoint: Endpoint, head: Head) -> None:
        with self._lock:
            state = self._states[endpoint]
            state.head, state.head_at = head, self._clock()
        metrics.RPC_HEAD.labels(endpoint.label).set(head.timestamp)

    def _lag(self, head: Head, *, without: Endpoint) -> str | None:
        """How far a head is behind those of the others, in words; None if it is not. The lock is held.

        With three endpoints or more, one alone that claims to be far ahead does not make all others late.
        """
        now = self._clock()
        others = [
            state.head
            for endpoint, state in self._states.items()
            if endpoint is not without
            and state.head is not None
            and now - state.head_at <= MEMORY_SECONDS
        ]
        if not others:
            return None
        others.sort(key=lambda other: other.number, reverse=True)
        best = others[1] if len(others) > 1 else others[0]
        blocks, seconds = best.number - head.number, best.timestamp - head.timestamp
        if blocks <= LAG_BLOCKS or seconds <= LAG_SECONDS:
            return None
        return f"{blocks} blocks and {seconds} s behind"

    def _never_back(self, method: RPCEndpoint, params: Any, answer: RPCResponse) -> RPCResponse:
        """The answer, if it does not fall behind what was seen before; otherwise that of an endpoint which knows better.

        Only if nobody does has the chain itself gone back.
        """
        name = _monotone(method, params)
        if name is None or "error" in answer or self._reaches_mark(name, answer):
            return answer
        answers, silent = [answer], False
        for (
            endpoint
        ) in self.endpoints:  # the one that answered, too: there may be several nodes behind it
            with self._lock:
                state = self._states[endpoint]
                if state.rests_until > self._clock():
                    silent |= state.fault not in (Kind.WRONG_CHAIN, Kind.LAGGING)
                    continue
            try:
                again = self.ask(endpoint, method, params)
            except EndpointFault as fault:
                silent |= fault.kind not in (Kind.WRONG_CHAIN, Kind.LAGGING)
                continue
            if "error" in again:
                silent = True
                continue
            if self._reaches_mark(name, again):
                return again
            answers.append(again)
        best = max(answers, key=_height)
        with self._lock:
            mark = self._marks[name]
            if silent and self._clock() - mark.seen_at <= MEMORY_SECONDS:
                raise ChainUnavailable(
                    f"of {self.name}, those that answer are behind what was seen: {_height(best)} instead of {mark.height}",
                    hint="they catch up, or the chain was reorganised; a minute shows which",
                )
            fallen, self._marks[name] = mark.height, _Mark(_height(best), self._clock())
        if self._alerts is not None and name == "head":
            log.warning(
                "chain went back", action="chain_went_back", block=_height(best), instead_of=fallen
            )
        return best

    def _reaches_mark(self, name: str, answer: RPCResponse) -> bool:
        height = _height(answer)
        with self._lock:
            mark = self._marks.get(name)
            if mark is not None and height < mark.height:
                return False
            self._marks[name] = _Mark(height, self._clock())
        return True


def _labels(urls: Sequence[str]) -> list[str]:
    """Their hosts; numbered where one host serves several."""
    hosts = [redacted_url(url) for url in urls]
    seen: Counter[str] = Counter()
    labels = []
    for host in hosts:
        seen[host] += 1
        labels.append(f"{host} #{seen[host]}" if hosts.count(host) > 1 else host)
    return labels


def _kind(answer: RPCResponse) -> Kind | None:
    """What kind of error an answer is; None if it is a result."""
    return classify(cast("dict[str, Any]", answer["error"])) if "error" in answer else None


def _said(answer: RPCResponse) -> str:
    return str(cast("dict[str, Any]", answer["error"])["message"])


def _hash(raw: str) -> str:
    return f"0x{keccak(hexstr=raw).hex()}"


def _rank(kind: Kind | None) -> int:
    return _BEST_FIRST.index(kind) if kind in _BEST_FIRST else len(_BEST_FIRST)


def _monotone(method: RPCEndpoint, params: Any) -> str | None:
    """The name of what never goes back, if this asks for it: the newest block, or an account's nonce."""
    if method == "eth_blockNumber":
        return "head"
    if method == "eth_getBlockByNumber" and params and params[0] == "latest":
        return "head"
    if method == "eth_getTransactionCount" and (len(params) == 1 or params[1] == "latest"):
        return str(params[0]).lower()
    return None


def _height(answer: RPCResponse) -> int:
    result: Any = answer["result"]
    return int(result["number"] if isinstance(result, dict) else result, 16)
