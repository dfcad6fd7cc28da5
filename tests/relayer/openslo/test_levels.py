"""What an SLO means in our own words: the same feed, the same tiers, to the bit."""

import json
import re
from importlib import import_module

import pytest

from oracles.registry import BUILT_IN
from relayer.document import load_document
from relayer.openslo.adapters import AGREED, TYPES, fields_for
from relayer.yaml_lines import InvalidFile
from tests.relayer.openslo.conftest import BELOW, BEYOND, CORPUS, LEVEL

PROMETHEUS = {"url": "https://prometheus.example.com"}


def source(query, **more):
    return {"type": "prometheus", "spec": PROMETHEUS | {"query": query} | more}


def ratio(**parts):
    return {"dataSource": {"type": "ratio", "spec": parts}, "metric": "availability"}


WHOLE = {"best": "100%", "worst": "0%"}
GOOD = source("good_total", unit="count", statistic="increase")
ALL = source("all_total", unit="count", statistic="increase")
# The file of the corpus, its changes, the level's own fields; the same level in our own words.
CASES = {
    "a value": (
        "threshold", [], {"tiers": BELOW},
        {"indicator": {"dataSource": source("page_seconds", unit="s"), "metric": "latency"},
         "objective": {"op": "lte", "value": "500ms"}, "interval": "5m"},
    ),
    "a value in the adapter's own name and in scientific notation": (
        "own-type", [], {"tiers": BELOW},
        {"indicator": {"dataSource": source("page_seconds", unit="Milliseconds"), "metric": "latency"},
         "objective": {"op": "lte", "value": "500ms"}, "interval": "5m"},
    ),
    "a value whose unit is the metric's": (
        "threshold", [(", makegood/unit: s", ""), ("value: 0.5", "value: 500")], {"tiers": BELOW},
        {"indicator": {"dataSource": source("page_seconds", unit="ms"), "metric": "latency"},
         "objective": {"op": "lte", "value": "500ms"}, "interval": "5m"},
    ),
    "a share as a value": (
        "threshold",
        [("latency, makegood/unit: s", "utilisation, makegood/unit: ratio"), ("op: lte, value: 0.5", "op: lt, value: 0.85")],
        {"tiers": BELOW},
        {"indicator": {"dataSource": source("page_seconds", unit="ratio"), "metric": "utilisation"},
         "objective": {"op": "lt", "value": "85%"}, "interval": "5m"},
    ),
    "a count": (
        "threshold",
        [("latency, makegood/unit: s", "failed_checks"), ("op: lte, value: 0.5", "op: lte, value: 3")],
        {"tiers": BELOW},
        {"indicator": {"dataSource": source("page_seconds", unit="count"), "metric": "failed_checks"},
         "objective": {"op": "lte", "value": 3}, "interval": "5m"},
    ),
    "good of all, in time slices": (
        "ratio", [], {"tiers": BELOW},
        {"indicator": ratio(good=GOOD, total=ALL), "objective": {"op": "gte", "value": "95%"}, "interval": "5m"},
    ),
    "what OpenSLO has no word for": (
        "ratio", [("{name: page-success}", "{name: page-success, annotations: {makegood/when-empty: good}}")],
        {"tiers": BELOW, "notApplicable": "removed", "hoursOff": ["sat-sun"], "name": "pages"},
        {"indicator": ratio(good=GOOD, total=ALL, when_empty="good"), "objective": {"op": "gte", "value": "95%"},
         "interval": "5m", "notApplicable": "removed", "hoursOff": ["sat-sun"], "name": "pages"},
    ),
    "bad of all, that go up and down": (
        "bad-of-all", [("counter: true", "counter: false")], {"tiers": BELOW},
        {"indicator": ratio(bad=source("bad_total", unit="count", statistic="sum"),
                            total=source("all_total", unit="count", statistic="sum")),
         "objective": {"op": "gte", "value": "95%"}, "interval": "5m"},
    ),
    "the average of time slices": (
        "ratio-timeslices", [], {"tiers": BEYOND},
        {"indicator": ratio(good=GOOD, total=ALL), "objective": {"op": "gte", "value": "99%"}, "interval": "5m",
         "range": WHOLE},
    ),
    "occurrences, judged by the average": (
        "ratio", [("budgetingMethod: Timeslices", "budgetingMethod: Occurrences")],
        {"tiers": BEYOND, "occurrences": "averageOfIntervals", "interval": "1h"},
        {"indicator": ratio(good=GOOD, total=ALL), "objective": {"op": "gte", "value": "99%"}, "interval": "1h",
         "range": WHOLE},
    ),
    "a ratio that is measured as such, of failures": (
        "raw", [], {"tiers": BELOW},
        {"indicator": {"dataSource": source("failure_ratio", unit="ratio"), "metric": "error_rate"},
         "objective": {"op": "lte", "value": "5%"}, "interval": "5m"},
    ),
    "the average of a ratio of failures": (
        "raw", [("budgetingMethod: Timeslices", "budgetingMethod: RatioTimeslices"), ("targetPercent: 99", "targetPercent: 99.5")],
        {"tiers": [{"averageBeyond": "2%", "credit": "50%"}, {"averageBeyond": "0.5%", "credit": "10%"}]},
        {"indicator": {"dataSource": source("failure_ratio", unit="ratio"), "metric": "error_rate"},
         "objective": {"op": "lte", "value": "0.5%"}, "interval": "5m", "range": {"best": "0%", "worst": "100%"}},
    ),
    "a ratio that is measured as such, of successes": (
        "raw", [("rawType: failure", "rawType: success")], {"tiers": BELOW},
        {"indicator": {"dataSource": source("failure_ratio", unit="ratio"), "metric": "availability"},
         "objective": {"op": "gte", "value": "95%"}, "interval": "5m"},
    ),
    "another service": (
        "cloudwatch", [], {"tiers": BELOW},
        {"indicator": {"dataSource": {"type": "cloudwatch", "spec": {
            "region": "eu-central-1", "namespace": "Shop", "metric_name": "PageTime", "statistic": "p95", "period": 300,
            "unit": "s"}}, "metric": "latency"},
         "objective": {"op": "lte", "value": "500ms"}, "interval": "5m"},
    ),
    "names for everything": (
        "parts", [], {"tiers": BEYOND},
        {"indicator": ratio(bad=source("bad", unit="count", statistic="sum"), total=source("all", unit="count", statistic="sum")),
         "objective": {"op": "gte", "value": "99%"}, "interval": "5m", "range": WHOLE},
    ),
}  # fmt: skip


def changed(name, changes):
    text = (CORPUS / "valid" / f"{name}.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("case", CASES)
def test_an_slo_means_a_level_in_our_own_words(case, with_slo, sla, tmp_path):
    file, changes, given, own = CASES[case]
    document = load_document(with_slo(changed(file, changes), **given))
    plain = {key: value for key, value in LEVEL.items() if key != "sloRef"}
    sla["spec"].pop("openslo")
    sla["spec"]["levels"] = [plain | {"name": "slo", "tiers": given["tiers"]} | own]
    other = tmp_path / "own.yaml"
    other.write_text(json.dumps(sla))
    same = load_document(other)
    assert document.levels[0].sources == same.levels[0].sources
    assert document.levels[0].feed == same.levels[0].feed
    assert document.terms.levels == same.terms.levels
    assert document.hash != same.hash  # what is signed is what was written


@pytest.mark.parametrize(
    ("zone", "fine"), [("UTC", True), ("Etc/UTC", True), ("Zulu", True), ("Europe/London", False)]
)
def test_utc_has_several_names(with_slo, zone, fine):
    text = changed("ratio", [("timeZone: UTC", f"timeZone: {zone}")])
    if fine:
        load_document(with_slo(text))
    else:
        with pytest.raises(
            InvalidFile, match=f'found "{zone}"; the contracts know the time in UTC'
        ):
            load_document(with_slo(text))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("2026-01-01 00:00:00", None),
        ("2027-03-01 00:00:00", None),
        ("2027-01-02 00:00:00", "calendar months begin on their first day"),
        ("2027-01-01 06:00:00", "calendar months begin on their first day"),
    ],
)
def test_a_calendar_month_is_one_from_its_first_moment(with_slo, sla, start, message):
    sla["spec"]["term"]["window"] = "month"
    text = changed("ratio", [("duration: 30d", "duration: 1M"), ("2027-01-01 00:00:00", start)])
    path = with_slo(text)
    if message:
        with pytest.raises(InvalidFile, match=message):
            load_document(path)
    else:
        assert load_document(path).terms.window_seconds == 0


def test_a_window_of_days_is_no_month(with_slo, sla):
    sla["spec"]["term"]["window"] = "month"
    with pytest.raises(InvalidFile, match=r'found "30d", but spec\.term\.window is month'):
        load_document(with_slo(changed("ratio", [])))


@pytest.mark.parametrize(
    ("level", "path", "message"),
    [
        ({"objective": {"op": "gte", "value": "1%"}}, "objective", "this stands in the SLO: remove it here"),
        ({"indicator": {}}, "indicator", "this stands in the SLO: remove it here"),
        ({"interval": "5m"}, "interval", "this is the SLO's timeSliceWindow: remove it here"),
        ({"occurrences": "averageOfIntervals"}, "occurrences", "the SLO's budgetingMethod is Timeslices: remove it"),
        ({"tiers": [{"badRun": 3, "credit": "5%"}]}, "tiers", "no tier says what missing it costs: {availabilityBelow: 99%, credit: 10%}"),
        ({"tiers": [*BELOW, {"availabilityBelow": "99.5%", "credit": "5%"}]}, "tiers[1].availabilityBelow", 'found "99.5%"; the target of the SLO "slo"'),
        ({"slo": {}}, "sloRef", "write slo or sloRef, not both"),
        ({"slorRef": "slo"}, "slorRef", 'did you mean "sloRef"?'),
        ({"settleDelay": "1"}, "settleDelay", "a whole number and a unit"),
    ],
)  # fmt: skip
def test_what_stands_beside_an_slo_is_checked_too(with_slo, level, path, message):
    tiers = level.pop("tiers", BELOW)
    with pytest.raises(InvalidFile) as caught:
        load_document(with_slo(changed("ratio", []), tiers, **level))
    [problem] = caught.value.problems
    assert problem.path == f"spec.levels[0].{path}"
    assert message in problem.message
    assert problem.file is None


@pytest.mark.parametrize(
    ("method", "level", "message"),
    [
        ("Occurrences", {"interval": "5m"}, "agree on that average by occurrences: averageOfIntervals"),
        ("Occurrences", {"occurrences": "averageOfIntervals"}, "say which intervals have a ratio each"),
        ("Occurrences", {"occurrences": "yes", "interval": "5m"}, 'found "yes"; allowed: averageOfIntervals'),
        ("RatioTimeslices", {"range": WHOLE}, "this follows from the SLO"),
    ],
)  # fmt: skip
def test_an_average_is_agreed_on_knowingly(with_slo, method, level, message):
    text = changed("ratio", [("budgetingMethod: Timeslices", f"budgetingMethod: {method}")])
    with pytest.raises(InvalidFile, match=re.escape(message)):
        load_document(with_slo(text, BEYOND, **level))


def test_own_words_do_not_count_occurrences(sla, tmp_path):
    sla["spec"]["levels"][0]["occurrences"] = "averageOfIntervals"
    (tmp_path / "a.yaml").write_text(json.dumps(sla))
    with pytest.raises(InvalidFile, match=r"levels\[0\]\.occurrences: only an OpenSLO SLO"):
        load_document(tmp_path / "a.yaml")


def test_a_value_of_which_only_a_part_should_be_good_is_explained(with_slo):
    text = changed("threshold", [("timeSliceTarget: 1", "timeSliceTarget: 0.95")])
    assert "its timeSliceTarget means 1" in load_document(with_slo(text)).notices[0]


def test_the_types_are_adapters_of_ours():
    assert set(TYPES.values()) <= set(BUILT_IN)
    assert set(AGREED) <= set(BUILT_IN)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_what_is_put_into_a_specification_is_what_the_adapter_reads(name):
    module, _, kind = BUILT_IN[name].partition(":")
    fields = getattr(import_module(module), kind).Spec.model_fields
    said = fields_for(name, "count", counter=False)
    needed = "unit" in fields and fields["unit"].is_required()
    assert ("unit" in said) == needed
    assert ("statistic" in said) == ("statistic" in fields and name != "sliding")
    assert set(AGREED.get(name, ())) <= set(fields)
