"""Mistakes that vendors' terms invite, one test each."""

from dataclasses import replace

import pytest

from oracles import Interval, Value, encode, load
from relayer.document import load_document
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.tally import Exclusion, Verdict, verdict_of
from relayer.simulation import Past, run
from relayer.templates import load_template, render, templates
from tests.relayer.templates import agreements
from tests.relayer.templates.golden_minutes import MINUTES
from tests.relayer.templates.golden_rates import RATES

MINUTE_TEMPLATES = [name for name in MINUTES if "availability" in load_template(name).indicator]
START = agreements.utc(2027, 1, 1)


def month(document, codes, exclusions=()):
    return run(document.terms, [Past(0, codes)], [exclusions]).windows[0]


def concluded(document, raw):
    """What the template's monitoring service concludes for the first interval from its raw answer."""
    level = document.levels[0]
    [source] = level.sources.values()
    service, length = load(source.type), level.feed.measurement.interval
    query = service.query(source.spec, level.metric, first=START, length=length)
    answer = service.conclude(query, Interval(START, START + length), raw)
    return encode(query.metric, answer.amount) if isinstance(answer, Value) else answer


def verdict(document, code):
    feed = document.levels[0].feed
    return verdict_of(code, feed.measurement, feed.scope)


# --- What is down --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MINUTE_TEMPLATES)
def test_a_minute_is_bad_only_if_all_of_it_was_down(name, tmp_path):
    document = agreements.document_of(name, tmp_path)
    assert verdict(document, 0) is Verdict.BAD
    # One check of a million passed: slow, or partly failing, is not down.
    assert verdict(document, 1) is Verdict.GOOD


def test_one_zone_cannot_make_a_region_unavailable(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path)
    # The calculated health check is healthy while one of its children is: 1 at any time of the minute.
    assert verdict(document, concluded(document, {"Maximum": [[START, 1.0]]})) is Verdict.GOOD
    assert verdict(document, concluded(document, {"Maximum": [[START, 0.0]]})) is Verdict.BAD


def test_a_minute_of_an_rds_database_with_one_successful_connection_is_good(tmp_path):
    document = agreements.document_of("aws-rds-multi-az", tmp_path)
    some = concluded(document, {"Average": [[START, 33.3]]})
    none = concluded(document, {"Average": [[START, 0.0]]})
    assert verdict(document, some) is Verdict.GOOD
    assert verdict(document, none) is Verdict.BAD


def test_an_ebs_volume_is_down_only_if_it_was_stalled_all_the_minute(tmp_path):
    document = agreements.document_of("aws-ebs", tmp_path)
    assert verdict(document, concluded(document, {"Minimum": [[START, 1.0]]})) is Verdict.BAD
    assert verdict(document, concluded(document, {"Minimum": [[START, 0.0]]})) is Verdict.GOOD


def test_the_rate_of_a_period_is_that_of_its_requests_not_of_its_minutes(tmp_path):
    document = agreements.document_of("aws-s3-standard", tmp_path)
    # 30 errors in 90,000 requests are 333.33 millionths, rounded to the worse side.
    assert concluded(document, {"Average": [[START, 30 / 90_000]]}) == 334


# --- How much ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit",
    [
        limit
        for template in templates()
        for tier in template.tiers
        if (limit := tier.get("availabilityBelow"))
    ],
)
def test_every_limit_is_a_whole_number_of_millionths(limit):
    whole, _, places = limit.removesuffix("%").partition(".")
    assert len(places) <= 4
    assert whole.isdigit()


def test_exactly_the_promise_is_kept(tmp_path):
    # 216 of 43,200 minutes are exactly 0.5 %.
    document = agreements.document_of("aws-ec2-instance", tmp_path, month=4, windows=1)
    codes = [0] * 216 + [1_000_000] * (43_200 - 216)
    assert month(document, codes).credit == 0
    assert month(document, [0, *codes[:-1]]).credit == 1_000


def test_an_outage_over_the_end_of_a_month_is_cut_there(tmp_path):
    # 4 minutes of January and 5 of February: 99.99 % of 44,640 allows 4.464, of 40,320 4.032.
    document = agreements.document_of("aws-ec2-region", tmp_path, windows=2)
    january, february = 44_640, 40_320
    codes = [1_000_000] * (january + february)
    codes[january - 4 : january + 5] = [0] * 9
    windows = run(document.terms, [Past(0, codes)]).windows
    assert [window.levels[0].tally.bad for window in windows] == [4, 5]
    assert [window.credit for window in windows] == [0, 1_000]


def test_only_agreed_exclusions_are_taken_out_and_once(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path, windows=1)
    codes = [1_000_000] * 44_640
    codes[100:110] = [0] * 10
    agreed = [Exclusion(106, 120)]
    # Six of the ten minutes are left, of 44,640 - 14.
    window = month(document, codes, agreed)
    assert (window.levels[0].tally.planned, window.levels[0].tally.bad) == (44_626, 6)
    assert window.credit == 1_000
    assert month(document, codes, [Exclusion(105, 120)]).credit == 1_000  # 5 of 44,625 are 0.0112 %
    assert month(document, codes, [Exclusion(104, 120)]).credit == 0


def test_an_exclusion_signed_while_the_month_runs_stays_in_the_denominator(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path, windows=1)
    window = month(document, [1_000_000] * 44_640, [Exclusion(100, 120, planned=True)])
    assert window.levels[0].tally.planned == 44_640
    assert window.complete


# --- Averages of rates ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", RATES)
def test_the_contract_judges_the_average_itself_not_a_count_of_bad_periods(name):
    assert all("averageBeyond" in tier for tier in load_template(name).tiers)


def hours(document, counts):
    """Codes of hours of (failed, all) transactions, and the share of failures in all transactions together [ppm]."""
    rates = [1_000_000 * failed // total for failed, total in counts]
    all_failed = 1_000_000 * sum(f for f, _ in counts) // sum(total for _, total in counts)
    return [1_000_000 - rate for rate in rates], all_failed


def test_a_night_hour_counts_as_much_as_a_peak_hour(tmp_path):
    document = agreements.document_of("azure-storage-hot", tmp_path, month=4, windows=1)
    quiet = [(0, 1_000_000)] * 719
    # All 10 transactions of one hour fail: 1/720 = 0.1389 % on average, but 10 of 719,000,010 transactions.
    codes, together = hours(document, [(10, 10), *quiet])
    assert together == 0
    assert month(document, codes).credit == 1_000
    # 700,000 failures at noon: 0.7/720 = 0.0972 % on average. More failures, no credit.
    codes, _ = hours(document, [(700_000, 1_000_000), *quiet])
    assert month(document, codes).credit == 0


def test_total_errors_over_total_requests_would_decide_otherwise(tmp_path):
    document = agreements.document_of("azure-storage-hot", tmp_path, month=4, windows=1)
    # One busy hour with nine tenths of the month's traffic, of which half a percent fail: 0.45 % in all, 0.0007 % on average.
    codes, together = hours(document, [(32_355, 6_471_000), *[(0, 1_000)] * 719])
    assert together == 4_500
    assert month(document, codes).credit == 0


@pytest.mark.parametrize("name", RATES)
def test_a_period_without_traffic_has_no_errors(name, tmp_path):
    document = agreements.document_of(name, tmp_path, month=4, windows=1)
    count = 30 * 86_400 // document.levels[0].feed.measurement.interval
    window = month(document, [NO_DATA] * count)
    assert window.credit == 0
    assert window.to_provider == agreements.UNITS


# --- Denominators --------------------------------------------------------------------------------


def test_minutes_in_which_the_customer_had_stopped_all_machines_are_no_available_minutes(tmp_path):
    # Of 43,200 minutes the machines ran 14,400: 2 down are 0.0139 % of these, more than 0.01 %; of the whole month they would be 0.0046 %.
    document = agreements.document_of("azure-vm-zones", tmp_path, month=4, windows=1)
    codes = [NOT_APPLICABLE] * 28_800 + [1_000_000] * 14_398 + [0] * 2
    assert month(document, codes).credit == 1_000
    alone = agreements.document_of("azure-vm-single-premium", tmp_path, month=4, windows=1)
    assert month(alone, codes).credit == 0


def test_machines_that_never_ran_cost_nothing(tmp_path):
    document = agreements.document_of("azure-vm-zones", tmp_path, month=4, windows=1)
    window = month(document, [NOT_APPLICABLE] * 43_200)
    assert (window.credit, window.to_provider) == (0, agreements.UNITS)


def test_a_stopped_instance_has_no_data_and_counts_as_available(tmp_path):
    document = agreements.document_of("aws-ec2-instance", tmp_path, month=4, windows=1)
    codes = [NO_DATA] * 40_000 + [1_000_000] * 2_984 + [0] * 216
    assert month(document, codes).credit == 0


# --- Which terms ---------------------------------------------------------------------------------


def test_more_than_six_minutes_of_an_hour_make_it_free(tmp_path):
    document = agreements.document_of("aws-ec2-instance-hour", tmp_path, windows=2)
    six, seven = [[0] * bad + [1_000_000] * (60 - bad) for bad in (6, 7)]
    windows = run(document.terms, [Past(0, six + seven)]).windows
    assert [window.credit for window in windows] == [0, 10_000]


def test_the_version_of_the_terms_is_part_of_what_is_signed(tmp_path):
    template = load_template("aws-ec2-instance")
    filled = agreements.filling(template)
    text = render(template, filled).text
    ids = set()
    for version in (template.version, "2020-01-01"):
        path = tmp_path / f"{version}.yaml"
        path.write_text(text.replace(template.version, version))
        ids.add(load_document(path).agreement_id)
    assert len(ids) == 2


def test_credits_of_several_levels_cannot_be_stacked(tmp_path):
    # Azure and RDS: one incident that misses several levels is paid once.
    document = agreements.document_of("azure-sql", tmp_path, month=4, windows=1)
    terms = replace(document.terms, levels=document.terms.levels * 2)
    codes = [0] * 433 + [1_000_000] * (43_200 - 433)
    [window] = run(terms, [Past(0, codes), Past(0, codes)]).windows
    assert [level.credit for level in window.levels] == [2_500, 2_500]
    assert window.credit == 2_500


def test_google_never_pays_more_than_half(tmp_path):
    document = agreements.document_of("gcp-storage-region", tmp_path, month=4, windows=1)
    assert month(document, [1_000_000] * 8_640).credit == 5_000
    assert document.terms.credit_cap == 5_000
