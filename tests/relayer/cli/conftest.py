import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from web3 import HTTPProvider, Web3

from relayer.bindings import Escrow, Oracle, Token
from relayer.chain import Chain
from relayer.cli import main
from relayer.document.quantities import show_time
from tests.relayer.cli.place import HOUR, MINUTE, ROOT, Place, Ran
from tests.relayer.world import deploy
from tests.samples import reporter_wallets, wallet

SAMPLE = ROOT / "samples" / "three-reporters.yaml"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder to work in, and nothing of the user's own."""
    for name in [name for name in os.environ if name.startswith(("MAKEGOOD_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def makegood(home, capsys):
    """Runs a command in this process."""

    def run(*words) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def agreement(home):
    """A copy of the sample document."""
    path = home / "agreement.yaml"
    path.write_text(SAMPLE.read_text())
    return path


@pytest.fixture
def key_file(home):
    """Writes the key of an account that others may not read."""

    def write(account, name="key"):
        path = home / name
        path.touch(mode=0o600)
        path.write_text(account.key.hex())
        return path

    return write


class Up(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture
def service_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Up)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/health"
    server.shutdown()
    server.server_close()


@pytest.fixture
def place(rpc_url, home, makegood, monkeypatch, service_url):
    monkeypatch.setenv("MAKEGOOD_RPC_URL", rpc_url)
    w3 = Web3(HTTPProvider(rpc_url))
    sender = w3.eth.accounts[0]
    chain = Chain.connect(rpc_url)
    contracts = {
        name: deploy(w3, name, sender) for name in ("SLAEscrow", "MonitoringOracle", "TestDollar")
    }
    start = chain.now() // MINUTE * MINUTE + HOUR
    keys = [account.address for account in reporter_wallets()]
    document = {
        "apiVersion": "makegood/v1",
        "kind": "SLA",
        "metadata": {"name": "shop"},
        "spec": {
            "parties": {"provider": wallet(1).address, "consumer": wallet(2).address},
            "settlement": {
                "chainId": chain.chain_id,
                "escrow": contracts["SLAEscrow"],
                "oracle": contracts["MonitoringOracle"],
                "token": contracts["TestDollar"],
                "decimals": 6,
            },
            "money": {"feePerWindow": "100.00"},
            "term": {"start": show_time(start), "window": "10m", "windows": 4, "prepaidWindows": 1},
            "levels": [
                {
                    "name": "availability",
                    "indicator": {
                        "dataSource": {"type": "http_probe", "spec": {"url": service_url}},
                        "metric": "availability",
                    },
                    "objective": {"op": "gte", "value": "99%"},
                    "interval": "60s",
                    "reporters": {"keys": keys, "quorum": 2},
                    "settleDelay": "30s",
                    "reportEvery": "10m",
                    "reportDeadline": "2h",
                    "tiers": [
                        {"availabilityBelow": "95%", "credit": "10%"},
                        {"badIntervals": 3, "credit": "40%"},
                    ],
                }
            ],
            "salt": "0x" + "5a" * 32,
        },
    }
    path = home / "agreement.yaml"
    path.write_text(json.dumps(document))
    return Place(
        home,
        chain,
        Escrow(w3, contracts["SLAEscrow"]),
        Oracle(w3, contracts["MonitoringOracle"]),
        Token(w3, contracts["TestDollar"]),
        path,
        start,
        makegood,
        monkeypatch,
    )
