"""A table of mistakes in the sample document, and what is said about each: where, what was found, what is allowed."""

import random
import re
from contextlib import suppress

import pytest

from relayer.document import load_document
from relayer.yaml_lines import InvalidFile

ZERO = "0x" + "00" * 20

# What is replaced, by what, the field that is named, and a part of the message.
MISTAKES = [
    # the shape
    ("apiVersion: makegood/v1", "apiVersion: makegood/v2", "apiVersion", 'found "makegood/v2"; allowed: makegood/v1'),
    ("kind: SLA", "kind: SLO", "kind", 'did you mean "SLA"?'),
    ("kind: SLA", "", "kind", "is missing"),
    ("name: shop-api-2027", "name: Shop API", "metadata.name", "lower-case letters"),
    ("name: shop-api-2027", "name: 7", "metadata.name", "found the number 7"),
    ("windows: 12", "windws: 12", "spec.term.windws", 'did you mean "windows"?'),
    ("windows: 12", "windws: 12", "spec.term.windows", "is missing"),
    ("windows: 12", 'windows: "12"', "spec.term.windows", 'found "12"; expected a whole number'),
    ("windows: 12", "windows: 12.0", "spec.term.windows", 'found "12.0"; expected a whole number'),
    ("windows: 12", "windows: yes", "spec.term.windows", 'found "yes"'),
    ("windows: 12", "windows: true", "spec.term.windows", "found true"),
    ("windows: 12", "windows:", "spec.term.windows", "found nothing; expected a whole number"),
    ("openBy: 2026-12-31T12:00:00Z", "openBy:", "spec.term.openBy", "has no value"),
    ("windows: 12", "windows: 0", "spec.term.windows", 'found "0"; an agreement has 1 to 512 windows'),
    ("windows: 12", "windows: 513", "spec.term.windows", "1 to 512"),
    ("prepaidWindows: 1", "prepaidWindows: 13", "spec.term.prepaidWindows", "between 0 and 12"),
    ("prepaidWindows: 1", "prepaidWindows: -1", "spec.term.prepaidWindows", "between 0 and 12"),
    # parties and settlement
    ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x7099", "spec.parties.provider", "40 hexadecimal digits"),
    ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x70997970C51812dc3A010C7d01b50e0d17dc79c8", "spec.parties.provider", "checksum"),
    ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", ZERO, "spec.parties.provider", "zero address"),
    ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", "spec.parties.consumer", "two accounts"),
    ("chainId: 31337", "chainId: 0", "spec.settlement.chainId", "greater than or equal to 1"),
    ("chainId: 31337", "chainId: mainnet", "spec.settlement.chainId", "expected a whole number"),
    ("chainId: 31337", "chainId: 99999999999999999999", "spec.settlement.chainId", "write it as text"),
    ("decimals: 6", "decimals: 77", "spec.settlement.decimals", "less than or equal to 36"),
    # money
    ('"100.00"', '"100.0000001"', "spec.money.feePerWindow", "6 decimals: it cannot be paid exactly"),
    ('"100.00"', '"1e2"', "spec.money.feePerWindow", "write an amount"),
    ('"100.00"', '"-1"', "spec.money.feePerWindow", "write an amount"),
    ('"100.00"', "1,000", "spec.money.feePerWindow", "write an amount"),
    ('"100.00"', "0", "spec.money.feePerWindow", "larger than 0"),
    ('"100.00"', '"340282366920938463463374607431769"', "spec.money.feePerWindow", "below 2^112"),
    # times
    ("start: 2027-01-01T00:00:00Z", "start: 2027-01-01", "spec.term.start", "write a time in UTC"),
    ("start: 2027-01-01T00:00:00Z", "start: 2027-01-01T00:00:00+01:00", "spec.term.start", "write a time in UTC"),
    ("start: 2027-01-01T00:00:00Z", "start: 2027-02-30T00:00:00Z", "spec.term.start", "no such time"),
    ("start: 2027-01-01T00:00:00Z", "start: 1798761600", "spec.term.start", "found the number 1798761600"),
    ("openBy: 2026-12-31T12:00:00Z", "openBy: 2027-01-01T00:00:01Z", "spec.term.openBy", "no later than it starts"),
    ("window: 30d", "window: 1M", "spec.term.window", "calendar months"),
    ("window: 30d", "window: 720", "spec.term.window", "write a duration, such as 30d, or month"),
    ("window: 30d", "window: 90s", "spec.term.window", "not a whole number of intervals of 1m"),
    ("window: 30d", "window: 367d", "spec.term.window", "366 days"),
    ("window: 30d", "window: 0d", "spec.term.window", "write a duration, such as 30d, or month"),
    ("window: 30d", "window: 4194305m", "spec.term.window", "1 to 4194304 intervals"),
    ("window: 30d", "window: months", "spec.term.window", "write a duration, such as 30d, or month"),
    ("interval: 60s", "interval: 1.5m", "spec.levels[0].interval", "a whole number and a unit"),
    ("interval: 60s", "interval: 0s", "spec.levels[0].interval", "longer than 0 s"),
    ("settleDelay: 1m", "settleDelay: 6h", "spec.levels[0].reportDeadline", "longer than the settle delay"),
    ("settleDelay: 1m", "settleDelay: 31d", "spec.levels[0].settleDelay", "settle delay"),
    ("settleDelay: 1m", "settleDelay: 200d", "spec.levels[0].settleDelay", "settle_delay must lie"),
    ("reportEvery: 1h", "reportEvery: 3h", "spec.levels[0].reportDeadline", "twice the reporting cadence"),
    ("reportDeadline: 6h", "reportDeadline: 31d", "spec.levels[0].reportDeadline", "30 days"),
    # what is measured
    ("type: http_probe", "type: htp_probe", "spec.levels[0].indicator.dataSource.type", "did you mean 'http_probe'?"),
    ("samples: 5", "sampels: 5", "spec.levels[0].indicator.dataSource.spec.sampels", 'did you mean "samples"?'),
    ("samples: 5", "samples: 0", "spec.levels[0].indicator.dataSource.spec.samples", "greater than or equal to 1"),
    ("samples: 5", "samples: 50", "spec.levels[0].indicator.dataSource.spec", "do not fit into 60 s"),
    ("url: https://api.example.com/health", "url: https://user:pw@api.example.com/", "spec.levels[0].indicator.dataSource.spec.url", "credentials"),
    ("url: https://api.example.com/health", "method: GET", "spec.levels[0].indicator.dataSource.spec.url", "is missing"),
    ("metric: availability", "metric: availabilty", "spec.levels[0].indicator.metric", 'did you mean "availability"?'),
    ("metric: availability", "metric: throughput", "spec.levels[0].indicator.metric", "http_probe has no metric"),
    # what is promised
    ("op: gte", "op: ge", "spec.levels[0].objective.op", 'did you mean "gte"?'),
    ("op: gte", 'op: ">="', "spec.levels[0].objective.op", "allowed: eq, gt, gte, lt, lte, neq"),
    ("value: 99%", "value: 99", "spec.levels[0].objective.value", "a number of what?"),
    ("value: 99%", "value: 99.99995%", "spec.levels[0].objective.value", "not a whole number of ppm"),
    ("value: 99%", "value: 101%", "spec.levels[0].objective.value", "at most 1000000 ppm"),
    ("value: 99%", "value: 99ms", "spec.levels[0].objective.value", "write it with its unit"),
    ("value: 99%", "value: -1%", "spec.levels[0].objective.value", "write it with its unit"),
    ("value: 99%", "value: [99]", "spec.levels[0].objective.value", "found a list"),
    ("value: 500ms", "value: 0.5ms", "spec.levels[1].objective.value", "not a whole number of ms"),
    ("name: latency", "name: availability", "spec.levels[1].name", 'called "availability" already'),
    # who measures
    ("quorum: 2", "quorum: 3", "spec.levels[0].reporters.quorum", "must be 2, not 3"),
    ("quorum: 2", "quorum: 1", "spec.levels[0].reporters.quorum", "must be 2, not 1"),
    ('          - "0x976EA74026E726554dB657fA54763abd0C3a0aa9"\n        quorum', "        quorum", "spec.levels[0].reporters.keys", "two reporters cannot outvote"),
    ("0x976EA74026E726554dB657fA54763abd0C3a0aa9", "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc", "spec.levels[0].reporters.keys[2]", "listed already"),
    ("0x976EA74026E726554dB657fA54763abd0C3a0aa9", "0x976E", "spec.levels[0].reporters.keys[2]", "40 hexadecimal digits"),
    ('- "0x976EA74026E726554dB657fA54763abd0C3a0aa9"', '- {key: "0x976EA74026E726554dB657fA54763abd0C3a0aa9", weight: 2}', "spec.levels[0].reporters.keys[2].weight", "allowed: dataSource, key"),
    ('- "0x976EA74026E726554dB657fA54763abd0C3a0aa9"', '- {key: "0x976EA74026E726554dB657fA54763abd0C3a0aa9", dataSource: {type: cloudwatch, spec: {}}}', "spec.levels[0].reporters.keys[2].dataSource.spec.region", "is missing"),
    ("tolerance: 0\n", "tolerance: 5\n", "spec.levels[0].reporters.tolerance", "a number of what?"),
    ("tolerance: 200ms", "tolerance: 4294968s", "spec.levels[1].reporters.tolerance", "between 0 and 4294967295"),
    # what a breach costs
    ("{availabilityBelow: 99%, credit: 25%}", "{credit: 25%}", "spec.levels[0].tiers[1]", "a tier has one condition"),
    ("{availabilityBelow: 99%, credit: 25%}", "{availabilityBelow: 99%, badRun: 2, credit: 25%}", "spec.levels[0].tiers[1]", "a tier has one condition"),
    ("{availabilityBelow: 99%, credit: 25%}", "{availabilityBelow: 99%}", "spec.levels[0].tiers[1].credit", "is missing"),
    ("{availabilityBelow: 99%, credit: 25%}", "{availabilityBelow: 99%, credit: 0%}", "spec.levels[0].tiers[1].credit", "larger than 0 %"),
    ("{availabilityBelow: 99%, credit: 25%}", "{availabilityBelow: 0%, credit: 25%}", "spec.levels[0].tiers[1].availabilityBelow", "between 1 and 1000000"),
    ("99.95%", "99.99995%", "spec.levels[0].tiers[0].availabilityBelow", "multiples of 0.0001%"),
    ("99.95%", "99.95", "spec.levels[0].tiers[0].availabilityBelow", "write a percentage"),
    ("credit: 10%}", "credit: 10.001%}", "spec.levels[0].tiers[0].credit", "multiples of 0.01%"),
    ("credit: 10%}", "credit: 110%}", "spec.levels[0].tiers[0].credit", "at most 100 %; what is beyond the fee needs a bond"),
    ("badRun: 120", "badRun: 43201", "spec.levels[0].tiers[2].badRun", "between 1 and 43200"),
    ("badRun: 120", "badRun: 0", "spec.levels[0].tiers[2].badRun", "between 1 and 43200"),
    ("        - {badIntervals: 432, credit: 5%} # one percent of the window\n", "        []\n", "spec.levels[1]", "neither a tier nor a credit"),
    ("combine: worst", "combine: best", "spec.credits.combine", "allowed: sum, worst"),
    ("cap: 100%", "cap: 0%", "spec.credits.cap", "credit cap"),
    ("countAs: excluded", "countAs: exclude", "spec.unknown.countAs", 'did you mean "excluded"?'),
    ("maxShare: 5%", "maxShare: 101%", "spec.unknown.maxShare", "at most 100%"),
    ("salt: ", "# salt: ", "spec.salt", 'is missing; add a fresh one: salt: "0x'),
    ('salt: "0x7c1f', 'salt: "7c1f', "spec.salt", "64 hexadecimal digits"),
    ("uri: https", "url: https", "spec.legal.url", 'did you mean "uri"?'),
    ("  legal:\n    uri: https://example.com/contracts/shop-api-2027.pdf\n", "  penalties: {}\n", "spec.penalties", "unknown field"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "path", "message"), MISTAKES, ids=[f"{m[2]}: {m[1]}"[:70] for m in MISTAKES]
)
def test_a_mistake_is_found_at_its_place(sample_text, write, old, new, path, message):
    assert old in sample_text
    changed = sample_text.replace(old, new, 1)
    file = write(changed)
    with pytest.raises(InvalidFile) as caught:
        load_document(file)
    matching = [problem for problem in caught.value.problems if problem.path == path]
    assert matching, caught.value.message
    assert any(message in problem.message for problem in matching), caught.value.message
    where = f"{file}:{matching[0].line}:{matching[0].column}: {path}: "
    assert where in caught.value.message
    # The line is the one that was changed, unless something is missing or two fields contradict each other.
    first_changed = next(
        (
            number
            for number, (before, after) in enumerate(
                zip(sample_text.splitlines(), changed.splitlines(), strict=False), 1
            )
            if before != after
        ),
        None,
    )
    contradicts = ("reportDeadline", "missing", "two accounts", "outvote", "neither", "fit into")
    if not any(word in f"{path} {matching[0].message}" for word in contradicts):
        assert matching[0].line in (first_changed, (first_changed or 0) + 1)


def test_all_problems_are_told_at_once_in_the_order_of_the_lines(sample_text, write):
    changed = sample_text
    for old, new in (
        ("name: shop-api-2027", "name: Shop"),
        ("windows: 12", "windws: 12"),
        ("op: gte", "op: ge"),
        ("metric: latency", "metric: latenzy"),  # needs the adapter, not only the shape
        ("tolerance: 200ms", "tolerance: 200"),
        ("cap: 100%", "cap: 100"),
    ):
        changed = changed.replace(old, new, 1)
    with pytest.raises(InvalidFile) as caught:
        load_document(write(changed))
    found = [problem.path for problem in caught.value.problems]
    assert found == [
        "metadata.name",
        "spec.term.windows",
        "spec.term.windws",
        "spec.levels[0].objective.op",
        "spec.levels[1].indicator.metric",
        "spec.credits.cap",
    ]
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(lines)
    assert "has 6 problems:" in caught.value.message


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "makegood", "3"])
def test_what_is_no_mapping_is_no_document(write, text):
    with pytest.raises(InvalidFile, match="expected a mapping"):
        load_document(write(text))


def test_no_sentence_names_an_implementation(sample_text, write):
    with pytest.raises(InvalidFile) as caught:
        load_document(
            write("apiVersion: 1\nkind: []\nmetadata: x\nspec: {parties: 3, levels: {}}\n")
        )
    assert not re.search(r"pydantic|Value error|dict|NoneType|ruamel", caught.value.message)


@pytest.mark.parametrize("seed", range(4))
def test_no_mistake_is_a_crash(sample_text, write, seed):
    # Lines removed, doubled, shifted and spoilt: the document is valid or its problems are named.
    chance = random.Random(seed)
    original = [line for line in sample_text.splitlines() if not line.strip().startswith("#")]
    spoilers = (
        "null", "true", "[]", "{}", "''", "-1", "1e400", '"\\ud800"', "*health", "&x", "!!int", "|", "%", "0x", "~",
        "? ", "<<: *health", "\t", "é", "9" * 300, "9007199254740991", "2027-01-01T00:00:00Z", "0.000001%",
    )  # fmt: skip
    for _ in range(60):
        lines = list(original)
        for _ in range(chance.randint(1, 3)):
            number = chance.randrange(len(lines))
            line = lines[number]
            spoilt = chance.randrange(len(line) + 1)
            lines[number] = chance.choice(
                [
                    "",
                    f"{line.split(':')[0]}: {chance.choice(spoilers)}",
                    f"{line}\n{chance.choice(original)}",
                    f"{line[:spoilt]}{chance.choice(spoilers)}{line[spoilt + 1 :]}",
                    " " * chance.randint(1, 3) + line,
                ]
            )
        with suppress(InvalidFile):
            load_document(write("\n".join(lines)))


def test_a_document_with_problems_is_not_hashed(sample_text, write, monkeypatch):
    """It may be made to be dear to hash; and nobody needs the hash of what cannot be signed."""
    hashed = []
    monkeypatch.setattr(
        "relayer.document.document.canonical", lambda content: hashed.append(content) or b""
    )
    load_document(write(sample_text))
    assert len(hashed) == 1
    with pytest.raises(InvalidFile, match="samples"):
        load_document(write(sample_text.replace("samples: 5", "samples: -5")))
    assert len(hashed) == 1
