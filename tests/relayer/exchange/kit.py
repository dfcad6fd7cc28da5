"""Reporters that exchange readings over real sockets, and peers that misbehave."""

from __future__ import annotations

import itertools
import json
import re
import socketserver
import threading
from contextlib import contextmanager

from relayer.exchange import wire
from relayer.exchange.peers import Peers
from relayer.exchange.server import ExchangeServer
from relayer.exchange.verify import KnownPanel
from relayer.operations import metrics
from relayer.operations.alerts import Alerts
from relayer.protocol import merkle
from relayer.protocol.readings import pack_readings
from relayer.protocol.report import FeedReadings, SignedBundle
from relayer.protocol.typed_data import Domain, root_message, sign
from relayer.store import Store
from relayer.store.bundles import StoredBundle
from tests import samples

START = 1_800_000_000
NOW = START + 3_600
CHAIN_ID = 31_337
DOMAIN = Domain(CHAIN_ID, samples.wallet(0).address)
WALLETS = samples.reporter_wallets(3)
ADDRESSES = [wallet.address for wallet in WALLETS]
PANEL = samples.panel(3)
FEEDS = sorted(
    (samples.feed(START, PANEL, descriptor=bytes([i]) * 32) for i in range(3)),
    key=lambda feed: feed.id,
)
PARTY, OUTSIDER = samples.wallet(1), samples.wallet(9)


class Clock:
    """A clock that a test sets; good for times and for spans."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def known(feeds=FEEDS, *, audience=None, own_index=None, max_intervals=1_000, domain=DOMAIN):
    panel = feeds[0].panel
    return KnownPanel(
        domain,
        panel,
        panel.hash,
        {feed.id: feed for feed in feeds},
        own_index,
        max_intervals,
        audience,
    )


def panels(*some):
    return {one.key: one for one in some or [known()]}


def signed(reporter, parts, *, domain=DOMAIN, evidence=samples.NO_EVIDENCE, wallet=None):
    """A bundle of (feed, first interval, codes), signed by a reporter of the panel."""
    feeds = tuple(
        FeedReadings(feed.id, first, pack_readings(codes)) for feed, first, codes in parts
    )
    root = merkle.root([feed.leaf for feed in feeds])
    signature = sign(wallet or WALLETS[reporter], root_message(domain, root, evidence))
    return SignedBundle(reporter, feeds, evidence, signature)


def said(first, codes, feeds=FEEDS):
    return [(feed, first, codes) for feed in feeds]


def stored(bundle, *, panel=PANEL, address=None, audience=None, oracle=DOMAIN.contract):
    address = address or ADDRESSES[bundle.reporter]
    return StoredBundle(None, oracle, panel.hash, bundle, address, audience, float(NOW))


_ids = itertools.count(1)


def shown(bundle, **changes):
    """As a peer shows it."""
    return wire.show(stored(bundle), CHAIN_ID) | {"id": next(_ids)} | changes


def page(*bundles, upto=None):
    last = upto if upto is not None else max((b["id"] for b in bundles), default=0)
    return json.dumps({"bundles": bundles, "next": last}).encode()


def answer(body, status="200 OK", headers=""):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + body


class Member:
    """A reporter with its database, its server and its view of its peers."""

    def __init__(self, index, folder, *, some_panels=None, clock=None):
        self.index = index
        self.wallet = WALLETS[index]
        self.address = self.wallet.address
        self.path = folder / f"reporter-{index}.sqlite"
        self.store = Store(self.path)
        self.clock = clock or Clock()
        self.alerts = Alerts(clock=self.clock)
        self.panels = panels() if some_panels is None else some_panels
        self.server = None
        self.peers = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.port}"

    def serve(self):
        self.server = ExchangeServer(
            self.store,
            address=self.address,
            chain_id=CHAIN_ID,
            host="127.0.0.1",
            port=0,
            clock=self.clock,
        )
        self.server.start()
        return self

    def listen(self, urls, **changes):
        """Know peers by their index; nothing is pulled before a test says so."""
        options = {
            "store": self.store,
            "panels": self.panels,
            "signer": self.wallet,
            "alerts": self.alerts,
            "chain_now": lambda: int(self.clock()),
            "pull_seconds": 0.05,
            "clock": self.clock,
            "monotonic": self.clock,
        }
        addresses = {ADDRESSES[index]: url for index, url in urls.items()}
        self.peers = Peers(addresses, **(options | changes))
        return self

    def visit(self, index):
        """Visit a peer once; how long it has to rest."""
        [peer] = [peer for peer in self.peers.each if peer.address == ADDRESSES[index]]
        return peer.visit()

    def say(self, first, codes, **changes):
        """Sign readings of all feeds and store them."""
        bundle = signed(self.index, said(first, codes), **changes)
        self.store.bundles.save(stored(bundle))
        return bundle

    def inbox(self):
        """What came in, by reporter."""
        return [one.signed for one in emptied(self.peers.inbox)]

    def firing(self):
        return {(alert.name, alert.subject) for alert in self.alerts.firing()}

    def close(self):
        if self.peers is not None:
            self.peers.stop(15)
        if self.server is not None:
            self.server.stop()
        self.store.close()


def emptied(queue):
    found = []
    while not queue.empty():
        found.append(queue.get())
    return found


def faults(index, kind):
    return metrics.PEER_FAULTS.labels(ADDRESSES[index], kind)._value.get()


@contextmanager
def scripted(respond):
    """A server whose answers the test writes: ``respond(connection, request)`` does what it likes with the connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            request = b""
            try:
                while b"\r\n\r\n" not in request:
                    received = self.request.recv(65_536)
                    if not received:
                        return
                    request += received
                respond(self.request, request)
            except OSError:
                pass  # the client went away, as it should

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def is_about(request, index):
    """Whether a request asks for what a reporter signed."""
    return f"address={ADDRESSES[index]}".encode() in request


def answering(index, *bodies, status="200 OK", headers=""):
    """Each time somebody asks for what a reporter signed, the next of these answers; the last again and again.

    Asked for anybody else's, it has nothing.
    """
    left = list(bodies)

    def respond(connection, request):
        body = page()
        if is_about(request, index):
            body = left.pop(0) if len(left) > 1 else left[0]
        connection.sendall(answer(body, status, headers))

    return respond


def showing(index, *bundles):
    """Shows bundles as a relayer does: each to those who have not seen it."""

    def respond(connection, request):
        after = int(re.search(rb"after=([0-9]+)", request)[1])
        new = [b for b in bundles if b["id"] > after] if is_about(request, index) else []
        connection.sendall(answer(page(*new, upto=None if new else after)))

    return respond
