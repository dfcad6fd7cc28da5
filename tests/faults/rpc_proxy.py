"""A JSON-RPC endpoint that misbehaves when it is told to: a real HTTP server in front of a real chain.

with RpcProxy(anvil_url) as proxy:
    chain = Chain.connect(proxy.url)
    proxy.lose_answer("eth_sendRawTransaction")
    ...
    proxy.clear()
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from eth_utils import keccak

SECRET = "key-that-nobody-may-see"
BLOCK_PARAMETER = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_getStorageAt": 2,
    "eth_getBlockByNumber": 0,
}
GARBAGE = {
    "html": b"<html><body>It works!</body></html>",
    "empty": b"",
    "not_json": b"\x00\xff\xfe nonsense",
    "list": b"[]",
    "nothing": b"{}",
    "wrong_id": b'{"jsonrpc":"2.0","id":987654321,"result":"0x1"}',
    "wrong_type": b'{"jsonrpc":"2.0","id":%d,"result":{"surprise":true}}',
    "no_result": b'{"jsonrpc":"2.0","id":%d}',
    "truncated": None,
}


@dataclass(frozen=True)
class Fault:
    """One way to misbehave, as a word and its values: what :meth:`RpcProxy.apply` takes.

    :param methods: The RPC methods it happens to; none: all.
    :param every: Only to every so many of these requests.
    """

    name: str
    value: object = None
    methods: tuple[str, ...] = ()
    every: int = 1


class _Cut(Exception):
    """The connection ends without an answer."""


@dataclass
class _Active:
    fault: Fault
    seen: int = 0


@dataclass
class _Answer:
    body: bytes
    status: int = 200
    length: int | None = field(default=None)


class RpcProxy:
    """The proxy, listening as soon as it is made.

    :param target: RPC address of the chain behind it.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.requests: list[str] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._active: list[_Active] = []
        self._freed = threading.Event()
        self._upstream = requests.Session()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        """With something in it that must not appear anywhere."""
        return f"{self.host}/v3/{SECRET}"

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> RpcProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server and everything that hangs in it."""
        self.clear()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.close_connections()
        self._upstream.close()

    # What it does wrong; faults add up until they are cleared

    def clear(self) -> None:
        """Behave well from now on; requests that hang are cut."""
        with self._lock:
            self._active = []
            self._freed.set()
            self._freed = threading.Event()

    def hang(self, *methods: str, every: int = 1) -> None:
        """Never answer."""
        self.apply(Fault("hang", None, methods, every))

    def delay(self, seconds: float, *methods: str, every: int = 1) -> None:
        """Answer late."""
        self.apply(Fault("delay", seconds, methods, every))

    def cut(self, *methods: str, every: int = 1) -> None:
        """Close the connection without an answer, and without having forwarded the request."""
        self.apply(Fault("cut", None, methods, every))

    def http_status(self, status: int, *methods: str, every: int = 1) -> None:
        """Answer with an HTTP error, e.g. 429, 500 or 503."""
        self.apply(Fault("http_status", status, methods, every))

    def garbage(self, kind: str = "html", *methods: str, every: int = 1) -> None:
        """Answer nonsense: one of :data:`GARBAGE`."""
        assert kind in GARBAGE, kind
        self.apply(Fault("garbage", kind, methods, every))

    def wrong_chain(self, chain_id: int = 5) -> None:
        """Be an endpoint of another chain."""
        self.apply(Fault("wrong_chain", chain_id, ("eth_chainId", "net_version")))

    def lag(self, blocks: int) -> None:
        """Answer as of so many blocks ago."""
        self.apply(Fault("lag", blocks))

    def lose_answer(self, *methods: str, every: int = 1) -> None:
        """Do what is asked, then cut the connection."""
        self.apply(Fault("lose_answer", None, methods, every))

    def drop_transactions(self, every: int = 1) -> None:
        """Say that a transaction was accepted, and forget it."""
        self.apply(Fault("drop_transactions", None, ("eth_sendRawTransaction",), every))

    def error(self, code: int, message: str, *methods: str, every: int = 1) -> None:
        """Answer with an error of JSON-RPC."""
        self.apply(Fault("error", (code, message), methods, every))

    def result(self, value: object, *methods: str, every: int = 1) -> None:
        """Lie: answer with this result."""
        self.apply(Fault("result", value, methods, every))

    def apply(self, fault: Fault) -> None:
        with self._lock:
            self._active.append(_Active(fault))

    def seen(self, method: str) -> int:
        """How often a method was asked for."""
        with self._lock:
            return self.requests.count(method)

    # Answering

    def _due(self, method: str) -> list[Fault]:
        with self._lock:
            self.requests.append(method)
            due = []
            for active in self._active:
                if active.fault.methods and method not in active.fault.methods:
                    continue
                active.seen += 1
                if active.seen % active.fault.every == 0:
                    due.append(active.fault)
            return due

    def _answer(self, body: bytes) -> _Answer:
        question = json.loads(body)
        if isinstance(question, list):  # several at once pass as they are
            for one in question:
                self._due(one["method"])
            return self._forward(body)
        freed = self._freed
        for fault in self._due(question["method"]):
            match fault.name:
                case "delay":
                    freed.wait(fault.value)
                case "hang":
                    freed.wait()
                    raise _Cut
                case "cut":
                    raise _Cut
                case "lose_answer":
                    self._forward(body)
                    raise _Cut
                case "lag":
                    return self._as_of(question, fault.value)
                case "http_status":
                    return _Answer(b"no", status=fault.value)
                case "garbage":
                    return self._nonsense(fault.value, question, body)
                case "wrong_chain":
                    chain = hex(fault.value)
                    chain = str(fault.value) if question["method"] == "net_version" else chain
                    return _reply(question, result=chain)
                case "drop_transactions":
                    sent = keccak(hexstr=question["params"][0]).hex()
                    return _reply(question, result=f"0x{sent}")
                case "error":
                    code, message = fault.value
                    return _reply(question, error={"code": code, "message": message})
                case "result":
                    return _reply(question, result=fault.value)
                case other:
                    raise AssertionError(other)
        return self._forward(body)

    def _forward(self, body: bytes) -> _Answer:
        try:
            answer = self._upstream.post(
                self.target, data=body, headers={"Content-Type": "application/json"}, timeout=60
            )
        except requests.ConnectionError:
            raise _Cut from None
        return _Answer(answer.content, answer.status_code)

    def _nonsense(self, kind: str, question: dict, body: bytes) -> _Answer:
        text = GARBAGE[kind]
        if kind == "truncated":
            whole = self._forward(body).body
            return _Answer(whole[: len(whole) // 2], length=len(whole))
        return _Answer(text.replace(b"%d", str(question["id"]).encode()))

    def _ask(self, method: str, *params: object) -> object:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return json.loads(self._forward(json.dumps(body).encode()).body)["result"]

    def _as_of(self, question: dict, blocks: int) -> _Answer:
        head = max(0, int(self._ask("eth_blockNumber"), 16) - blocks)
        method, params = question["method"], list(question.get("params") or [])
        if method == "eth_blockNumber":
            return _reply(question, result=hex(head))
        if method in BLOCK_PARAMETER:
            position = BLOCK_PARAMETER[method]
            if len(params) == position:
                params.append("latest")
            if params[position] in ("latest", "pending"):
                params[position] = hex(head)
            elif _beyond(params[position], head):
                if method == "eth_getBlockByNumber":
                    return _reply(question, result=None)
                error = {"code": -32000, "message": "header not found"}
                return _reply(question, error=error)
            body = json.dumps(question | {"params": params}).encode()
            return self._forward(body)
        answer = self._forward(json.dumps(question).encode())
        result = json.loads(answer.body).get("result")
        number = result.get("blockNumber") if isinstance(result, dict) else None
        if number is not None and int(number, 16) > head:
            return _reply(question, result=None)
        return answer


def random_fault(rng) -> Fault:
    """One of all faults, for long runs under random trouble.

    :param rng: ``random.Random``, seeded by whoever wants the same faults again.
    """
    every = rng.choice((1, 1, 2, 3))
    sending = ("eth_sendRawTransaction",)
    return rng.choice(
        [
            Fault("hang", None, (), every),
            Fault("delay", rng.uniform(0.1, 3), (), every),
            Fault("cut", None, (), every),
            Fault("http_status", rng.choice((429, 500, 502, 503)), (), every),
            Fault("garbage", rng.choice(sorted(GARBAGE)), (), every),
            Fault("wrong_chain", rng.randrange(2, 1_000), ("eth_chainId", "net_version")),
            Fault("lag", rng.randrange(1, 30)),
            Fault("lose_answer", None, sending, every),
            Fault("drop_transactions", None, sending, every),
            Fault("error", (-32005, "daily request count exceeded"), (), every),
            Fault("error", (-32000, "header not found"), ("eth_call",), every),
            Fault("error", (-32603, "Internal error"), sending, every),
        ]
    )


def _beyond(block: object, head: int) -> bool:
    return isinstance(block, str) and block.startswith("0x") and int(block, 16) > head


def _reply(question: dict, **outcome: object) -> _Answer:
    return _Answer(json.dumps({"jsonrpc": "2.0", "id": question["id"], **outcome}).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Connections are closed at the end, so that nobody waits for a client that keeps its own open.
    block_on_close = False
    proxy: RpcProxy

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._open: set = set()
        self._open_lock = threading.Lock()

    def process_request(self, request, client_address) -> None:
        with self._open_lock:
            self._open.add(request)
            self.proxy.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._open_lock:
            waiting = list(self._open)
        for request in waiting:
            self.shutdown_request(request)

    def handle_error(self, request, client_address) -> None:
        """A client that went away is what happens here all the time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = (
        -1
    )  # head and body in one piece, else the second waits for the first one's acknowledgement
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            answer = self.server.proxy._answer(body)
        except _Cut:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        length = len(answer.body) if answer.length is None else answer.length
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(answer.body)
        if length != len(answer.body):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass
