"""Secrets appear nowhere, however hard the monitoring services try: they repeat all that they are sent, and more.

A whole relayer, as its command makes it, works for some minutes on a real chain. Then everything that it wrote, logged,
answered and sent is searched for each secret, in each form in which it could have been written down.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import logging
import sqlite3
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import boto3
import pytest
from moto.server import ThreadedMotoServer

from relayer import assembly
from relayer.cli import main
from relayer.cli.output import Output
from relayer.cli.relayer import _assembled
from relayer.cli.session import Session
from relayer.demo.processes import free_ports
from tests import samples
from tests.oracles.aws import between
from tests.relayer.evidence import kit

MINUTE = 60
REGION = "eu-central-1"
# Each has signs that are written differently in URLs, in JSON, in base64.
SECRETS = {
    "PROBE_TOKEN": "pr0be/t0ken+with=signs.A1",
    "PROM_PASSWORD": 'pr0metheus"p@ss w0rd%41',
    "JSON_TOKEN": "js0n/t0ken+with=signs.B2",
    "AWS_SECRET_ACCESS_KEY": "awsS3cret/Key+0123456789abcdefghijklmnop",
    "AWS_SESSION_TOKEN": "awsSess1on/T0ken+abcdefghijklmnop==",
    "RPC_KEY": "rpckey-0123456789abcdef0123456789",
    "HOOK_KEY": "hookkey/with+signs-0123456789abcd",
    "EVIDENCE_KEY": base64.b64encode(bytes(range(200, 232))).decode(),
}
QUERY_TOKEN = "t0ken-in-a-signed-url-0123"
PROM_USER = "makegood-reader"
FAILURES = (
    "401",
    "403",
    "400",
    "429",
    "500",
    "redirect",
    "garbage",
    "warning",
    "not http",
    "silence",
)


def forms(name: str, secret: str) -> dict[str, bytes]:
    """How a secret may have been written down."""
    raw = secret.encode()
    found = {
        "plain": raw,
        "base64": base64.b64encode(raw).rstrip(b"="),
        "base64url": base64.urlsafe_b64encode(raw).rstrip(b"="),
        "url": quote(secret, safe="").encode(),
        "url path": quote(secret).encode(),
        "form": quote_plus(secret).encode(),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "json": json.dumps(secret)[1:-1].encode(),
        "python": repr(secret)[1:-1].encode(),
        "bytes": repr(raw)[2:-1].encode(),
    }
    if name == "PROM_PASSWORD":
        found["basic"] = base64.b64encode(f"{PROM_USER}:{secret}".encode()).rstrip(b"=")
    if name == "EVIDENCE_KEY":
        found["bytes of it"] = base64.b64decode(secret)
        found["digits of it"] = base64.b64decode(secret).hex().encode()
    return found


def leaks(where: str, content: bytes) -> list[str]:
    """Which secrets stand in it, and in which form."""
    return [
        f"{where}: {name} ({form})"
        for name, secret in {**SECRETS, "QUERY_TOKEN": QUERY_TOKEN}.items()
        for form, text in forms(name, secret).items()
        if text in content
    ]


class Echo:
    """A monitoring service of several kinds that repeats in every answer whatever it was sent, also decoded.

    :ivar mode: ``ok``, or how it fails.
    :ivar alerts: What came in at the webhook.
    :ivar heard: All that it was sent: proof that the secrets did travel.
    """

    def __init__(self) -> None:
        self.mode = "ok"
        self.heard = ""
        self.alerts = ""
        self.port = 0

    def answer(self, path: str, headers, sent: str) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/hook"):
            self.alerts += sent
        echo = f"{path} {dict(headers)} {self._decoded(headers)}"
        self.heard += echo
        head = {"X-Echo": quote(echo), "Content-Type": "application/json"}
        if self.mode == "redirect":
            return 302, {**head, "Location": f"http://127.0.0.1:{self.port}/{quote(echo)}"}, b""
        if self.mode == "garbage":
            return 200, head, echo.encode()
        if self.mode not in ("ok", "warning"):
            problem = {"status": "error", "error": echo, "message": echo}
            return int(self.mode), head, json.dumps(problem).encode()
        return 200, head, json.dumps(self._said(path, sent, echo)).encode()

    def _said(self, path: str, sent: str, echo: str):
        """A good answer, with the echo wherever there is a place for it."""
        url = urlsplit(path)
        if url.path.startswith("/api/v1/"):
            asked = parse_qs(f"{url.query}&{sent}")
            at = float(asked["time"][0]) - 30 if "time" in asked else float(asked["start"][0])
            series = {"metric": {"echo": echo}, "values": [[at, "1"]]}
            return {
                "status": "success",
                "data": {"resultType": "matrix", "result": [series]},
                "warnings": [echo] if self.mode == "warning" else [],
                "infos": [echo],
            }
        return {"value": 1, "echo": echo}

    @staticmethod
    def _decoded(headers) -> str:
        kind, _, content = headers.get("Authorization", "").partition(" ")
        return base64.b64decode(content).decode() if kind == "Basic" else ""


@pytest.fixture
def echo():
    service = Echo()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if service.mode == "silence":
                self.close_connection = True
                return
            status, headers, body = service.answer(self.path, self.headers, sent)
            if service.mode == "not http":
                self.wfile.write(body)
                self.close_connection = True
                return
            # The reason, too, repeats what was sent.
            self.send_response(status, quote(service.heard[-300:], safe=" /+='\"@"))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - as http.server wants it

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield service
        server.shutdown()
        thread.join()


@pytest.fixture
def aws(monkeypatch, tmp_path, echo):
    """moto, behind somebody who answers as the echo does when that does not feel well."""
    for name in ("AWS_PROFILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    with between(port) as middleman:
        honest = middleman.handle

        def handle(moto_port, head, path, body):
            echo.heard += str(dict(head))
            if echo.mode == "ok":
                return honest(moto_port, head, path, body)
            secrets = " ".join(SECRETS[name] for name in SECRETS if name.startswith("AWS"))
            said = f"{dict(head)} {secrets}"  # as if it knew the key, too
            if echo.mode in ("garbage", "warning", "not http", "silence"):
                return 200, {}, said.encode()
            status = 503 if echo.mode == "redirect" else int(echo.mode)
            return status, {}, json.dumps({"__type": said[:80], "message": said}).encode()

        middleman.handle = handle
        middleman.moto_port = port
        yield middleman
    server.stop()


def indicators(port: int):
    here = f"http://127.0.0.1:{port}"
    up = {"op": "gte", "value": "99%"}
    count = {"statistic": "mean", "step": MINUTE, "min_points": 1}
    sources = {
        "http_probe": {"url": f"{here}/?token={QUERY_TOKEN}", "samples": 3, "timeout": "2"},
        "prometheus": {"url": here, "query": "up", "mode": "samples", **count, "unit": "ratio"},
        "json_http": {
            "url": f"{here}/json?from={{start_s}}",
            "value": "$.value",
            "unit": "ratio",
        },
        "cloudwatch": {
            "region": REGION,
            "namespace": "Shop",
            "metric_name": "Up",
            "statistic": "Average",
            "unit": "Percent",
        },
    }
    return {
        name.replace("_", "-"): {
            "indicator": {"metric": "availability", "dataSource": {"type": name, "spec": spec}},
            "objective": up,
        }
        for name, spec in sources.items()
    }


@pytest.fixture(params=["plain", "encrypted"])
def relayer(request, rpc_url, tmp_path, monkeypatch, echo, aws, capsys):
    """A relayer with secrets in every place, as `makegood relayer run` makes it; its clock is the chain's."""
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("HOME", str(tmp_path))
    agreement = kit.open_agreement(rpc_url, tmp_path, indicators=indicators(echo.port))
    monkeypatch.setattr(assembly, "SteadyClock", lambda: agreement.now)
    here = f"http://127.0.0.1:{echo.port}"
    (tmp_path / "json-token").write_text(SECRETS["JSON_TOKEN"] + "\n")
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(samples.reporter_wallets(1)[0].key.hex())
    exchange, operations = free_ports(2)
    bearer = {"Authorization": "Bearer ${PROBE_TOKEN}"}
    headers = {"X-Token": f"${{file:{tmp_path}/json-token}}"}
    # One origin, two kinds of credentials: each adapter has its own.
    inside = {"allowed_networks": ["127.0.0.1"]}
    access = {"username": PROM_USER, "password": "${PROM_PASSWORD}"}
    config = tmp_path / "makegood.yaml"
    encrypted = {"evidenceKey": "${EVIDENCE_KEY}"} if request.param == "encrypted" else {}
    config.write_text(
        json.dumps(
            {
                **encrypted,
                "rpcUrl": f"{rpc_url}/?key=${{RPC_KEY}}",
                "database": str(tmp_path / "relayer.sqlite"),
                "key": {"file": str(tmp_path / "key")},
                "agreements": [str(agreement.document.path)],
                "sources": {
                    "http_probe": {**inside, "headers": {here: bearer}},
                    "prometheus": {**inside, "access": {here: access}},
                    "json_http": {**inside, "access": {here: {"headers": headers}}},
                    "cloudwatch": {"endpoint_url": aws.url, "attempts": 1},
                },
                "exchange": {"listen": f"127.0.0.1:{exchange}"},
                "operations": {
                    "listen": f"127.0.0.1:{operations}",
                    "webhook": f"{here}/hook?key=${{HOOK_KEY}}",
                },
                "logFormat": "json",
            }
        )
    )
    return Running(agreement, config, exchange, operations, capsys)


class Running:
    """The relayer of :func:`relayer`, and all that comes out of it."""

    def __init__(self, agreement, config, exchange, operations, capsys):
        self.agreement = agreement
        self.first_block = agreement.chain.w3.eth.block_number
        self.config = config
        self.exchange = exchange
        self.operations = operations
        self.capsys = capsys
        self.outputs: dict[str, bytes] = {}

    def work(self, echo, aws) -> None:
        """Fails in every way, then goes well; signs, reports, is paid."""
        session = Session(Output(), file=self.config, flags={})
        with _assembled(session) as (daemon, self.store), contextlib.ExitStack() as stack:
            logging.getLogger().setLevel(logging.DEBUG)
            for name in ("relayer", "oracles"):
                logging.getLogger(name).setLevel(logging.DEBUG)
            for part in daemon._services:
                part.start()
                stack.callback(part.stop, 5)
            lookout = daemon._lookout
            lookout.observe(lookout.see_head())
            self._sample(lookout, echo)
            self._put(aws)
            self.agreement.warp(3 * MINUTE + 400)
            for mode in (*FAILURES, "ok", "ok"):
                echo.mode = mode
                for source in lookout.sources:
                    source._schedule(self.agreement.now())
                    for interval in sorted(source._open):
                        source._ask(interval, self.agreement.now(), set())
                self._keep(f"answers while {mode}")
                for where, content in self.database().items():
                    self.outputs[f"{where} while {mode}"] = content
                self.agreement.warp(int(self.agreement.now()) - self.agreement.start + 61)
            give_up = time.monotonic() + 60
            while daemon.round() and time.monotonic() < give_up:
                time.sleep(0.02)
            self._keep("answers at the end")
            for source in lookout.sources:
                source.stop(1)
        logged = self.capsys.readouterr()
        self.outputs["log"] = logged.err.encode()
        self.outputs["standard output"] = logged.out.encode()

    def _sample(self, lookout, echo) -> None:
        """What the probe measures by itself, while the service fails in every way."""
        [probe] = [source for source in lookout.sources if source.name.startswith("http_probe")]
        service, queries = probe._service, probe._queries
        at = service.sample(queries, self.agreement.start)
        for mode in (*FAILURES, "ok"):
            echo.mode = mode
            before = self._samples()
            self.agreement.warp(int(at) - self.agreement.start)
            at = service.sample(queries, self.agreement.now())
            give_up = time.monotonic() + 60
            while self._samples() == before and time.monotonic() < give_up:
                time.sleep(0.02)
        assert self._samples() > len(FAILURES)

    def _samples(self) -> int:
        with contextlib.closing(sqlite3.connect(self.store._file)) as db:
            return db.execute("SELECT count(*) FROM samples").fetchone()[0]

    def _put(self, aws) -> None:
        client = boto3.Session("a", "b", region_name=REGION).client(
            "cloudwatch", endpoint_url=f"http://127.0.0.1:{aws.moto_port}"
        )
        points = [
            {
                "MetricName": "Up",
                "Timestamp": dt.datetime.fromtimestamp(self.agreement.start + MINUTE * n, dt.UTC),
                "Value": 100.0,
            }
            for n in range(3)
        ]
        client.put_metric_data(Namespace="Shop", MetricData=points)
        client.close()

    def _keep(self, when: str) -> None:
        """What the relayer answers on its two ports."""
        asked = [(self.exchange, path) for path in ("/v1/bundles", "/v1/identity", "/nothing")]
        asked += [(self.operations, f"/{p}") for p in ("livez", "readyz", "metrics", "alerts")]
        for port, path in asked:
            url = f"http://127.0.0.1:{port}{path}"
            try:
                with urllib.request.urlopen(url, timeout=30) as answer:
                    content = str(answer.headers).encode() + answer.read()
            except urllib.error.HTTPError as error:
                content = str(error.headers).encode() + error.read()
            self.outputs[f"{path} {when}"] = content

    def database(self) -> dict[str, bytes]:
        """Every column of every table; and the files, with all that may be left in them."""
        path = self.config.parent / "relayer.sqlite"
        found = {}
        with contextlib.closing(sqlite3.connect(path)) as db:
            tables = [
                row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            for table in tables:
                cursor = db.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - its own names
                for row in cursor:
                    for column, value in zip(cursor.description, row, strict=True):
                        content = value if isinstance(value, bytes) else str(value).encode()
                        key = f"column {table}.{column[0]}"
                        found[key] = found.get(key, b"") + b"\n" + content
        for file in path.parent.glob("relayer.sqlite*"):
            found[file.name] = file.read_bytes()
        return found

    def chain_data(self) -> bytes:
        """All transactions and events since it was made: before that, others used the chain."""
        w3 = self.agreement.chain.w3
        found = []
        for number in range(self.first_block, w3.eth.block_number + 1):
            block = w3.eth.get_block(number, full_transactions=True)
            found += [bytes(transaction["input"]) for transaction in block["transactions"]]
        for entry in w3.eth.get_logs({"fromBlock": self.first_block}):
            found += [*map(bytes, entry["topics"]), bytes(entry["data"])]
        assert any(found)
        return b"".join(found)

    def commands(self) -> dict[str, bytes]:
        """What an operator sees."""
        evidence = self.config.parent / "evidence.json"
        document = str(self.agreement.document.path)
        found = {}
        levels = [level.name for level in self.agreement.document.levels]
        exports = [
            ["evidence", "export", document, "--level", name, "--window", "0", "--output"]
            for name in levels
        ]
        for words in (
            ["config", "show", "--origin"],
            ["relayer", "status"],
            ["relayer", "status", "--json"],
            *([*words, str(evidence.with_name(f"{words[4]}.json"))] for words in exports),
        ):
            self.capsys.readouterr()
            code = main([*words, "--config", str(self.config)])
            said = self.capsys.readouterr()
            assert code == 0, said.err
            found[" ".join(words[:2])] = (said.out + said.err).encode()
        for name in levels:
            file = evidence.with_name(f"{name}.json")
            assert json.loads(file.read_text())["readings"]
            found[file.name] = file.read_bytes()
        return found


def test_no_secret_is_found_anywhere(relayer, echo, aws):
    relayer.work(echo, aws)
    # The relayer did use them, and did work.
    for name in ("PROBE_TOKEN", "PROM_PASSWORD", "JSON_TOKEN", "AWS_SESSION_TOKEN"):
        assert leaks("", echo.heard.encode()), name
    places = {
        **relayer.outputs,
        **relayer.database(),
        **relayer.commands(),
        "chain": relayer.chain_data(),
        "webhook": echo.alerts.encode(),
    }
    assert b"source_failing" in places["webhook"]
    assert b"readings_signed" in places["log"]
    assert b'"level": "debug"' in places["log"]
    assert b"makegood_" in places["/metrics answers at the end"]
    assert b'"signature"' in places["/v1/bundles answers at the end"]
    assert len(places["column readings.evidence"]) > 500
    problems = [content for where, content in places.items() if "readings.problem while" in where]
    assert any(b"CloudWatch: " in problem and b"***" in problem for problem in problems)
    found = [leak for where, content in places.items() for leak in leaks(where, content)]
    assert found == []
