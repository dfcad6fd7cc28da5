"""A TCP server on a free port of this machine that does with each connection what it is told."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading

NOBODY = ("192.0.2.0/24", "255.255.255.255")
"""Addresses at which nobody answers."""
HERE = {"allowed_networks": ("127.0.0.0/8", "::1", *NOBODY)}
"""Options of adapters whose services stand on this machine."""


@contextlib.contextmanager
def listening(behave, host="127.0.0.1"):
    """Yields the port. `behave(stream, stop)` serves a connection; `stop` is set at the end."""
    stop = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                behave(self.request, stop)

    class Server(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True
        request_queue_size = 64

    with Server((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            stop.set()
            server.shutdown()
            thread.join()


def reset(stream):
    """End a connection as a crashing machine does."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()
