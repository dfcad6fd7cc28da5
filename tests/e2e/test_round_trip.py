"""From an OpenSLO file to a paid penalty whose evidence the other party checks: every step as users type it, each on a machine of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.hexadecimal import encode_hex

from oracles import canonical
from relayer.protocol.readings import pack_readings, unpack_readings
from tests.e2e.conftest import DOLLAR, FEE

MINUTE = 60
HALF = 30
MINUTES = 10
FAILING = frozenset({3, 4, 8})
"""The minutes in which the service fails: seven good ones of ten."""
BEGAN = 20 * MINUTE
"""The story happens so long ago: Prometheus takes no samples that lie in the future [s]."""
CHECKS_FAILED = 7
"""See docs/exit-codes.md."""

pytestmark = pytest.mark.timeout(300)

SLOS = """\
apiVersion: openslo/v1
kind: Service
metadata: {{name: shop}}
spec: {{description: Where customers pay}}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {{name: monitoring}}
spec:
  type: Prometheus
  connectionDetails: {{url: "{prometheus}"}}
---
apiVersion: openslo/v1
kind: SLI
metadata:
  name: shop-answers
  annotations: {{makegood/metric: availability, makegood/unit: ratio}}
spec:
  thresholdMetric:
    metricSource:
      metricSourceRef: monitoring
      spec: {{query: shop_up, step: {step}}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {{name: shop-works, displayName: The shop works}}
spec:
  service: shop
  indicatorRef: shop-answers
  timeWindow:
    - duration: {minutes}m
      calendar: {{startTime: {start}, timeZone: UTC}}
  budgetingMethod: Timeslices
  objectives:
    - {{op: gte, value: 0.99, target: 0.9, timeSliceTarget: 1, timeSliceWindow: 1m}}
"""


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class Machine:
    """Somebody's computer: a home and a folder of its own, and nothing in the environment of this one."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.folder = folder / "work"
        for each in (self.home, self.folder):
            each.mkdir(parents=True)

    def makegood(self, *words, code=0):
        """Types a command; what comes of it."""
        command = [Path(sys.executable).with_name("makegood"), *map(str, words)]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Ran(done.returncode, done.stdout, done.stderr)

    def key(self, account):
        """The options with which this machine's user signs and sends."""
        file = self.folder / "private.key"
        file.touch(mode=0o600)
        file.write_text(encode_hex(account.key))
        return ("--key-file", file)

    def receives(self, sender, *names):
        """Files from somebody else."""
        for name in names:
            shutil.copy(sender.folder / name, self.folder / name)


@pytest.fixture
def machine(tmp_path):
    return lambda name: Machine(tmp_path / name)


@pytest.fixture
def stage(begin_chain):
    return begin_chain(time.time() - BEGAN)


def history(shop, exporter, prometheus_url, start):
    """Let the service work and fail for ten minutes while Prometheus watches."""
    for minute in range(MINUTES):
        shop.up = minute not in FAILING
        for second in (HALF // 2, HALF + HALF // 2):
            exporter.look(start + MINUTE * minute + second, prometheus_url)


def test_from_an_openslo_file_to_checked_evidence(stage, shop, exporter, prometheus_url, machine):
    provider, consumer, reporter = machine("provider"), machine("consumer"), machine("reporter")
    account = Account.create()
    stage.give_coins(account)
    start = (stage.chain.now() // MINUTE + 2) * MINUTE

    # The provider writes what it promises, in OpenSLO's words, and what a breach costs.
    began = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d %H:%M:%S")
    slos = SLOS.format(prometheus=prometheus_url, step=HALF, minutes=MINUTES, start=began)
    (provider.folder / "shop.slo.yaml").write_text(slos)
    level = {
        "sloRef": "shop-works",
        "settleDelay": "30s",
        "reportEvery": "1m",
        "reportDeadline": "1h",
        "reporters": {"keys": [account.address], "quorum": 1},
        "tiers": [
            {"availabilityBelow": "90%", "credit": "10%"},
            {"availabilityBelow": "80%", "credit": "40%"},
            {"availabilityBelow": "70%", "credit": "100%"},
        ],
    }
    document = stage.document(
        start=start, window=f"{MINUTES}m", levels=[level], openslo=["shop.slo.yaml"]
    )
    (provider.folder / "sla.yaml").write_text(json.dumps(document, indent=2))
    written = provider.makegood("sla", "validate", "sla.yaml", "--json").json
    provider.makegood("sla", "resolve", "sla.yaml", "--output", "agreed.yaml")
    agreed = provider.makegood("sla", "validate", "agreed.yaml", "--json").json
    assert agreed["agreementId"] == written["agreementId"]

    # Both sign what stands in one piece; the consumer pays.
    provider.makegood(
        "sla", "sign", "agreed.yaml", "--as", "provider", *provider.key(stage.provider)
    )
    consumer.receives(provider, "agreed.yaml", "agreed.signatures.json")
    key, chain = consumer.key(stage.consumer), ("--rpc-url", stage.rpc_url)
    consumer.makegood("sla", "sign", "agreed.yaml", "--as", "consumer", *key)
    consumer.makegood("sla", "open", "agreed.yaml", "--yes", *key, *chain)
    assert stage.balances() == (0, 0, FEE)

    # The service fails, and a relayer that comes up when the window is over finds out.
    history(shop, exporter, prometheus_url, start)
    stage.warp(time.time())
    reporter.receives(consumer, "agreed.yaml")
    configuration = {
        "rpcUrl": stage.rpc_url,
        "database": str(reporter.folder / "relayer.sqlite"),
        "key": {"file": str(reporter.key(account)[1])},
        "agreements": ["agreed.yaml"],
        "sources": {"prometheus": {"allowed_networks": ["127.0.0.1"]}},
        "logFormat": "json",
    }
    (reporter.folder / "makegood.yaml").write_text(json.dumps(configuration))
    sent = reporter.makegood("relayer", "once", "--json").json
    assert {"report", "close"} <= {each["purpose"] for each in sent}
    assert stage.balances() == (40 * DOLLAR, 60 * DOLLAR, 0), "70 % of the minutes were good"
    status = consumer.makegood("sla", "status", "agreed.yaml", "--json", *chain).json
    assert status["agreementId"] == agreed["agreementId"]

    # The raw answers go to a machine that has the document and nothing else.
    reporter.makegood(
        "evidence", "export", "agreed.yaml", "--window", "0", "--output", "evidence.json"
    )
    auditor = machine("auditor")
    auditor.receives(reporter, "agreed.yaml", "evidence.json")
    check = ("evidence", "verify", "evidence.json", "--agreement", "agreed.yaml", "--json")
    found = auditor.makegood(*check, *chain).json
    assert verdicts(found) == {
        minute: ("holds", *((0, 0) if minute in FAILING else (1_000_000, 1_000_000)))
        for minute in range(MINUTES)
    }
    assert {name for each in found["readings"] for name in each["checks"]} == {
        "signature",
        "evidence",
        "reading",
        "chain",
    }
    offline = auditor.makegood(*check)
    assert "what the chain says is left out" in offline.err
    assert {each["status"] for each in offline.json["readings"]} == {"holds"}

    # Whoever changes what was said or signed is found out, with the chain and without it.
    original = (reporter.folder / "evidence.json").read_text()
    for change, check_that_fails in ((other_answer, "evidence"), (other_readings, "signature")):
        (auditor.folder / "evidence.json").write_text(change(original))
        for more in (chain, ()):
            refused = auditor.makegood(*check, *more, code=CHECKS_FAILED)
            assert not refused.json["holds"]
            failing = refused.json["readings"][min(FAILING)]
            assert failing["checks"][check_that_fails]["status"] == "fails"


def verdicts(found):
    """Of each reading: whether it holds, what was signed and what was judged."""
    return {
        each["interval"]: (each["status"], each["signed"], each["judged"])
        for each in found["readings"]
    }


def other_answer(package):
    """As if the monitoring service had said that all was well."""
    content = json.loads(package)
    kept = content["readings"][min(FAILING)]
    answer = json.loads(kept["evidence"])
    answer["answer"]["points"] = [[at, 1] for at, _ in answer["answer"]["points"]]
    kept["evidence"] = canonical(answer).decode()
    return canonical(content).decode()


def other_readings(package):
    """As if the reporter had signed that all was well."""
    content = json.loads(package)
    batch = content["batches"][0]
    codes = unpack_readings(bytes.fromhex(batch["readings"][2:]))
    batch["readings"] = encode_hex(pack_readings([1_000_000] * len(codes)))
    return canonical(content).decode()
