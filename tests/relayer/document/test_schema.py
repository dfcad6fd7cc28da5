"""The published JSON Schema and the models that it is made of say the same, as far as a schema can."""

import copy
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from relayer import yaml_lines
from relayer.document import load_document, schema
from relayer.yaml_lines import InvalidFile
from tests.relayer.document.test_every_field import MISTAKES as OF_EVERY_FIELD
from tests.relayer.document.test_malformed import MISTAKES as OF_THREE_REPORTERS

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "samples"
CORPUS = ROOT / "tests" / "relayer" / "openslo" / "corpus"
VALIDATOR = Draft202012Validator(json.loads(schema.published()))


def faults(content):
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(content)]


def documents(file):
    """The documents of a file as editors read them: plain numbers are numbers."""
    roots = yaml_lines.load_all(file)
    return [as_editors(node.plain()) for root in roots for node in root.items() or [root]]


def as_editors(value):
    if isinstance(value, dict):
        return {key: as_editors(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_editors(inner) for inner in value]
    is_number = isinstance(value, str) and re.fullmatch(r"-?[0-9]+\.[0-9]+", value)
    return float(value) if is_number else value


def test_it_is_a_schema():
    Draft202012Validator.check_schema(VALIDATOR.schema)
    assert VALIDATOR.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_it_is_that_of_the_models():
    said = "python -m relayer.document.schema writes it anew"
    assert schema.published() + "\n" == schema.generated(), said


@pytest.mark.parametrize("name", ["agreement", "every-field", "openslo", "three-reporters"])
def test_it_accepts_the_samples(name):
    for content in documents(SAMPLES / f"{name}.yaml"):
        assert faults(content) == []


@pytest.mark.parametrize("file", sorted((CORPUS / "valid").glob("*.yaml")), ids=lambda f: f.stem)
def test_it_accepts_openslo(file):
    for content in documents(file):
        assert faults(content) == []


def test_it_accepts_what_is_resolved():
    document = load_document(SAMPLES / "openslo.yaml")
    assert faults(document.content) == []


def test_editors_read_plain_numbers_as_numbers():
    [content] = documents(SAMPLES / "every-field.yaml")
    content["spec"]["money"]["feePerWindow"] = 100.5
    assert faults(content) == []


# Places and beginnings of mistakes that no schema finds: they show in the whole of a document, in arithmetic, or in what a
# monitoring service takes. Exactly these: one that a schema does find has no place here.
BEYOND_A_SCHEMA = {
    "spec.term.prepaidWindows: prepaidWindows: 13",
    "spec.parties.provider: 0x70997970C51812dc3A010C7d01b50e0d17dc79",
    "spec.parties.provider: 0x00000000000000000000000000000000000000",
    "spec.parties.consumer: 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293",
    'spec.money.feePerWindow: "100.0000001"',
    "spec.money.feePerWindow: 0",
    'spec.money.feePerWindow: "340282366920938463463374607431769"',
    "spec.term.start: start: 2027-02-30T00:00:00Z",
    "spec.term.openBy: openBy: 2027-01-01T00:00:01Z",
    "spec.term.window: window: 90s",
    "spec.term.window: window: 367d",
    "spec.term.window: window: 0d",
    "spec.term.window: window: 4194305m",
    "spec.levels[0].interval: interval: 0s",
    "spec.levels[0].reportDeadline: settleDelay: 6h",
    "spec.levels[0].settleDelay: settleDelay: 31d",
    "spec.levels[0].settleDelay: settleDelay: 200d",
    "spec.levels[0].reportDeadline: reportEvery: 3h",
    "spec.levels[0].reportDeadline: reportDeadline: 31d",
    "spec.levels[0].indicator.dataSource.type: type: htp_probe",
    "spec.levels[0].indicator.dataSource.spec.sampels: sampels: 5",
    "spec.levels[0].indicator.dataSource.spec.samples: samples: 0",
    "spec.levels[0].indicator.dataSource.spec: samples: 50",
    "spec.levels[0].indicator.dataSource.spec.url: url: https://user:pw@api.example.com/",
    "spec.levels[0].indicator.dataSource.spec.url: method: GET",
    "spec.levels[0].indicator.metric: metric: availabilty",
    "spec.levels[0].indicator.metric: metric: throughput",
    "spec.levels[0].objective.value: value: 99",
    "spec.levels[0].objective.value: value: 99.99995%",
    "spec.levels[0].objective.value: value: 101%",
    "spec.levels[0].objective.value: value: 99ms",
    "spec.levels[1].objective.value: value: 0.5ms",
    "spec.levels[1].name: name: availability",
    "spec.levels[0].reporters.quorum: quorum: 3",
    "spec.levels[0].reporters.quorum: quorum: 1",
    "spec.levels[0].reporters.keys: quorum",
    "spec.levels[0].reporters.keys[2]: 0x9965507D1a55bcC2695C58ba16FB37d819B0A4",
    'spec.levels[0].reporters.keys[2].dataSource.spec.region: - {key: "0x976EA74026E726554dB657fA54763',
    "spec.levels[0].reporters.tolerance: tolerance: 5",
    "spec.levels[1].reporters.tolerance: tolerance: 4294968s",
    "spec.levels[0].tiers[1].credit: {availabilityBelow: 99%, credit: 0%}",
    "spec.levels[0].tiers[1].availabilityBelow: {availabilityBelow: 0%, credit: 25%}",
    "spec.levels[0].tiers[0].availabilityBelow: 99.99995%",
    "spec.levels[0].tiers[0].credit: credit: 10.001%}",
    "spec.levels[0].tiers[0].credit: credit: 110%}",
    "spec.levels[0].tiers[2].badRun: badRun: 43201",
    "spec.levels[1]: []",
    "spec.credits.cap: cap: 0%",
    "spec.unknown.maxShare: maxShare: 101%",
    "spec.levels[0].range.best: best: 101%",
    "spec.levels[0].range.best: best: 100",
    "spec.levels[0].range: worst: 100%",
    "spec.levels[0].range: best: 0",
    "spec.levels[0].tiers[0].averageBeyond: ",
    "spec.levels[0].tiers[0].averageBeyond: averageBeyond: 100.1%",
    "spec.levels[0].tiers[0].averageBeyond: averageBeyond: 0%",
    "spec.levels[0].tiers[2].averageBeyond: {best: 100%, worst: 97%}",
    "spec.levels[0].tiers[0].averageBeyond: averageBeyond: 99.9",
    "spec.levels[0].tiers[2].credit: credit: 700%",
    'spec.levels[0].tiers[2].credit: bond: "0.00"',
    'spec.credits.cap: bond: "0.00"',
    'spec.levels[0].hoursOff[1]: "mon-fri 22:00-06:00"',
    'spec.levels[0].hoursOff: "mon-sun"',
    "spec.levels[0].hoursOff: interval: 2h",
    "spec.levels[0].exclusions.allowance: allowance: 7m",
    "spec.levels[0].exclusions.allowance: allowance: 0h",
    "spec.levels[0].exclusions.allowance: allowance: 32d",
    "spec.levels[0].exclusions.notice: notice: 200d",
    'spec.money.bond: bond: "500.0000001"',
    'spec.money.bond: bond: "340282366920938463463374607431768',
    "spec.term.prepaidWindows: prepaidWindows: 1",
    "spec.dispute.challengePeriod: challengePeriod: 31d",
    "spec.dispute.challengePeriod: challengePeriod: 0d",
    'spec.dispute.deposit: deposit: "340282366920938463463374607431',
    'spec.dispute.arbiter: arbiter: "0x90F8',
    "spec.termination.notice: notice: 50000d}",
}  # fmt: skip


def cases():
    for file, mistakes in (
        ("three-reporters.yaml", OF_THREE_REPORTERS),
        ("every-field.yaml", OF_EVERY_FIELD),
    ):
        text = (SAMPLES / file).read_text(encoding="utf-8")
        for old, new, path, message in mistakes:
            yield pytest.param(text, old, new, path, message, id=f"{path}: {new}"[:70])


@pytest.mark.parametrize(("text", "old", "new", "path", "message"), list(cases()))
def test_it_refuses_what_the_model_refuses(text, old, new, path, message):
    try:
        content = yaml_lines.parse(text.replace(old, new, 1), Path("x.yaml")).plain()
    except InvalidFile:
        return  # no schema is asked
    known = f"{path}: {new.strip()[:40]}" in BEYOND_A_SCHEMA
    assert bool(faults(content)) != known, faults(content)


# Of the corpus: what follows from other fields, from other objects, or from whole numbers of characters and days.
OF_OPENSLO_BEYOND = {
    "annotation-of-ours",
    "annotation-prefix-long",
    "composite-without",
    "indicator-none",
    "name-twice",
    "op-missing",
    "op-with-ratio",
    "secret-in-url",
    "secret-inline",
    "slice-target-missing",
    "slice-window-missing-ratio",
    "slice-window-missing",
    "value-missing",
    "window-start-never",
    "window-zone",
}  # fmt: skip


@pytest.mark.parametrize("file", sorted((CORPUS / "invalid").glob("*.yaml")), ids=lambda f: f.stem)
def test_it_refuses_what_breaks_a_rule_of_openslo(file):
    try:
        contents = documents(file)
    except InvalidFile:
        return
    found = [fault for content in contents for fault in faults(content)]
    assert bool(found) != (file.stem in OF_OPENSLO_BEYOND), found


def test_own_words_and_an_slo_exclude_each_other():
    [content, *_] = documents(SAMPLES / "agreement.yaml")
    for change in ({"sloRef": "x"}, {"slo": {}}, {"occurrences": "all"}):
        changed = copy.deepcopy(content)
        changed["spec"]["levels"][0] |= change
        assert faults(changed), change
    changed = copy.deepcopy(content)
    for name in ("indicator", "objective", "interval"):
        changed["spec"]["levels"][0].pop(name)
    assert faults(changed)
    changed["spec"]["levels"][0]["sloRef"] = "x"
    assert faults(changed) == []


def test_every_field_is_described():
    lacking = [
        f"{name}.{field}"
        for name, part in VALIDATOR.schema["$defs"].items()
        for field, described in part.get("properties", {}).items()
        if not re.search(r"description|\$ref", json.dumps(described)) and field not in PLAIN
    ]
    assert lacking == []


# Their names say it.
PLAIN = {
    "apiVersion",
    "kind",
    "displayName",
    "labels",
    "description",
    "compositeWeight",
    "indicatorRef",
    "spec",
}
