"""What is said must be what the contracts do: every number is worked out again here, by other means."""

import json
from dataclasses import replace

import pytest

from relayer.document import load_document
from relayer.explanation import explain, sections, thresholds, words
from relayer.protocol.terms import Measure
from relayer.simulation import Past, run
from relayer.templates import templates
from tests.relayer.templates import agreements
from tests.relayer.templates.golden_minutes import MINUTES

NAMES = [template.name for template in templates()]


def text_of(document, **options):
    explanation = explain(document, **options)
    return {section.title: " ".join(part for part in section.content if isinstance(part, str)) for section in explanation.sections}  # fmt: skip


def test_fifty_minutes_in_june(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path)
    found = thresholds.example(document.terms, 0, 5, 50)
    assert words.month(document.terms.window_start(5)) == "June 2027"
    # 43,150 of 43,200 minutes are 99.884 %: below 99.99 %, not below 99 %.
    assert (found.planned, found.bad, found.credit) == (43_200, 50, 1_000)
    assert document.amount(found.to_consumer) == "100.00"
    assert document.amount(found.to_provider) == "900.00"


def test_examples_name_the_last_free_minute_and_the_first_of_each_credit(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path)
    said = text_of(document, currency="USDC")["What a breach costs"]
    assert "down for 4 minutes in June 2027, of 43,200 minutes, you get nothing." in said
    assert (
        "down for 5 minutes in June 2027, of 43,200 minutes, you get 100.00 USDC and the provider 900.00."
        in said
    )
    assert "down for 433 minutes in June 2027, of 43,200 minutes, you get 300.00 USDC" in said
    assert (
        "down for 2,161 minutes in June 2027, of 43,200 minutes, you get 1000.00 USDC and the provider 0.00."
        in said
    )


@pytest.mark.parametrize("name", MINUTES)
def test_each_credit_begins_where_the_golden_cases_say(name, tmp_path):
    document = agreements.document_of(name, tmp_path)
    terms = document.terms
    begins = {
        (case.days, case.credit): min(
            c.bad for c in MINUTES[name] if (c.days, c.credit) == (case.days, case.credit)
        )
        for case in MINUTES[name]
        if case.credit
    }
    lengths = [(terms.window_start(w + 1) - terms.window_start(w)) // 86_400 for w in range(12)]
    for tier in terms.levels[0].tiers:
        for days in (28, 30, 31):
            found = thresholds.first_bad(terms, 0, tier, lengths.index(days))
            assert found == begins[days, tier.credit // 100]


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_what_a_simulation_pays(name, tmp_path):
    document = agreements.document_of(name, tmp_path)
    terms = replace(document.terms, windows=1)
    good, bad = agreements.values(document.levels[0].feed)
    for one in thresholds.examples(terms, 0, 0):
        codes = [bad] * one.bad + [good] * (one.planned - one.bad)
        window = run(terms, [Past(0, codes)]).windows[0]
        assert (window.to_consumer, window.to_provider) == (one.to_consumer, one.to_provider)


def test_a_credit_that_no_downtime_reaches_begins_never(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path)
    terms = document.terms
    tier = replace(terms.levels[0].tiers[0], measure=Measure.BAD_INTERVALS_AT_LEAST, limit=44_000)
    assert thresholds.first_bad(terms, 0, tier, 1) is None  # February
    assert thresholds.first_bad(terms, 0, tier, 0) == 44_000


def test_every_field_that_matters_is_said(sample):
    said = text_of(load_document(sample("every-field.yaml"), adapters=False), currency="USDC")
    assert "bond of 500.00 USDC" in said["Who"]
    assert "sat-sun" in said["What is promised"]
    assert "costs 0.1% of the fee (0.10 USDC) beside that" in said["What a breach costs"]
    assert "at most" in said["What a breach costs"]
    assert (
        "If more than 5% of a month is unknown, its credit is at least 10% of the fee (10.00 USDC)"
        in said["What happens when nobody knows"]
    )
    assert "waits 7 days" in said["When money moves"]
    assert "deposit of 10.00 USDC" in said["When money moves"]
    assert "once 3 months had a credit" in said["How it ends"]
    assert "notice of 30 days" in said["How it ends"]
    assert (
        "Up to 4 hours of a month that both parties have excluded" in said["What it does not cover"]
    )
    assert "take over from the agreement 0x1f3a" in said["Who"]


def test_several_levels_and_reporters_are_told_apart(sample):
    document = load_document(sample("three-reporters.yaml"), adapters=False)
    said = text_of(document)
    for level in document.levels:
        assert f'"{level.name}": a minute is good' in said["What is promised"]
    assert "reporters measure, and two of them must agree" in said["What is measured"]
    assert "If several levels have a credit" in said["What a breach costs"]


def test_both_halves_of_a_ratio_are_told_apart():
    def counted(query):
        return {"type": "prometheus", "spec": {"url": "http://p:9090", "query": query}}

    ratio = {"good": counted("A"), "total": counted("B"), "when_empty": "good"}
    assert sections._service("ratio", ratio) == (
        "good from prometheus (url http://p:9090, query A), "
        "divided by total from prometheus (url http://p:9090, query B), when_empty good"
    )
    sliding = {"source": {"type": "ratio", "spec": ratio}, "over": 60, "statistic": "min"}
    said = sections._service("sliding", sliding)
    assert said.startswith("sliding (source (good from prometheus (url")
    assert said.endswith("over 60, statistic min)")


def test_a_ratio_is_told_as_one_in_the_document(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path)
    text = document.path.read_text()
    begin, end = text.index("        dataSource:"), text.index("        metric: availability")
    part = {"type": "prometheus", "spec": {"url": "http://127.0.0.1:9090", "query": "A", "unit": "1", "statistic": "increase", "step": 15}}  # fmt: skip
    source = {"type": "ratio", "spec": {"good": part, "total": part}}
    document.path.write_text(
        f"{text[:begin]}        dataSource: {json.dumps(source)}\n{text[end:]}"
    )
    said = text_of(load_document(document.path))["What is measured"]
    assert "Read as good from prometheus (url http://127.0.0.1:9090, query A" in said
    assert "divided by total from prometheus (url" in said


def test_nested_names_of_a_specification_are_kept():
    spec = {"namespace": "AWS/EC2", "dimensions": {"InstanceId": "i-1"}, "filters": [{"code": 5}]}
    assert (
        sections._service("cloudwatch", spec)
        == "cloudwatch (namespace AWS/EC2, dimensions.InstanceId i-1, filters.code 5)"
    )


def test_one_reporter_is_not_many(tmp_path, sample):
    one = text_of(agreements.document_of("aws-ec2-region", tmp_path))["What is measured"]
    assert "What it reads counts" in one
    three = text_of(load_document(sample("three-reporters.yaml"), adapters=False))
    assert "What they read counts" in three["What is measured"]


def test_a_short_first_month_is_told_with_its_share_of_the_fee(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path, start="2027-06-16T00:00:00Z")
    said = text_of(document)
    assert (
        "The first month is short, until 1 July 2027, 00:00 UTC, and costs its share of the fee: 500.00 tokens."
        in said["Who"]
    )


def test_the_policy_for_unknown_intervals_is_told(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path)
    nothing = text_of(document)["What happens when nobody knows"]
    assert "if nobody measures for a whole month, the provider is paid in full" in nothing
    path = tmp_path / "bad.yaml"
    path.write_text(document.path.read_text().replace("{countAs: excluded}", "{countAs: bad}"))
    bad = text_of(load_document(path))["What happens when nobody knows"]
    assert "It counts as bad." in bad
    assert "paid in full" not in bad


def test_words():
    assert words.duration(90_061) == "1 day, 1 hour, 1 minute and 1 second"
    assert words.compact(5_400) == "1 h 30 min"
    assert words.intervals(10, 300) == "10 intervals of 5 minutes"
    assert words.downtime(10, 300) == "50 minutes"
    assert words.downtime(1, 60) == "1 minute"
    assert words.every(3_600) == "hour"
    assert words.every(90) == "90 seconds"


@pytest.fixture
def sample():
    from tests.relayer.cli.conftest import ROOT

    return lambda name: ROOT / "samples" / name
