"""Workers as real processes, a monitoring service that counts who asks it what, and SLA documents for it."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from oracles import connect
from relayer.document import load_document
from relayer.operations.alerts import Alerts
from relayer.reporting import Reporter
from relayer.scaleout.remote import RemoteSource
from relayer.sources import Watched
from tests import samples

MINUTE = 60
WAIT_SECONDS = 200
SHORT = 3
"""After so many seconds a worker counts as dead in these tests [s]."""
LEVELS = 8


def install_adapter(folder: Path) -> None:
    """As `pip install` would: where Python finds it, with an entry point."""
    shutil.copy(Path(__file__).parent / "counted.py", folder / "counted_adapter.py")
    info = folder / "counted_adapter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counted_adapter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[makegood.oracles]\ncounted = counted_adapter:Counted\n"
    )
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


class Monitoring:
    """The monitoring service. ``asked``: by which process, for which thing, from which second on."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str, int]] = []
        self.failing: set[str] = set()
        self.delay = 0.0
        self.open = threading.Event()
        self.open.set()
        self.held: set[int] = set()
        self.port = 0

    def close_gate(self) -> None:
        """Whoever asks from now on waits until `open` is set."""
        self.held.clear()
        self.open.clear()

    def askers(self) -> set[int]:
        return {by for by, _, _ in self.asked}

    def answer(self, said: dict) -> list:
        by, start, things = said["by"], said["start"], said["things"]
        self.asked += [(by, thing, start) for thing in things]
        if not self.open.is_set():
            self.held.add(by)
        self.open.wait(WAIT_SECONDS)
        time.sleep(self.delay)
        return ["it does not feel well" if thing in self.failing else 1_000_000 for thing in things]


@contextmanager
def running_monitoring():
    monitoring = Monitoring()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(monitoring.answer(said)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_):
            pass  # a worker that was killed

    with Server(("127.0.0.1", 0), Handler) as server:
        monitoring.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield monitoring
        finally:
            monitoring.open.set()
            server.shutdown()
            thread.join()


def counted(thing: str) -> dict:
    """The data source that asks the monitoring service for a thing."""
    return {"type": "counted", "spec": {"thing": thing}}


def write_documents(
    folder: Path, feeds: int, *, start: int, name="sla", asks=counted, **settlement
) -> list[Path]:
    """SLA documents over so many feeds, one reporter each, an interval a minute; they began at ``start``.

    :param asks: The data source for a thing.
    """
    paths = []
    for first in range(0, feeds, LEVELS):
        numbers = range(first, min(first + LEVELS, feeds))
        document = f"{name}-{first}"
        path = folder / f"{document}.yaml"
        levels = [_level(f"{document}-{number}", asks) for number in numbers]
        path.write_text(json.dumps(_document(document, levels, start, settlement)))
        paths.append(path)
    return paths


def _document(name, levels, start, settlement):
    address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    contracts = {"chainId": 31_337, "escrow": address, "oracle": address, "token": address}
    return {
        "apiVersion": "makegood/v1",
        "kind": "SLA",
        "metadata": {"name": name},
        "spec": {
            "parties": {
                "provider": samples.wallet(1).address,
                "consumer": samples.wallet(2).address,
            },
            "settlement": contracts | {"decimals": 6} | settlement,
            "money": {"feePerWindow": "100.00"},
            "term": {
                "start": datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "window": "1h",
                "windows": 24,
            },
            "levels": levels,
            "salt": f"0x{start:064x}",
        },
    }


def _level(thing, asks):
    return {
        "name": thing,
        "indicator": {
            "metric": "availability",
            "dataSource": asks(thing),
        },
        "objective": {"op": "gte", "value": "99%"},
        "interval": "60s",
        "settleDelay": "1s",
        "reportEvery": "2m",
        "reportDeadline": "12h",
        "reporters": {"keys": [samples.reporter_wallets(1)[0].address], "quorum": 1},
        "tiers": [{"availabilityBelow": "99%", "credit": "10%"}],
    }


class Workers:
    """`makegood relayer worker` processes, as many as the test starts."""

    def __init__(self, folder: Path, database: str, monitoring: Monitoring, plugins: Path) -> None:
        self.database = database
        self._folder = folder
        self._port = monitoring.port
        self._plugins = plugins
        self._processes: list[subprocess.Popen] = []

    def configuration(self, **changes) -> Path:
        path = self._folder / f"makegood-{len(list(self._folder.glob('makegood-*')))}.yaml"
        settings = {
            "database": self.database,
            "workers": True,
            "agreements": [f"{self._folder}/*sla-*.yaml"],
            "sources": {"counted": {"port": self._port}},
            "logFormat": "json",
        }
        path.write_text(json.dumps(settings | changes))
        return path

    def start(
        self, *words: str, dead_seconds: float = SHORT, clock_ahead: float = 0, **changes
    ) -> subprocess.Popen:
        """A worker, as the command starts it, but sooner taken for dead.

        :param clock_ahead: How wrong its machine's clock is [s].
        """
        program = (
            "import sys, time\n"
            "right = time.time\n"
            f"time.time = lambda: right() + {clock_ahead}\n"
            "from relayer.scaleout.worker import Worker\n"
            f"Worker.__init__.__kwdefaults__['dead_seconds'] = {dead_seconds}\n"
            "from relayer.cli import main\n"
            "from relayer.cli.relayer import relayer\n"
            "from relayer.cli.worker import worker\n"
            "relayer.add_command(worker)\n"
            "sys.exit(main(sys.argv[1:]))\n"
        )
        where = self._folder / f"worker-{len(self._processes)}.log"
        command = ["relayer", "worker", *words, "--config", self.configuration(**changes)]
        with where.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", program, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(self._folder, self._plugins),
            )
        process.log = where
        self._processes.append(process)
        return process

    def end(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()


def environment(folder: Path, plugins: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKEGOOD_")}
    path = os.pathsep.join(filter(None, [str(plugins), os.environ.get("PYTHONPATH")]))
    return own | {"XDG_CONFIG_HOME": str(folder), "PYTHONPATH": path}


def remote_source(
    store, documents, monitoring, *, name="counted", intervals=3, **more
) -> RemoteSource:
    """The daemon's side, watching every feed of the documents. Nothing runs by itself: tests call `step`.

    The chain stands still after so many intervals, so that no more become due while a test waits.
    """
    service = connect(name, {"counted": {"port": monitoring.port}})
    newest = documents[0].terms.start + intervals * MINUTE + 10
    source = RemoteSource(service, store, alerts=Alerts(), chain_time=lambda: newest, **more)
    source.answers = []
    source.on_answers = source.answers.extend
    source.watch(tuple(watched(service, doc, level) for doc in documents for level in doc.levels))
    return source


def watched(service, document, level) -> Watched:
    measurement = level.feed.measurement
    reporter = Reporter(f"{document.name}/{level.name}", level.feed, index=0, salt=level.salt)
    reporter.note_end(document.terms.start + 24 * 60 * MINUTE, shared=False)
    agreed = level.source_for(level.feed.panel.reporters[0])
    query = type(service).query(
        agreed.spec, level.metric, first=measurement.start, length=measurement.interval
    )
    return Watched(reporter, query)


def load_documents(paths):
    return [load_document(path) for path in paths]


def wait_until(done, *also, timeout=WAIT_SECONDS):
    """Until ``done`` says so; before each look, ``also`` are called."""
    last = time.monotonic() + timeout
    while True:
        for call in also:
            call()
        if done():
            return
        assert time.monotonic() < last, "it did not happen"
        time.sleep(0.1)
