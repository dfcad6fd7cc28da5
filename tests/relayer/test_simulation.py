import random
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from oracles import METRICS
from relayer.errors import ConfigurationError
from relayer.protocol.credit import owed_down, window_credit
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.scope import Scope
from relayer.protocol.tally import Exclusion, count
from relayer.protocol.terms import Combination, Level, Measure, Tier, UnknownPolicy
from relayer.simulation import Past, csv_file, dates, run
from relayer.simulation.calendar import Look, calendar
from relayer.simulation.past import Reader, agreed_past
from relayer.simulation.svg import picture
from tests import samples
from tests.relayer.templates import agreements

HOUR, DAY = 3_600, 86_400
START = agreements.utc(2026, 6, 1)
GOOD, BAD = 1_000_000, 0
AVERAGE = Tier(Measure.AVERAGE_BEYOND, 950_000, 3_000)


def terms_of(*feeds, **changes):
    others = {"token": samples.wallet(5).address, "oracle": samples.wallet(6).address}
    return samples.terms(*feeds, **(others | changes))


def hour_feed(**changes):
    return samples.feed(START, samples.panel(1), **changes)


# --- Money ---------------------------------------------------------------------------------------


def test_a_credit_is_paid_when_it_is_certain_and_only_what_is_new():
    # 99 % of 60 minutes: one bad minute is 10 %; six are 25 %; ten in a row are all of it.
    terms = terms_of(hour_feed())
    codes = [GOOD] * 5 + [BAD] * 10 + [GOOD] * 45
    window = run(terms, [Past(0, codes)]).windows[0]
    dollars = samples.DOLLAR
    settled = 60 + 30
    assert [(p.at, p.credit, p.amount) for p in window.payments] == [
        (START + 5 * 60 + settled, 1_000, 10 * dollars),
        (START + 10 * 60 + settled, 2_500, 15 * dollars),
        (START + 14 * 60 + settled, 10_000, 75 * dollars),
    ]
    assert (window.to_consumer, window.to_provider, window.short) == (100 * dollars, 0, 0)
    assert window.judged_at == START + HOUR + 30


def test_a_window_that_is_not_judged_to_its_end_pays_no_provider():
    window = run(terms_of(hour_feed()), [Past(0, [GOOD, BAD, GOOD])]).windows[0]
    assert not window.complete
    assert window.to_consumer == 10 * samples.DOLLAR
    assert window.to_provider == 0


def test_what_neither_fee_nor_bond_can_pay_stays_owed():
    per_bad = replace(terms_of(hour_feed()).levels[0], tiers=(), credit_per_bad_interval=5_000)
    terms = terms_of(
        hour_feed(), levels=(per_bad,), bond=150 * samples.DOLLAR, credit_cap=30_000, prepaid_windows=0, windows=2
    )  # fmt: skip
    assert terms.problem() is None
    first, second = run(terms, [Past(0, [BAD] * 120)]).windows
    assert (first.credit, first.to_consumer, first.short) == (
        30_000,
        250 * samples.DOLLAR,
        50 * samples.DOLLAR,
    )
    # The bond is used up: the second window has its fee only.
    assert (second.to_consumer, second.short) == (100 * samples.DOLLAR, 200 * samples.DOLLAR)
    assert second.to_provider == 0


def test_the_consumer_may_leave_after_so_many_breached_windows():
    terms = terms_of(hour_feed(), breaches_to_end=2)
    codes = ([BAD] + [GOOD] * 59) + [GOOD] * 60 + ([BAD] + [GOOD] * 59)
    assert run(terms, [Past(0, codes)]).may_leave_after == 2
    assert run(terms, [Past(0, codes[:120])]).may_leave_after is None
    assert run(replace(terms, breaches_to_end=0), [Past(0, codes)]).may_leave_after is None


def test_intervals_that_leave_the_denominator_can_make_a_credit_certain():
    # One bad minute of 60 is 98.33 %; of the 49 that are left when 11 had nothing to measure it is 97.96 %.
    below = Tier(Measure.AVAILABILITY_BELOW, 980_000, 1_000)
    level = Level(hour_feed().ref, (below,), remove_not_applicable=True)
    codes = [BAD] + [GOOD] * 10 + [NOT_APPLICABLE] * 20
    window = run(terms_of(hour_feed(), levels=(level,)), [Past(0, codes)]).windows[0]
    assert [payment.interval for payment in window.payments] == [START + (11 + 10) * 60]


# --- The same as the protocol, whatever happens --------------------------------------------------


def reference(terms, pasts, exclusions, window):
    """Credits by time, with every tally counted anew: slow, and taken from the protocol word by word."""
    moments = []
    for number, past in enumerate(pasts):
        measurement = terms.levels[number].feed.measurement
        begin, end = measurement.window_begin(window), measurement.window_begin(window + 1)
        for place in range(begin, min(end, past.end)):
            code = past.codes[place]
            start = measurement.start_of(place)
            moments.append(
                (start + measurement.interval + measurement.settle_delay, number, place, code)
            )
    moments.sort(key=lambda moment: moment[:3])
    known = [[] for _ in pasts]
    paid, steps = 0, []
    for at, number, _, code in moments:
        known[number].append(code)
        tallies = [
            count(codes, level.feed.measurement, level.feed.scope, window=window, exclusions=spans)
            for codes, level, spans in zip(known, terms.levels, exclusions, strict=True)
        ]
        amount = owed_down(terms.fee_of(window), window_credit(terms, tallies), paid)
        if amount:
            paid += amount
            steps.append((at, amount))
    return steps, tallies


@pytest.mark.parametrize("seed", range(60))
def test_every_payment_is_the_protocol_s(seed):
    chance = random.Random(seed)
    scope = Scope(
        best=1_000_000, worst=0, hours_off=chance.choice([0, 1 << 1, 1 << 0]), allowance=9
    )
    panel = samples.panel(1)
    feeds = [
        samples.feed(START, panel, scope=scope, window_intervals=180, settle_delay=45),
        samples.feed(
            START, panel, b"\xdd" * 32, interval=300, window_intervals=36, settle_delay=20
        ),
    ]
    some = (*samples.TIERS, AVERAGE)
    levels = (
        Level(
            feeds[0].ref,
            tuple(chance.sample(some, 3)),
            chance.choice([0, 7]),
            chance.random() < 0.5,
        ),
        Level(feeds[1].ref, samples.TIERS, 0, chance.random() < 0.5),
    )
    terms = terms_of(
        *feeds,
        levels=levels,
        combination=chance.choice(list(Combination)),
        credit_cap=chance.choice([10_000, 4_000]),
        unknown_policy=chance.choice(list(UnknownPolicy)),
        unknown_limit=chance.choice([0, 50_000, 1_000_000]),
        unknown_credit=chance.choice([0, 1_500]),
        windows=2,
    )
    assert terms.problem() is None
    answers = [GOOD] * chance.choice([5, 60]) + [BAD, 995_000, 500_000, NO_DATA, NOT_APPLICABLE]

    def said(length):
        codes = []
        while len(codes) < length:
            codes += [chance.choice(answers)] * chance.randrange(1, 12)
        return codes[:length]

    cut = chance.choice([0, 17])
    pasts = [Past(0, said(360 - cut)), Past(0, said(72 - cut // 5))]
    spans = [[Exclusion(30, 37), Exclusion(200, 202, planned=True)], []]
    course = run(terms, pasts, spans)
    for window in (0, 1):
        steps, tallies = reference(terms, pasts, spans, window)
        mine = course.windows[window]
        # Payments that become certain at the same moment are told one by one.
        assert [(p.at, p.amount) for p in mine.payments] == steps
        assert [level.tally for level in mine.levels] == tallies


def test_a_silent_interval_holds_up_those_behind_it_until_its_deadline():
    # Nobody says anything for minute 1; minute 2 is bad, and known for certain only when minute 1 is given up.
    terms = terms_of(hour_feed())
    window = run(terms, [Past(0, [GOOD, None, BAD] + [GOOD] * 57)]).windows[0]
    deadline = terms.levels[0].feed.measurement.deadline
    [payment] = window.payments
    assert payment.interval == START + 120
    assert payment.at == START + 120 + deadline
    assert window.levels[0].tally.unknown == 1


def test_intervals_that_are_not_judged_wait_for_nobody():
    scope = Scope(hours_off=1 << 0)  # Monday, 00:00 to 01:00; June 1, 2026 is a Monday
    terms = terms_of(hour_feed(scope=scope, window_intervals=120))
    codes = [None] * 60 + [BAD] + [GOOD] * 59
    window = run(terms, [Past(0, codes)]).windows[0]
    assert window.payments[0].at == START + HOUR + 60 + 30
    assert (window.levels[0].tally.planned, window.levels[0].tally.unknown) == (60, 0)


# --- Readings ------------------------------------------------------------------------------------


def combined(*readers):
    feed = samples.feed(START, samples.panel(3, tolerance=1_000))
    given = [Reader(f"r{i}", [START + 60 * n for n in codes], list(codes.values())) for i, codes in enumerate(readers)]  # fmt: skip
    return agreed_past(given, feed.panel, feed.measurement, feed.scope, first=0).codes


def test_several_reporters_agree_by_rule_3():
    one = {0: GOOD, 1: GOOD, 2: BAD, 3: GOOD, 4: GOOD}
    two = {0: GOOD, 1: BAD, 2: BAD, 3: NO_DATA, 4: 995_000}
    three = {0: GOOD, 1: BAD, 2: GOOD, 3: NO_DATA, 4: 980_000}
    # The last: three values too far apart, and all were heard.
    assert combined(one, two, three) == [GOOD, BAD, BAD, NO_DATA, NO_DATA]


def test_two_of_three_files_are_two_reporters_and_a_silent_one():
    assert combined({0: GOOD, 1: GOOD}, {0: GOOD, 1: BAD}) == [GOOD, None]


def test_one_file_stands_for_the_whole_panel():
    assert combined({0: GOOD, 2: BAD}) == [GOOD, None, BAD]


def test_more_files_than_reporters_are_refused():
    with pytest.raises(ConfigurationError, match="4 sets of readings"):
        combined({}, {}, {}, {})


def test_two_readings_for_one_interval_are_refused():
    feed = hour_feed()
    reader = Reader("june.csv", [START, START + 59], [GOOD, BAD])
    with pytest.raises(ConfigurationError, match="has two readings"):
        agreed_past([reader], feed.panel, feed.measurement, feed.scope, first=0)


def written(tmp_path, text):
    path = tmp_path / "readings.csv"
    path.write_text(text)
    return path


def test_a_file_holds_times_and_values_and_words(tmp_path):
    path = written(tmp_path, "time,value\n2026-06-01T00:00:00Z,100\n1780272060,no data\n2026-06-01T02:02:00+02:00,not applicable\n")  # fmt: skip
    reader = csv_file.load(path, METRICS["availability"], unit="%")
    assert reader.times == [START, START + 60, START + 120]
    assert reader.codes == [GOOD, NO_DATA, NOT_APPLICABLE]


def test_numbers_are_rounded_to_the_worse_side_as_readings_are(tmp_path):
    path = written(tmp_path, f"{START},99.99999\n")
    assert csv_file.load(path, METRICS["availability"], unit="%").codes == [999_999]
    path = written(tmp_path, f"{START},0.0000001\n")
    assert csv_file.load(path, METRICS["error_rate"], unit="ratio").codes == [1]


def test_a_number_out_of_range_is_told_with_its_line_and_in_its_unit(tmp_path):
    text = f"\ufefftime,value\r\n{START},1\r\n\r\n{START + 60},1.01\r\n"
    with pytest.raises(ConfigurationError, match=r"csv, line 4: 1\.01 is outside 0 to 1$"):
        csv_file.load(written(tmp_path, text), METRICS["availability"], unit="ratio")


def test_an_unknown_unit_is_refused_with_what_may_have_been_meant(tmp_path):
    with pytest.raises(ConfigurationError, match=r'--unit percentage is not a unit of availability; allowed: .*did you mean "percent"'):  # fmt: skip
        csv_file.load(written(tmp_path, f"{START},1\n"), METRICS["availability"], unit="percentage")


def test_percentages_are_not_taken_for_millionths(tmp_path):
    path = written(tmp_path, f"{START},100\n{START + 60},99\n")
    with pytest.raises(ConfigurationError, match="percent, or parts per million"):
        csv_file.load(path, METRICS["availability"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{START},50\n{START},50\n", "line 2"),
        ("yesterday at 1,50\n", "no time"),
        (f"{START},fine\n", "no number"),
        ("time,value\n", "holds no reading"),
        (f"{START},101\n", "line 1: 101 % is outside 0 % to 100 %"),
    ],
)
def test_what_is_no_reading_is_refused_with_its_place(tmp_path, text, said):
    with pytest.raises(ConfigurationError, match="readings") as refused:
        csv_file.load(written(tmp_path, text), METRICS["availability"], unit="%")
    assert said in refused.value.message


# --- Dates ---------------------------------------------------------------------------------------


def test_months_begin_with_the_month_of_the_first_reading():
    terms = terms_of(samples.feed(agreements.utc(2027, 1, 1), samples.panel(1), window_intervals=0))
    assert dates.natural_start(terms, agreements.utc(2026, 6, 17, 5, 3)) == START
    moved = dates.begun_at(terms, START, agreements.utc(2026, 8, 1))
    assert (moved.start, moved.windows, moved.problem()) == (START, 3, None)
    assert dates.begun_at(terms, START, agreements.utc(2026, 8, 1) - 1).windows == 2


def test_an_agreement_that_begins_within_a_month_has_a_short_window_and_its_share_of_the_fee():
    terms = terms_of(samples.feed(agreements.utc(2027, 1, 1), samples.panel(1), window_intervals=0))
    moved = dates.begun_at(terms, agreements.utc(2026, 6, 16), agreements.utc(2026, 6, 30))
    window = run(moved, [Past(0, [GOOD] * 15 * 1_440)]).windows[0]
    assert (window.fee, window.to_provider) == (50 * samples.DOLLAR, 50 * samples.DOLLAR)


def test_windows_of_fixed_length_begin_on_a_whole_day():
    terms = terms_of(hour_feed())
    assert dates.natural_start(terms, START + 7_777) == START
    odd = terms_of(hour_feed(interval=7, window_intervals=60))
    assert dates.natural_start(odd, START + 7_777) == (START + 7_777) // 7 * 7


# --- Pictures ------------------------------------------------------------------------------------


def looks(codes, **changes):
    terms = terms_of(hour_feed(window_intervals=24 * 60, **changes))
    [row] = calendar(run(terms, [Past(0, codes)]).windows[0], 0)
    return "".join(cell.look.value for cell in row.cells)


def test_a_calendar_has_a_cell_for_each_hour_that_shows_the_worst():
    codes = (
        [GOOD] * 60
        + [BAD] * 60
        + [GOOD] * 59
        + [BAD]
        + [GOOD] * 59
        + [NO_DATA]
        + [NOT_APPLICABLE] * 60
    )
    assert looks(codes) == ".Xx?n" + " " * 19
    assert looks([GOOD] * 1_440, scope=Scope(hours_off=0b10)) == ".-" + "." * 22


def test_cells_are_the_same_where_intervals_do_not_fit_hours():
    terms = terms_of(hour_feed(interval=7, window_intervals=24 * HOUR // 7))
    codes = [GOOD] * 600 + [BAD] * 600 + [GOOD] * 400
    row = calendar(run(terms, [Past(0, codes)]).windows[0], 0)[0]
    assert sum(cell.counts.total() for cell in row.cells) == 1_600
    assert row.bad == 600
    assert [cell.look for cell in row.cells[:3]] == [Look.GOOD, Look.SOME_BAD, Look.SOME_BAD]


def test_a_long_window_has_a_row_for_each_week():
    terms = terms_of(hour_feed(interval=3_600, window_intervals=100 * 24))
    rows = calendar(run(terms, [Past(0, [GOOD] * 2_400)]).windows[0], 0)
    assert len(rows) == 15
    assert {len(row.cells) for row in rows} == {7}
    assert sum(cell.counts.total() for row in rows for cell in row.cells) == 2_400


def test_the_picture_is_well_formed_and_says_what_was_paid(tmp_path):
    document = agreements.document_of("aws-ec2-region", tmp_path, month=4, windows=1)
    codes = [1_000_000] * 43_200
    codes[5_000:5_005] = [0] * 5
    course = run(replace(document.terms, windows=1), [Past(0, codes)])
    root = ET.fromstring(picture(document, course, currency="USDC <&>"))  # noqa: S314 - our own
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"100.00", "900.00", "100.00 USDC <&>", "5 bad"} <= set(texts)
    cells = [e for e in root.iter("{http://www.w3.org/2000/svg}rect") if len(e)]
    assert len(cells) == 30 * 24
