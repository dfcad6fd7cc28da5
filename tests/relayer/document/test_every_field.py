"""Averages, ranges, service hours, exclusions, bonds, disputes, endings and amendments: what they make, what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from relayer.document import load_document, words
from relayer.document.hours import hours
from relayer.protocol.feed import NO_PARTIES, parties_hash
from relayer.protocol.scope import Scope
from relayer.protocol.terms import Measure, Tier
from relayer.yaml_lines import InvalidFile

SAMPLE = Path(__file__).parents[3] / "samples" / "every-field.yaml"
AVERAGES = """        - {averageBeyond: 99.9%, credit: 10%} # the average of the window's values is worse than this
        - {averageBeyond: 99%, credit: 25%}
        - {averageBeyond: 95%, credit: 200%} # more than the fee: the bond pays
"""


@pytest.fixture(scope="module")
def text():
    return SAMPLE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sample():
    return load_document(SAMPLE)


def test_the_terms_hold_every_field(sample):
    terms = sample.terms
    assert terms.problem() is None
    assert (terms.bond, terms.prepaid_windows, terms.credit_cap) == (500_000_000, 0, 20_000)
    assert terms.arbiter == "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
    assert (terms.challenge_period, terms.dispute_deposit) == (7 * 86_400, 10_000_000)
    assert (terms.breaches_to_end, terms.notice_period) == (3, 30 * 86_400)
    assert terms.previous.hex().startswith("1f3a5c7e")
    [level] = terms.levels
    assert level.tiers == (
        Tier(Measure.AVERAGE_BEYOND, 999_000, 1_000),
        Tier(Measure.AVERAGE_BEYOND, 990_000, 2_500),
        Tier(Measure.AVERAGE_BEYOND, 950_000, 20_000),
    )
    feed = sample.levels[0].feed
    off = hours("sat-sun") | hours("mon-fri 22:00-24:00")
    assert feed.scope == Scope(best=1_000_000, worst=0, allowance=48, hours_off=off)
    assert feed.measurement.notice == 86_400
    assert feed.panel.parties == parties_hash([terms.provider, terms.consumer])
    assert sample.notices == ()


def test_without_exclusions_a_panel_has_no_parties(text, write):
    line = "      exclusions: {allowance: 4h, notice: 24h} # both parties may exclude so much of a window, signed so long before\n"
    feed = load_document(write(text.replace(line, ""))).levels[0].feed
    assert (feed.panel.parties, feed.scope.allowance, feed.measurement.notice) == (NO_PARTIES, 0, 0)


@pytest.mark.parametrize("gone", ['    bond: "500.00"', "  amends: "])
def test_where_nothing_can_be_prepaid_nothing_is_by_default(text, write, gone):
    lines = [line for line in text.splitlines() if "prepaidWindows" not in line]
    one = "\n".join(line for line in lines if not line.startswith(gone)).replace("200%", "100%")
    assert load_document(write(one)).terms.prepaid_windows == 0
    neither = [line for line in lines if not line.startswith(('    bond: "500.00"', "  amends: "))]
    document = load_document(write("\n".join(neither).replace("200%", "100%")))
    assert document.terms.prepaid_windows == 1


def test_every_field_is_said_in_words(sample):
    level, agreed = sample.levels[0], sample.terms.levels[0]
    assert words.credits_of(level, agreed) == [
        "10% if the average of availability is below 99.9%",
        "25% if the average of availability is below 99%",
        "200% if the average of availability is below 95%",
        "0.1% for each bad interval",
    ]
    assert words.value_range(level) == "values count as 100% at best, 0% at worst"
    assert words.hours_off(level) == "mon-fri 22:00-24:00, sat-sun (UTC)"
    assert (
        words.exclusions(level)
        == "up to 4h of a window, if both parties sign it 1d before it begins"
    )
    assert words.bond(sample) == "500.00 of the provider, before any window is funded"
    assert words.dispute(sample).endswith("decides, deposit 10.00")
    assert words.termination(sample.terms).startswith("by the consumer after 3 breached windows; ")
    assert words.amends(sample.terms) == f"0x{sample.terms.previous.hex()}"


def test_an_average_of_what_is_better_when_lower_is_above(sample):
    level = sample.levels[0]
    scope = Scope(best=0, worst=1_000_000)
    level = replace(level, feed=replace(level.feed, scope=scope))
    said = words.condition(level, Tier(Measure.AVERAGE_BEYOND, 1_000, 1))
    assert said == "the average of availability is above 0.1%"


LEVEL = "spec.levels[0]"
# What is replaced, by what, the field that is named, and a part of the message.
MISTAKES = [
    ("best: 100%", "best: 101%", f"{LEVEL}.range.best", "availability is at most 1000000 ppm"),
    ("best: 100%", "best: 100", f"{LEVEL}.range.best", "a number of what?"),
    ("worst: 0%", "worst: 100%", f"{LEVEL}.range", "best and worst value must differ"),
    ("best: 100%", "best: 0", f"{LEVEL}.range", "best and worst value must differ"),
    ("best: 100%", "bset: 100%", f"{LEVEL}.range.bset", 'did you mean "best"?'),
    ("range: {best", "rnge: {best", f"{LEVEL}.rnge", 'did you mean "range"?'),
    ("      range: {best: 100%, worst: 0%} # values are clamped to it, so that there is an average\n", "",
     f"{LEVEL}.tiers[0].averageBeyond", "an average needs a best and a worst value: add range"),
    ("averageBeyond: 99.9%", "averageBeyond: 100.1%", f"{LEVEL}.tiers[0].averageBeyond", "at most 1000000 ppm"),
    ("averageBeyond: 99.9%", "averageBeyond: 0%", f"{LEVEL}.tiers[0].averageBeyond", "no average lies beyond the worst value"),
    ("{best: 100%, worst: 0%}", "{best: 100%, worst: 97%}", f"{LEVEL}.tiers[2].averageBeyond",
     'found "95%"; the limit must lie between 100% (best) and 97% (worst)'),
    ("averageBeyond: 99.9%", "averageBeyond: 99.9", f"{LEVEL}.tiers[0].averageBeyond", "a number of what?"),
    ("averageBeyond: 99.9%,", "averageBeyond: 99.9%, badRun: 3,", f"{LEVEL}.tiers[0]",
     "a tier has one condition: availabilityBelow, badIntervals, badRun or averageBeyond"),
    ("credit: 200%", "credit: 700%", f"{LEVEL}.tiers[2].credit", "at most 655.35%"),
    ('    bond: "500.00"', '    bond: "0.00"', f"{LEVEL}.tiers[2].credit", "what is beyond the fee needs a bond (spec.money.bond)"),
    ('    bond: "500.00"', '    bond: "0.00"', "spec.credits.cap", "what is beyond the fee needs a bond (spec.money.bond)"),
    ("creditPerBadInterval: 0.1%", "creditPerBadInterval: -1%", f"{LEVEL}.creditPerBadInterval", "write a percentage"),
    ('"sat-sun"', '"sat - sun"', f"{LEVEL}.hoursOff[0]", "write days and whole hours in UTC"),
    ('"mon-fri 22:00-24:00"', '"mon-fri 22:00-06:00"', f"{LEVEL}.hoursOff[1]", "a span that passes midnight is written as two"),
    ('"sat-sun", "mon-fri 22:00-24:00"', '"mon-sun"', f"{LEVEL}.hoursOff", "at least one hour of the week must be judged"),
    ("interval: 5m", "interval: 2h", f"{LEVEL}.hoursOff", "the interval must divide an hour"),
    ("allowance: 4h", "allowance: 7m", f"{LEVEL}.exclusions.allowance", 'found "7m"; write a whole number of intervals of 5m'),
    ("allowance: 4h", "allowance: 0h", f"{LEVEL}.exclusions.allowance", "at least one"),
    ("allowance: 4h", "allowance: 32d", f"{LEVEL}.exclusions.allowance", "a window is not that long"),
    ("notice: 24h", "notice: 200d", f"{LEVEL}.exclusions.notice", "notice must lie between"),
    ('bond: "500.00"', 'bond: "500.0000001"', "spec.money.bond", "6 decimals: it cannot be paid exactly"),
    ('bond: "500.00"', 'bond: "340282366920938463463374607431768.211456"', "spec.money.bond", "between 0 and 2^128"),
    ("prepaidWindows: 0", "prepaidWindows: 1", "spec.term.prepaidWindows",
     'found "1"; no window can be prepaid where there is a bond, which is deposited after the opening: write 0'),
    ("challengePeriod: 7d", "challengePeriod: 31d", "spec.dispute.challengePeriod", "between 1 s and 30 days"),
    ("challengePeriod: 7d", "challengePeriod: 0d", "spec.dispute.challengePeriod", "between 1 s and 30 days"),
    ('deposit: "10.00"', 'deposit: "-1"', "spec.dispute.deposit", "write an amount"),
    ('deposit: "10.00"', 'deposit: "340282366920938463463374607431768.211456"', "spec.dispute.deposit", "between 0 and 2^128"),
    ('arbiter: "0x90F7', 'arbiter: "0x90F8', "spec.dispute.arbiter", "the checksum of the address is wrong"),
    ("breaches: 3", "breaches: 65536", "spec.termination.breaches", "between 0 and 65535"),
    ("breaches: 3", "breaches: -1", "spec.termination.breaches", "between 0 and 65535"),
    ("notice: 30d}", "notice: 50000d}", "spec.termination.notice", "between 0 and 4294967295"),
    ('amends: "0x1f', 'amends: "1f', "spec.amends", "64 hexadecimal digits"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "path", "message"), MISTAKES, ids=[f"{m[2]}: {m[1]}"[:70] for m in MISTAKES]
)  # fmt: skip
def test_a_mistake_is_found_at_its_place(text, write, old, new, path, message):
    assert old in text
    with pytest.raises(InvalidFile) as caught:
        load_document(write(text.replace(old, new, 1)))
    matching = [problem for problem in caught.value.problems if problem.path == path]
    assert any(message in problem.message for problem in matching), caught.value.message
    line = text[: text.index(old)].count("\n") + 1
    nearby = range(line - 2, line + 40) if path.endswith(("range", "averageBeyond", "hoursOff", "credit", "cap")) else [line]  # fmt: skip
    assert matching[0].line in nearby


def test_an_amendment_prepays_nothing(text, write):
    lines = [line for line in text.splitlines() if not line.startswith("    bond:")]
    changed = "\n".join(lines).replace("200%", "100%").replace("prepaidWindows: 0", "prepaidWindows: 2")  # fmt: skip
    with pytest.raises(InvalidFile, match="where these terms amend others, whose money is held"):
        load_document(write(changed))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cap: 200%", "cap: 100%", "the bond pays what a credit is larger than the fee"),
        ('arbiter: "0x90F79bf6EB2c4f870365E785982E1f101E93b906"', 'arbiter: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"', "one of the parties"),
        ("{best: 100%, worst: 0%}", "{best: 0%, worst: 100%}", "the range says the opposite"),
        ("value: 99%}", "value: 0}", "so every interval is good"),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_said(text, write, old, new, message):
    assert old in text
    document = load_document(write(text.replace(old, new, 1)))
    assert any(message in notice for notice in document.notices), document.notices
