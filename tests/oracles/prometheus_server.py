"""A real Prometheus with a past, or one that scrapes, a middleman before it that can lie, and a real blackbox exporter."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from relayer.demo.processes import free_port
from tests.oracles.tls_server import Answer, Request, TlsServer

PATIENCE = 90


def program(name: str) -> str:
    """From Debian's packages. In CI they may not be missing."""
    found = shutil.which(name)
    if found is None:
        packages = "prometheus prometheus-blackbox-exporter"
        message = f"{name} is missing: apt-get install -y --no-install-recommends {packages}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextlib.contextmanager
def running(command: list[str], ready: str, log: Path):
    """The process, once `ready` answers 200. Ended by its own id."""
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            until(lambda: answers(ready, process, log), ready)
            yield process
        finally:
            process.terminate()
            process.wait(60)


def answers(url: str, process: subprocess.Popen, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    with contextlib.suppress(requests.RequestException):
        return requests.get(url, timeout=5).status_code == 200
    return False


def until(condition, what: str):
    """What `condition` gives as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail(f"{PATIENCE} s were not enough for {what}")


@contextlib.contextmanager
def prometheus(folder: Path, history: str = "", *, prefix: str = "", **config):
    """The URL of a Prometheus that remembers `history` (OpenMetrics) and is configured so."""
    data = folder / "data"
    if history:
        (folder / "history.om").write_text(history + "# EOF\n")
        create = ["tsdb", "create-blocks-from", "openmetrics", folder / "history.om", data]
        subprocess.run([program("promtool"), *create], check=True, capture_output=True)
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    url = f"http://127.0.0.1:{(port := free_port())}{prefix}"
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url={url}",
        "--log.level=warn",
    ]
    with running(command, f"{url}/-/ready", folder / "prometheus.log"):
        yield url


@contextlib.contextmanager
def blackbox_exporter(folder: Path):
    """The address of an exporter with the one module `http_2xx`, and its process."""
    modules = {
        "http_2xx": {"prober": "http", "timeout": "2s", "http": {"preferred_ip_protocol": "ip4"}}
    }
    (folder / "blackbox.yml").write_text(json.dumps({"modules": modules}))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus-blackbox-exporter"),
        f"--config.file={folder}/blackbox.yml",
        f"--web.listen-address={address}",
    ]
    with running(command, f"http://{address}/-/healthy", folder / "blackbox.log"):
        yield address


class Middleman:
    """Passes what is asked on to a Prometheus. `asked` are the kind of each call and its fields.

    `tamper(kind, fields, answer)` may give another answer; None leaves it.
    """

    def __init__(self, tls: TlsServer, server: str) -> None:
        self.url = tls.url + urlsplit(server).path
        self.options = {"access": {tls.url: {"ca_file": tls.ca_file}}, "timeout": 60}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.tamper = lambda kind, fields, answer: None
        self._server = server.removesuffix(urlsplit(server).path)
        tls.answer(self._pass_on)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.asked]

    def _pass_on(self, request: Request):
        kind = request.path.partition("/api/v1/")[2]
        fields = {name: value for name, [value] in parse_qs(request.body.decode()).items()}
        self.asked.append((kind, fields))
        url = self._server + request.path
        said = requests.request(request.method, url, data=fields, timeout=PATIENCE)
        instead = self.tamper(kind, fields, said.json())
        return Answer(said.content, said.status_code) if instead is None else instead
