import json
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

import pytest
from eth_utils import keccak

from oracles import canonical
from relayer.document import load_document
from relayer.document.quantities import amount, show_amount
from relayer.errors import ConfigurationError
from relayer.protocol.measurement import Comparison
from relayer.protocol.terms import Combination, Measure, Tier, UnknownPolicy
from relayer.protocol.typed_data import digest, terms_message
from relayer.yaml_lines import InvalidFile
from tests.relayer.document.conftest import SAMPLE

# Pinned: a change of either makes signatures under existing documents worthless.
SAMPLE_HASH = "06d135c917b7bd26e49d79f31f97709aba4d8d02f584bf28682e45ee17bf33d8"
SAMPLE_ID = "8219929123dbea180693ef44142f178891c4ded9d5181d2f6746ad4901befec8"
OTHER_KEY = "0x976EA74026E726554dB657fA54763abd0C3a0aa9"


@pytest.fixture(scope="module")
def sample():
    return load_document(SAMPLE)


def test_the_sample_says_what_its_comments_say(sample):
    terms = sample.terms
    assert (terms.start, terms.open_by) == (1798761600, 1798718400)
    assert (terms.fee_per_window, terms.windows, terms.prepaid_windows) == (100_000_000, 12, 1)
    assert terms.window_seconds == 30 * 86_400
    assert (terms.combination, terms.credit_cap) == (Combination.WORST, 10_000)
    assert terms.unknown_policy is UnknownPolicy.EXCLUDED
    assert (terms.unknown_limit, terms.unknown_credit) == (50_000, 1_000)
    assert terms.levels[0].tiers == (
        Tier(Measure.AVAILABILITY_BELOW, 999_500, 1_000),
        Tier(Measure.AVAILABILITY_BELOW, 990_000, 2_500),
        Tier(Measure.BAD_RUN_AT_LEAST, 120, 5_000),
    )
    availability, latency = (level.feed for level in sample.levels)
    assert availability.measurement.comparison is Comparison.AT_LEAST
    assert (availability.measurement.threshold, latency.measurement.threshold) == (990_000, 500)
    assert (availability.panel.quorum, latency.panel.tolerance) == (2, 200)
    assert terms.problem() is None
    assert availability.panel.problem() is None
    assert sample.notices == ()


def test_hash_and_id_never_change(sample):
    assert sample.hash.hex() == SAMPLE_HASH
    assert sample.agreement_id.hex() == SAMPLE_ID
    assert sample.hash == keccak(canonical(sample.content)) == sample.terms.document
    assert sample.agreement_id == digest(terms_message(sample.domains.escrow, sample.terms))


def test_signed_readings_are_for_everybody_unless_the_level_says_private(sample, write):
    assert [level.private for level in sample.levels] == [False, False]
    content = json.loads(json.dumps(sample.content))
    content["spec"]["levels"][1]["readings"] = "private"
    document = load_document(write(json.dumps(content)))
    assert [level.private for level in document.levels] == [False, True]
    assert [level.feed.id for level in document.levels] == [
        level.feed.id for level in sample.levels
    ]
    assert document.hash != sample.hash
    content["spec"]["levels"][1]["readings"] = "secret"
    with pytest.raises(InvalidFile, match=r"levels\[1\]\.readings: .*allowed: private, public"):
        load_document(write(json.dumps(content)))


def test_comments_format_and_order_change_nothing(sample, write):
    def reversed_keys(value):
        if isinstance(value, dict):
            return {key: reversed_keys(value[key]) for key in reversed(value)}
        return [reversed_keys(item) for item in value] if isinstance(value, list) else value

    as_json = load_document(write(json.dumps(sample.content)))
    turned = load_document(write("# other\n" + json.dumps(reversed_keys(sample.content), indent=7)))
    windows = load_document(write(SAMPLE.read_text().replace("\n", "\r\n")))
    assert {d.agreement_id for d in (as_json, turned, windows)} == {sample.agreement_id}
    assert {d.hash for d in (as_json, turned, windows)} == {sample.hash}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"100.00"', '"100.01"'),
        ("credit: 5%", "credit: 6%"),
        ("uri: https", "uri: http"),
        ("samples: 5", "samples: 6"),
        ("cap: 100%", "cap: 100.00%"),
        ('salt: "0x7c', 'salt: "0x7d'),
    ],
)
def test_any_other_change_makes_another_agreement(sample, sample_text, write, old, new):
    changed = load_document(write(sample_text.replace(old, new, 1)))
    assert changed.agreement_id != sample.agreement_id
    assert changed.hash != sample.hash


def test_the_panel_is_sorted_whatever_the_document_says(sample):
    for level in sample.levels:
        numbers = [int(key, 16) for key in level.feed.panel.reporters]
        assert numbers == sorted(numbers)


def test_a_reporter_may_have_a_data_source_of_its_own(sample, sample_text, write):
    source = "{type: http_probe, spec: {url: https://backup.example.com/, timeout: 2.5}}"
    text = sample_text.replace(f'"{OTHER_KEY}"', f'{{key: "{OTHER_KEY}", dataSource: {source}}}', 1)
    level = load_document(write(text)).levels[0]
    assert level.source_for(OTHER_KEY.lower()).spec == {
        "url": "https://backup.example.com/",
        "timeout": "2.5",  # as written: no float ever appears
    }
    others = [key for key in level.feed.panel.reporters if key != OTHER_KEY]
    assert {level.source_for(key).spec["url"] for key in others} == {
        "https://api.example.com/health"
    }
    assert level.feed.descriptor != sample.levels[0].feed.descriptor
    with pytest.raises(ConfigurationError, match="is not a reporter of availability"):
        level.source_for("0x" + "11" * 20)


def test_the_descriptor_is_the_published_one(sample):
    level = sample.levels[0]
    source = {
        "type": "http_probe",
        "spec": {"url": "https://api.example.com/health", "samples": 5, "timeout": 2},
    }
    content = {
        "metric": "availability",
        "sources": dict.fromkeys(level.feed.panel.reporters, source),
        "unit": "ppm",
    }
    salt = keccak(sample.terms.salt + b"availability")
    assert level.feed.descriptor == keccak(salt + canonical(content))


def test_agreements_share_a_feed_by_its_salt_and_start(sample_text, write):
    salt = "0x" + "ab" * 32
    shared = sample_text.replace(
        "      settleDelay: 1m #",
        f'      salt: "{salt}"\n      start: 2026-12-02T00:00:00Z\n      settleDelay: 1m #',
        1,
    )
    one = load_document(write(shared, "one.yaml"))
    text = shared.replace('salt: "0x7c', 'salt: "0x7d').replace('"100.00"', '"7.5"')
    other = load_document(write(text, "other.yaml"))
    assert one.levels[0].feed.id == other.levels[0].feed.id
    assert one.levels[1].feed.id != other.levels[1].feed.id
    assert one.agreement_id != other.agreement_id
    assert one.terms.feed_window(0, 0) == 1
    with pytest.raises(InvalidFile, match=r"levels\[0\]\.start.*none of its feed's windows begins"):
        load_document(write(shared.replace("2026-12-02T00", "2026-12-03T00")))


def at(text):
    return int(datetime.fromisoformat(f"{text}T00:00:00+00:00").timestamp())


def test_windows_may_be_calendar_months(sample, sample_text, write):
    text = sample_text.replace("window: 30d", "window: month")
    terms = load_document(write(text)).terms
    assert terms.problem() is None
    assert terms.window_seconds == 0
    begins = [terms.window_start(window) for window in range(4)]
    assert begins == [at("2027-01-01"), at("2027-02-01"), at("2027-03-01"), at("2027-04-01")]
    assert [terms.fee_of(window) for window in range(3)] == [100_000_000] * 3
    assert terms.levels[0].feed.id != sample.terms.levels[0].feed.id


def test_a_month_that_begins_late_costs_its_share(sample_text, write):
    text = sample_text.replace("window: 30d", "window: month").replace(
        "2027-01-01T00", "2027-01-25T00"
    )
    terms = load_document(write(text)).terms
    assert (terms.window_start(0), terms.window_start(1)) == (at("2027-01-25"), at("2027-02-01"))
    assert [terms.fee_of(window) for window in range(2)] == [100_000_000 * 7 // 31, 100_000_000]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("interval: 60s", "interval: 7m", r"levels\[0\]\.interval: found .7m.; .* divide a day"),
        ("start: 2027-01-01T00:00:00Z", "start: 2027-01-01T00:00:30Z", r"term\.start: .*whole one"),
        (
            "      settleDelay: 1m #",
            "      start: 2026-12-15T00:00:30Z\n      settleDelay: 1m #",
            r"levels\[0\]\.start: .*whole one",
        ),
    ],
)
def test_months_need_intervals_that_fit_into_days(sample_text, write, old, new, message):
    text = sample_text.replace("window: 30d", "window: month").replace(old, new, 1)
    with pytest.raises(InvalidFile, match=message):
        load_document(write(text))


def test_a_shared_feed_of_months_fits_at_the_begin_of_any_later_one(sample_text, write):
    own = '      salt: "0x{}"\n      start: {}T00:00:00Z\n      settleDelay: 1m #'
    text = sample_text.replace("window: 30d", "window: month")
    shared = text.replace("      settleDelay: 1m #", own.format("ab" * 32, "2026-11-10"), 1)
    terms = load_document(write(shared)).terms
    assert terms.feed_window(0, 0) == 2
    assert (terms.window_start(0), terms.fee_of(0)) == (at("2027-01-01"), 100_000_000)
    late = shared.replace("start: 2027-01-01T00", "start: 2027-01-02T00")
    with pytest.raises(InvalidFile, match=r"levels\[0\]\.start.*none of its feed's windows begins"):
        load_document(write(late))


def test_without_its_adapter_a_document_can_still_be_paid(monkeypatch, sample):
    from oracles import MissingExtra
    from relayer.document import sources

    def missing(name):
        raise MissingExtra(f"{name} needs the package boto3: pip install 'makegood[aws]'")

    monkeypatch.setattr(sources, "load", missing)
    with pytest.raises(InvalidFile, match="pip install"):
        load_document(SAMPLE)
    assert load_document(SAMPLE, adapters=False).agreement_id == sample.agreement_id


def test_without_the_adapter_inside_another_one_it_can_be_paid_too(monkeypatch, write):
    from oracles import MissingExtra, composite

    text = (SAMPLE.parent / "agreement.yaml").read_text()
    head, rest = text.split("          type: http_probe\n")
    inner = "{over: 600, source: {type: cloudwatch, spec: {}}}"
    below = rest[rest.index("        metric:") :]
    text = f"{head}          type: sliding\n          spec: {inner}\n{below}"

    def missing(name):
        raise MissingExtra(f"{name} needs the package boto3: pip install 'makegood[aws]'")

    monkeypatch.setattr(composite, "load", missing)
    with pytest.raises(InvalidFile, match="pip install"):
        load_document(write(text))
    assert load_document(write(text), adapters=False).levels[0].metric == "availability"


def test_what_is_probably_not_meant_is_said(sample_text, write):
    document = load_document(write(sample_text.replace("op: gte", "op: lte", 1)))
    assert "availability is good when it is higher" in document.notices[0]


def test_amounts_are_exact():
    for units in (0, 1, 10, 99, 100, 1_000_000, 123_456_789, 2**128 - 1):
        for decimals in (0, 2, 6, 18):
            text = show_amount(units, decimals)
            assert amount(text, decimals) == units
            assert Fraction(text) * 10**decimals == units


def test_a_document_cannot_be_changed(sample):
    with pytest.raises(AttributeError):
        sample.name = "other"
    assert replace(sample, name="other").agreement_id == sample.agreement_id
