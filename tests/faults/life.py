"""A relayer's whole life in a test: the real process, a real chain behind a proxy, a service that remembers what it was."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

from eth_account import Account
from eth_utils.hexadecimal import encode_hex
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError, ContractLogicError

from relayer.bindings import Escrow, Oracle, Token, decode_error
from relayer.demo.processes import Process, free_ports, python_module
from relayer.document import fresh_salt, load_document, signatures
from relayer.errors import Reverted
from relayer.protocol.readings import MAX_VALUE
from tests.faults import books
from tests.faults.rpc_proxy import RpcProxy
from tests.relayer.world import deploy

DOLLAR = 10**6
FEE = 100 * DOLLAR
INTERVAL = 4
WINDOW_INTERVALS = 10
WINDOWS = 100
FLAPPING = 8
"""The second service of each life is up and down for so long in turn [s]."""
LEAD = 5
"""An agreement begins so long after it was opened [s]."""
PATIENCE = 240
"""Nothing takes so long, however slow the machine is [s]."""


def wait_until(ready, what, timeout=PATIENCE, process=None):
    """The first true answer of ``ready()``."""
    last = time.monotonic() + timeout
    while not (found := ready()):
        late = time.monotonic() > last
        ended = process is not None and not process.running()
        if late or ended:
            words = f": {process.last_words()}" if process else ""
            raise AssertionError(f"{'too late' if late else 'ended'}: {what}{words}")
        time.sleep(0.3)
    return found


class Shop:
    """The web server that all lives watch. It writes down what it said to whom, and when."""

    def __init__(self):
        self._lock = threading.Lock()
        self._said: dict[str, list[tuple[float, bool]]] = {}
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                up = shop._up(self.path)
                body = b"ok" if up else b"sorry"
                self.send_response(200 if up else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 100

            def handle_error(self, *_):
                """A relayer was killed while it asked."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def said(self, path, start, end):
        """What it said within a time [s, UNIX time]: whether it was up, once for each request."""
        with self._lock:
            return [up for at, up in self._said.get(path, []) if start <= at <= end]

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _up(self, path):
        now = time.time()
        up = not path.endswith("flapping") or int(now / FLAPPING) % 2 == 0
        with self._lock:
            self._said.setdefault(path, []).append((now, up))
        return up


class Site:
    """What all lives share: a chain with the contracts, and the shop."""

    def __init__(self, rpc_url, folder):
        self.rpc_url = rpc_url
        self.folder = folder
        self.shop = Shop()
        self.w3 = Web3(HTTPProvider(rpc_url))
        rich = self.w3.eth.accounts[0]
        self.oracle = Oracle(self.w3, deploy(self.w3, "MonitoringOracle", rich))
        self.escrow = Escrow(self.w3, deploy(self.w3, "SLAEscrow", rich))
        self._numbers = count()

    def new_folder(self):
        number = next(self._numbers)
        folder = self.folder / f"life{number}"
        folder.mkdir()
        return number, folder

    def rpc(self, method, *params):
        answer = self.w3.provider.make_request(method, list(params))
        assert "error" not in answer, answer
        return answer["result"]

    def agreement(self, accounts, begun=-LEAD, window_intervals=WINDOW_INTERVALS):
        """Opens one over two services that these reporters watch, one that works and one that comes and goes.

        :param begun: How long ago it begins [s]; the chain has to be in that time still.
        """
        number, folder = self.new_folder()
        consumer, provider = Account.create(), Account.create()
        self.rpc("anvil_setBalance", consumer.address, hex(10**18))
        self.rpc("anvil_impersonateAccount", consumer.address)
        token = Token(self.w3, deploy(self.w3, "TestDollar", consumer.address))
        deposit = FEE * WINDOWS
        for call in (
            token.mint(consumer.address, deposit),
            token.approve(self.escrow.address, deposit),
        ):
            call.transact({"from": consumer.address, "gas": 1_000_000})
        paths = [f"/{number}/steady", f"/{number}/flapping"]
        urls = [*map(self.shop.url, paths)]
        path = folder / "sla.yaml"
        for later in range(0, PATIENCE, LEAD):
            start = int(time.time()) - begun + later
            text = _document(
                self, token, consumer, provider, accounts, urls, start, window_intervals
            )
            path.write_text(json.dumps(text))
            document = load_document(path)
            signatures.sign_as(document, "provider", provider)
            signed = signatures.sign_as(document, "consumer", consumer)
            refused = self._refused(
                self.escrow.open(document.terms, signed.provider, signed.consumer), consumer
            )
            # On a slow machine the start may have passed when the block is made.
            if refused is None or refused.error != "SLAEscrow_TooLateToOpen":
                break
        assert refused is None, refused
        return Agreement(self, document, token, paths, deposit)

    def _refused(self, call, account):
        """Send a call and wait for its block. Returns the contract's reason if it reverted."""
        wanted = {"from": account.address, "gas": 6_000_000}
        sent = call.transact(wanted)
        receipt = self.w3.eth.wait_for_transaction_receipt(sent, PATIENCE, poll_latency=0.1)
        if receipt["status"] == 1:
            return None
        try:
            call.call(wanted, block_identifier=receipt["blockNumber"])
        except ContractCustomError as error:
            return decode_error(bytes.fromhex(error.data.removeprefix("0x")))
        except ContractLogicError as error:
            return Reverted(str(error))
        return Reverted("it was refused, and a moment later it would not be")


@dataclass
class Agreement:
    """One that is open.

    :param paths: What the shop answers at, in the order of the document's levels.
    :param deposit: All that there ever was of its money.
    """

    site: Site
    document: object
    token: Token
    paths: list[str]
    deposit: int

    @property
    def feeds(self):
        return [level.feed for level in self.document.levels]

    def running_interval(self):
        return int(time.time() - self.feeds[0].measurement.start) // INTERVAL

    def now(self):
        """The next interval, and the newest block."""
        return max(0, self.running_interval() + 1), self.site.w3.eth.block_number

    def goes_on(self, process=None, since=None, timeout=PATIENCE):
        """Wait until something that begins only now was measured, signed and reported, of each feed.

        :param since: Or only then: see :meth:`now`.
        """
        first, block = since or self.now()
        oracle, ids = self.site.oracle, [feed.id for feed in self.feeds]

        def reported():
            if min(position.next for position in oracle.positions(ids)) <= first:
                return False
            found = books.judged(oracle, self.feeds, block)
            return all(
                any(n >= first and codes[0] <= MAX_VALUE for n, codes in found[id_].items())
                for id_ in ids
            )

        wait_until(reported, f"reports from interval {first} on", timeout, process)

    def check(self):
        """See :mod:`tests.faults.books`."""
        books.check(self)


@dataclass
class Life:
    """One reporter's relayer: its key, folder, database, proxy and process."""

    site: Site
    account: object
    folder: object
    proxy: RpcProxy
    process: Process
    database: str
    agreement: Agreement | None = None
    port: int = 0

    @classmethod
    def of(cls, site, *, database=None, environment=None):
        """A relayer that is not started yet.

        :param environment: More variables for its process.
        """
        _, folder = site.new_folder()
        account = Account.create()
        site.rpc("anvil_setBalance", account.address, hex(10**18))
        proxy = RpcProxy(site.rpc_url)
        life = cls(site, account, folder, proxy, None, database or str(folder / "relayer.sqlite"))
        life.process = life.plain_process(environment)
        [life.port] = free_ports(1)
        return life

    def command(self, module="relayer.cli", *words):
        config = str(self.folder / "makegood.yaml")
        return python_module(module, *words, "relayer", "run", "--config", config)

    def configure(self, agreement, *, endpoints=(), **settings):
        """Write its configuration for an agreement."""
        self.agreement = agreement
        key = self.folder / "reporter.key"
        key.touch(mode=0o600)
        key.write_text(encode_hex(self.account.key))
        configuration = {
            "rpcUrl": [self.proxy.url, *endpoints],
            "database": self.database,
            "key": {"file": str(key)},
            "agreements": [str(agreement.document.path)],
            "sources": {"http_probe": {"allowed_networks": ["127.0.0.1"]}},
            "confirmations": 2,
            "pollSeconds": 1,
            "logFormat": "json",
            **settings,
        }
        (self.folder / "makegood.yaml").write_text(json.dumps(configuration))
        return self

    def killed_process(self, step):
        """One with the same key and database that is killed after a step: see :mod:`tests.faults.kill_at`."""
        command = self.command("tests.faults.kill_at", step)
        return Process("relayer", command, self.folder / "relayer.log")

    def lines(self, action=None):
        """What it logged, in all its processes."""
        found = []
        with suppress(FileNotFoundError):
            for line in self.process.log.read_text(errors="replace").splitlines():
                if action and action not in line:
                    continue
                with suppress(ValueError):
                    entry = json.loads(line)
                    if action in (None, entry.get("action")):
                        found.append(entry)
        return found

    def alerts(self):
        return {entry["alert"] for entry in self.lines("alert_fired")}

    def wait_for(self, action, more_than=0, timeout=PATIENCE):
        """Wait until it has logged a word more often than so."""
        wait_until(
            lambda: len(self.lines(action)) > more_than, action, timeout, process=self.process
        )

    def wait_for_alert(self, name, timeout=PATIENCE):
        wait_until(lambda: name in self.alerts(), name, timeout, process=self.process)

    def wait_for_requests(self, more_than):
        wait_until(lambda: len(self.proxy.requests) > more_than, "requests", process=self.process)

    def plain_process(self, environment=None):
        return Process("relayer", self.command(), self.folder / "relayer.log", environment)

    def goes_on(self, since=None):
        self.agreement.goes_on(self.process, since)

    def close(self):
        self.process.stop()
        self.proxy.close()


def own_agreement(site, life, **settings):
    """The life is the only reporter of an agreement of its own."""
    return life.configure(site.agreement([life.account]), **settings)


def at_once(*calls):
    """The answers of several functions that wait for the chain."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def ask_to_end(process, timeout):
    """Send SIGTERM; returns the exit code."""
    process.ask_to_end()
    return process._child.wait(timeout)


def run_to_its_end(life, timeout=PATIENCE):
    """Start one more process with the same configuration. Returns exit code and what it said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKEGOOD_")}
    done = subprocess.run(
        life.command(),
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _document(site, token, consumer, provider, accounts, urls, start, window_intervals):
    keys = sorted((account.address for account in accounts), key=lambda a: int(a, 16))
    return {
        "apiVersion": "makegood/v1",
        "kind": "SLA",
        "metadata": {"name": "faults"},
        "spec": {
            "parties": {"provider": provider.address, "consumer": consumer.address},
            "settlement": {
                "chainId": site.w3.eth.chain_id,
                "oracle": site.oracle.address,
                "escrow": site.escrow.address,
                "token": token.address,
                "decimals": 6,
            },
            "money": {"feePerWindow": "100.00"},
            "term": {
                "start": datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "window": f"{INTERVAL * window_intervals}s",
                "windows": WINDOWS,
                "prepaidWindows": WINDOWS,
            },
            "levels": [
                {
                    "name": f"availability-{place}",
                    "indicator": {
                        "metric": "availability",
                        "dataSource": {
                            "type": "http_probe",
                            # One sample, which may take long: no slow machine makes a service look bad.
                            "spec": {"url": url, "samples": 1, "timeout": "4"},
                        },
                    },
                    "objective": {"op": "gte", "value": "99%"},
                    "interval": f"{INTERVAL}s",
                    "settleDelay": "6s",
                    "reportEvery": f"{INTERVAL}s",
                    "reportDeadline": "120s",
                    "reporters": {"keys": keys, "quorum": len(keys) // 2 + 1},
                    "tiers": [{"badIntervals": 2, "credit": "40%"}],
                }
                for place, url in enumerate(urls)
            ],
            "salt": fresh_salt(),
        },
    }
