"""The service that the demonstration watches: a web server that says "ok", as a process of its own.

Run as ``python -m relayer.demo.service PORT``; it is stopped by stopping the process.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"ok\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(port: int) -> None:
    """Serve on 127.0.0.1 until the process ends."""
    ThreadingHTTPServer(("127.0.0.1", port), _Shop).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
