"""What this relayer serves: the bundles that it knows, to anyone or to those who are meant.

The server runs beside the daemon and must not be able to disturb it: it reads only, over connections of its own, two readers
at a time; every client gets its share of requests and no connection lasts; what goes wrong ends as an answer.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import json
import re
import socket
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
import uvicorn
from eth_utils.address import to_checksum_address
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from relayer import __version__
from relayer.errors import ConfigurationError, MakegoodError
from relayer.exchange import access, wire
from relayer.store import Store, tables

if TYPE_CHECKING:
    from asyncio import BaseTransport
    from collections.abc import Awaitable, Callable

    from sqlalchemy import URL
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger(__name__)

ANSWER_BYTES: Final = 2 << 20
"""Longest answer [bytes, uncompressed], unless a single bundle is longer."""
LIMIT: Final = 100
REQUESTS_PER_SECOND: Final = 10.0
BURST: Final = 50
CONNECTIONS: Final = 64
CONNECTIONS_PER_CLIENT: Final = 16
CONNECTION_SECONDS = 30.0
"""How long a connection may last, whoever is slow."""
HEADER_BYTES: Final = 16_384
_READERS: Final = 2
_ROWS: Final = 8
_CLIENTS: Final = 4_096


class _BadRequest(MakegoodError):
    """A request that makes no sense."""


def application(
    store: Store, *, address: str, chain_id: int, clock: Callable[[], float] = time.time
) -> Starlette:
    """The exchange as an ASGI application.

    :param store: Read only.
    :param address: Checksum address of this reporter.
    """
    turns = asyncio.Semaphore(_READERS)

    async def bundles(request: Request) -> Response:
        query = _query(request)
        reader = _reader(request, address, clock())
        async with turns:
            page = await run_in_threadpool(_page, store, chain_id, query, reader)
        headers = {"Vary": "Authorization", "Cache-Control": "private, no-store"}
        return Response(page, media_type="application/json", headers=headers)

    async def identity(_: Request) -> Response:
        return JSONResponse(
            {"address": address, "chainId": chain_id, "version": __version__, "time": clock()}
        )

    return Starlette(
        routes=[
            Route("/v1/bundles", _guarded(bundles)),
            Route("/v1/identity", _guarded(identity)),
        ],
        middleware=[
            Middleware(RateLimit),
            Middleware(GZipMiddleware, minimum_size=1_024, compresslevel=4),
        ],
        exception_handlers={HTTPException: _http_error},
    )


class ExchangeServer:
    """The exchange in a thread of its own.

    :param store: The daemon's; it is read over other connections than the daemon's.
    :param address: Checksum address of this reporter.
    :param port: 0: any that is free, see :attr:`port`.
    """

    def __init__(
        self,
        store: Store,
        *,
        address: str,
        chain_id: int,
        host: str,
        port: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = store.engine.url
        self._where = (host, port)
        self._make = functools.partial(application, address=address, chain_id=chain_id, clock=clock)
        self._socket: socket.socket | None = None
        self._store: Store | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Where it listens, once it was started."""
        return self._where[1]

    def start(self) -> None:
        """Begin to serve.

        :raises ConfigurationError: The address cannot be used.
        """
        host, port = self._where
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=128)
        except OSError as error:
            raise ConfigurationError(
                f"exchange.listen: {host}:{port} cannot be used: {error.strerror or error}",
                hint="set exchange.listen to an address of this machine and a free port",
            ) from error
        self._where = (host, self._socket.getsockname()[1])
        self._store = Store(_place(self._database))
        config = uvicorn.Config(
            self._make(self._store),
            http=_ShortConnection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # strangers must not be able to fill the log
            access_log=False,
            server_header=False,
            headers=[("Connection", "close")],
            limit_concurrency=CONNECTIONS,
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="exchange", daemon=True)
        self._thread.start()
        log.info("exchange serves", action="exchange_started", host=host, port=self.port)

    def stop(self, timeout: float = 5.0) -> None:
        """End. Requests in progress have two seconds to finish."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout)
        if self._store is not None:
            self._store.close()
        if self._socket is not None:
            self._socket.close()

    def _serve(self) -> None:
        if self._server is None or self._socket is None:
            return
        try:
            self._server.run(sockets=[self._socket])
        except Exception:
            log.exception("exchange ended", action="exchange_failed")


def _place(url: URL) -> Path | str:
    """Where a store's database is, to open it once more."""
    if url.get_backend_name() == "sqlite":
        return Path(url.database or "")
    return url.render_as_string(hide_password=False)


class RateLimit:
    """A bucket of requests for each client, that fills again with time; whoever has emptied it is asked to wait."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        per_second: float = REQUESTS_PER_SECOND,
        burst: int = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait = self._wait(_client(scope.get("client")))
        if wait <= 0:
            await self._app(scope, receive, send)
            return
        answer = _error(429, "too many requests", "wait, and ask less often")
        answer.headers["Retry-After"] = str(int(wait) + 1)
        await answer(scope, receive, send)

    def _wait(self, client: str) -> float:
        """Takes one request out of a client's bucket; how long it has to wait if there is none [s]."""
        now = self._clock()
        left, since = self._buckets.pop(client, (float(self._burst), now))
        left = min(float(self._burst), left + (now - since) * self._per_second)
        missing = 1 - left
        self._buckets[client] = (left if missing > 0 else left - 1, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return missing / self._per_second


class _ShortConnection(H11Protocol):
    """One request for each connection, within a time, and few connections for each client.

    A server that waits for slow clients can be filled with them; one that accepts all connections takes the daemon's files.
    """

    _cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        here = _client(self.client)
        others = [other for other in self.connections if isinstance(other, H11Protocol)]
        same = sum(_client(other.client) == here for other in others)
        if same > CONNECTIONS_PER_CLIENT or len(self.connections) > CONNECTIONS:
            self.transport.abort()
            return
        self._cut = self.loop.call_later(CONNECTION_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._cut is not None:
            self._cut.cancel()
        super().connection_lost(exc)


def _client(address: tuple[str, int] | None) -> str:
    """Whom an address belongs to: of IPv6, everybody has as many as he likes of one network."""
    if address is None:
        return "?"
    try:
        ip = ipaddress.ip_address(address[0])
    except ValueError:
        return address[0]
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))


def _guarded(
    answer: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Errors as answers. What went wrong inside is for the log, not for strangers."""

    async def guarded(request: Request) -> Response:
        try:
            return await answer(request)
        except access.NotProven as error:
            response = _error(401, error.message, error.hint)
            response.headers["WWW-Authenticate"] = "Makegood"
            return response
        except _BadRequest as error:
            return _error(400, error.message, error.hint)
        except MakegoodError as error:
            log.warning("exchange cannot answer", action="exchange_failed", problem=error.message)
        except Exception:
            log.exception("exchange cannot answer", action="exchange_failed")
        return _error(500, "this relayer cannot answer now", "try again later")

    return guarded


def _http_error(_: Request, error: Exception) -> Response:
    """Unknown paths and methods."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = "this path does not exist" if status == 404 else "this method is not allowed"
    return _error(status, message, "GET /v1/bundles or GET /v1/identity")


def _error(status: int, message: str, hint: str | None) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "hint": hint}}, status_code=status)


def _query(request: Request) -> tuple[int, int, str | None]:
    """The query's ``after``, ``limit`` and ``address``."""
    allowed = "allowed are after=<id>, limit=<1 to 1000> and address=<0x..>, each once"
    given = request.query_params.multi_items()
    query = dict(given)
    if len(query) < len(given) or not query.keys() <= {"after", "limit", "address"}:
        raise _BadRequest("the query has an unknown parameter, or one twice", hint=allowed)
    after, limit = query.get("after", "0"), query.get("limit", str(LIMIT))
    address = query.get("address")
    if not re.fullmatch(r"[0-9]{1,19}", after) or int(after) >= 1 << 63:
        raise _BadRequest("after is not the id of a bundle", hint=allowed)
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= wire.MAX_BUNDLES:
        raise _BadRequest("limit is not a number from 1 to 1000", hint=allowed)
    if address is not None and not re.fullmatch(r"0x[0-9a-fA-F]{40}", address):
        raise _BadRequest("address is not an address of 40 hexadecimal digits", hint=allowed)
    return int(after), int(limit), address and to_checksum_address(address)


def _reader(request: Request, address: str, now: float) -> str | None:
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["raw_path"].decode("latin-1")
    return access.reader(
        request.headers.get("Authorization"),
        method=request.method,
        target=f"{path}?{query}" if query else path,
        server=address,
        now=now,
    )


def _page(
    store: Store, chain_id: int, query: tuple[int, int, str | None], reader: str | None
) -> bytes:
    """An answer to ``GET /v1/bundles``.

    Its ``next`` is what to ask after next. It is smaller than ``after`` if there is no such id yet: then this database is not
    the one that the reader knows, and has to be read from the start.
    """
    after, limit, address = query
    shown: list[str] = []
    size = 0
    last = after
    while len(shown) < limit:
        wanted = min(_ROWS, limit - len(shown))
        rows = store.bundles.after(last, limit=wanted, reader=reader, address=address)
        for bundle in rows:
            text = json.dumps(wire.show(bundle, chain_id), separators=(",", ":"))
            size += len(text)
            if shown and size > ANSWER_BYTES:
                return _answer(shown, last)
            shown.append(text)
            last = bundle.id or last
        if len(rows) < wanted:
            break
    if not shown:
        with store.reading() as db:
            newest: Any = db.scalar(select(func.max(tables.bundles.c.id)))
        last = min(after, newest or 0)
    return _answer(shown, last)


def _answer(shown: list[str], last: int) -> bytes:
    return f'{{"bundles":[{",".join(shown)}],"next":{last}}}'.encode()
