import json
from pathlib import Path

import pytest

from relayer import yaml_lines

CORPUS = Path(__file__).parent / "corpus"
SAMPLES = Path(__file__).parents[3] / "samples"

LEVEL = {
    "sloRef": "slo",
    "reporters": {"keys": ["0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"], "quorum": 1},
    "settleDelay": "10m",
    "reportEvery": "1h",
    "reportDeadline": "6h",
}
BELOW = [{"availabilityBelow": "99%", "credit": "10%"}]
BEYOND = [{"averageBeyond": "99%", "credit": "10%"}]


@pytest.fixture
def sla():
    """An SLA of 30 days a window, as JSON has it, with one level in our own words."""
    content = yaml_lines.load(SAMPLES / "agreement.yaml").plain()
    return json.loads(json.dumps(content))


@pytest.fixture
def with_slo(sla, tmp_path):
    """Writes an SLA whose only level is the SLO "slo" of an OpenSLO text, which stands in a file of its own."""

    def write(text, tiers=BELOW, file="slos.yaml", **level):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
        sla["spec"]["openslo"] = [file]
        sla["spec"]["levels"] = [LEVEL | {"tiers": tiers} | level]
        path = tmp_path / "agreement.yaml"
        path.write_text(json.dumps(sla, indent=1))
        return path

    return write
