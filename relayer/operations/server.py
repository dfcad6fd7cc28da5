"""The operator's HTTP server: ``/livez``, ``/readyz``, ``/metrics`` and ``/alerts``, for probes and for Prometheus.

It has no password and tells nothing secret. It still listens where the configuration says and nowhere else.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relayer.errors import ConfigurationError, MakegoodError
from relayer.operations import metrics

if TYPE_CHECKING:
    from starlette.requests import Request

    from relayer.operations.alerts import Alerts
    from relayer.operations.health import Health

MOST_CONNECTIONS: Final = 100
START_SECONDS: Final = 20.0

_NOT_STORED: Final = {"Cache-Control": "no-store"}


class Server:
    """A thread that answers the operator's questions.

    :param host: Name or address to listen at, e.g. ``127.0.0.1`` or ``::``.
    :param port: From 0 to 65535; 0 takes a free one.
    """

    def __init__(self, host: str, port: int, *, health: Health, alerts: Alerts) -> None:
        self._host = host
        self._port = port
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(health, alerts),
                log_config=None,
                access_log=False,
                lifespan="off",
                loop="asyncio",
                http="h11",
                ws="none",
                server_header=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_keep_alive=5,
            )
        )
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Where it listens, once it has started."""
        return self._port

    def start(self) -> None:
        """Listen, and answer from now on.

        :raises ConfigurationError: The address cannot be listened at: in use, forbidden, not of this machine.
        """
        listener = self._listen()
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="operations", daemon=True
        )
        self._thread.start()
        patience = threading.Event()
        for _ in range(int(START_SECONDS / 0.01)):
            if self._server.started:
                return
            if not self._thread.is_alive():
                break
            patience.wait(0.01)
        listener.close()
        raise MakegoodError(f"the operator's server at {self._host}:{self._port} did not start")

    def stop(self, timeout: float) -> None:
        """Answer no more. What is under way after ``timeout`` seconds is cut off."""
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout)
        self._server.force_exit = True

    def _listen(self) -> socket.socket:
        try:
            family, *_, address = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            return socket.create_server(address[:2], family=family, backlog=128)
        except OSError as error:
            raise ConfigurationError(
                f"the operator's server cannot listen at {self._host}:{self._port}: {error.strerror}",
                hint="another program, or another relayer, has this port: choose another one, or 0 for any free one",
            ) from None


def application(health: Health, alerts: Alerts) -> Starlette:
    """The four pages. Each answers from memory: none asks the chain, the database or another host."""

    async def livez(_: Request) -> Response:
        live = health.liveness()
        said = {"alive": live.alive, "ageSeconds": round(live.age, 3), "limitSeconds": live.limit}
        return _json(said, ok=live.alive)

    async def readyz(_: Request) -> Response:
        parts = health.parts()
        ready = all(part.state != "failed" for part in parts.values())
        said = {
            name: {"state": part.state, "reason": part.reason, "ageSeconds": round(part.age, 3)}
            for name, part in parts.items()
        }
        return _json({"ready": ready, "parts": said}, ok=ready)

    async def prometheus(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        text = encode(metrics.REGISTRY)
        return Response(text, headers={**_NOT_STORED, "Content-Type": content_type})

    async def firing(_: Request) -> Response:
        said = [
            {
                "name": alert.name,
                "subject": alert.subject,
                "message": alert.message,
                "severity": alert.severity,
                "since": alert.since,
            }
            for alert in alerts.firing()
        ]
        return _json({"alerts": said}, ok=True)

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", prometheus),
            Route("/alerts", firing),
        ]
    )


def _json(said: dict[str, Any], *, ok: bool) -> Response:
    return JSONResponse(said, status_code=200 if ok else 503, headers=_NOT_STORED)
