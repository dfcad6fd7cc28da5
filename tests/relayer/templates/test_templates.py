"""Templates become documents: valid at once when all is given, refused otherwise."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from oracles import load
from relayer import yaml_lines
from relayer.document import load_document
from relayer.templates import VERIFIED, Filling, load_template, render, templates
from tests import samples
from tests.relayer.templates import agreements

NAMES = [template.name for template in templates()]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_with_everything_given_is_a_valid_document(name, tmp_path):
    document = agreements.document_of(name, tmp_path, adapters=True)
    assert document.notices == ()
    assert document.name == name
    assert document.terms.fee_per_window == agreements.UNITS


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_template_is_refused_and_every_gap_is_told(name, tmp_path):
    template = load_template(name)
    rendered = render(template, Filling())
    path = tmp_path / "agreement.yaml"
    path.write_text(rendered.text)
    with pytest.raises(yaml_lines.InvalidFile):
        load_document(path, adapters=False)
    lines = rendered.text.splitlines()
    assert all("# FILL IN: " in lines[missing.line - 1] for missing in rendered.missing)
    assert len(rendered.missing) == rendered.text.count("FILL IN")
    wanted = {
        "spec.parties.provider",
        "spec.settlement.escrow",
        "spec.money.feePerWindow",
        "spec.term.start",
    }
    assert wanted <= {missing.field for missing in rendered.missing}
    told = {missing.what for missing in rendered.missing}
    assert set(template.parameters.values()) <= told


@pytest.mark.parametrize(
    "gap",
    [
        "provider",
        "consumer",
        "chain_id",
        "escrow",
        "oracle",
        "token",
        "decimals",
        "fee",
        "start",
        "reporters",
        "parameters",
    ],
)
@pytest.mark.parametrize("name", ["aws-ec2-region", "azure-vm-zones", "gcp-storage-region"])
def test_a_single_gap_is_enough_to_be_refused(name, gap, tmp_path):
    template = load_template(name)
    full = agreements.filling(template)
    empty = {"reporters": (), "parameters": {}}.get(gap)
    rendered = render(template, replace(full, **{gap: empty}))
    assert rendered.missing
    path = tmp_path / "agreement.yaml"
    path.write_text(rendered.text)
    with pytest.raises(yaml_lines.InvalidFile):
        load_document(path)


def test_each_document_has_a_salt_of_its_own():
    template = load_template("aws-s3-ia")
    texts = [render(template, agreements.filling(template)).text for _ in range(2)]
    salts = [re.search(r'salt: "(0x[0-9a-f]{64})"', text)[1] for text in texts]
    assert salts[0] != salts[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_says_where_it_is_from_and_how_well_it_was_compared(name):
    template = load_template(name)
    assert template.source.startswith("https://") or template.verified == "own"
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}|unknown", template.version)
    assert template.verified in VERIFIED
    assert template.definition
    assert template.judged
    assert template.not_judged
    text = render(template, Filling()).text
    assert template.source in text
    assert VERIFIED[template.verified].split(";")[0] in " ".join(text.replace("\n# ", " ").split())
    if template.version == "unknown":
        assert template.verified != "page"


@pytest.mark.parametrize("name", NAMES)
def test_no_reading_counts_before_its_service_has_settled(name, tmp_path):
    document = agreements.document_of(name, tmp_path)
    for level in document.levels:
        types = set(re.findall(r"type: (\w+)", load_template(name).indicator))
        longest = max(load(kind).SETTLE_DELAY for kind in types)
        assert level.feed.measurement.settle_delay >= longest


@pytest.mark.parametrize("name", [name for name in NAMES if load_template(name).probe])
def test_the_probes_in_the_comments_are_reporters_as_they_stand(name, tmp_path):
    template = load_template(name)
    text = render(template, agreements.filling(template)).text
    keys = iter([samples.wallet(30), samples.wallet(31)])
    shown = [
        line.replace("          # ", "          ")
        if line.startswith("          # ") and "Two more" not in line
        else line
        for line in text.splitlines()
    ]
    shown = [
        line.replace('"0x…"', f'"{next(keys).address}"') if "0x…" in line else line
        for line in shown
    ]
    path = tmp_path / "agreement.yaml"
    path.write_text("\n".join(shown).replace("quorum: 1", "quorum: 2"))
    document = load_document(path)
    assert len(document.levels[0].feed.panel.reporters) == 3
    assert len({source.type for source in document.levels[0].sources.values()}) == 2


def test_an_unknown_template_is_refused_with_the_nearest_one():
    with pytest.raises(yaml_lines.ConfigurationError, match='did you mean "aws-rds-single"'):
        load_template("aws-rds-singel")


def test_an_unknown_template_is_told_by_its_suggestion_and_not_by_all_names():
    with pytest.raises(yaml_lines.ConfigurationError) as refused:
        load_template("http-servce")
    assert (
        refused.value.message == 'there is no template "http-servce"; did you mean "http-service"?'
    )
    assert "makegood sla init --list" in refused.value.hint


def test_what_is_nobody_s_terms_names_no_page_that_both_would_sign():
    content = yaml_lines.parse(
        render(load_template("http-service"), Filling()).text, Path("a.yaml")
    ).plain()
    assert "legal" not in content["spec"]
    content = yaml_lines.parse(
        render(load_template("aws-s3-ia"), Filling()).text, Path("a.yaml")
    ).plain()
    assert content["spec"]["legal"]["uri"] == load_template("aws-s3-ia").source


def test_an_unknown_parameter_is_refused():
    template = load_template("aws-rds-single")
    with pytest.raises(ValueError, match="it has region, canary"):
        render(template, Filling(parameters={"bucket": "b"}))


def test_a_parameter_within_a_filter_cannot_break_out_of_it():
    template = load_template("gcp-compute-single")
    with pytest.raises(ValueError, match="no plain id"):
        render(template, Filling(parameters={"project": "p", "check": '" OR metric.type="x'}))
