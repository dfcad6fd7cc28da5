import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.oracles.prometheus_server import prometheus
from tests.relayer.templates import agreements

JUNE = agreements.utc(2026, 6, 1)
MINUTES = 43_200
ROOT = Path(__file__).parents[3]


@pytest.fixture
def document(home):
    return agreements.document_of("aws-ec2-region", home).path


def csv(path, codes, start=JUNE, interval=60):
    def line(number, code):
        return (
            f"{datetime.fromtimestamp(start + number * interval, UTC):%Y-%m-%dT%H:%M:%SZ},{code}\n"
        )

    path.write_text("time,value\n" + "".join(line(*one) for one in enumerate(codes)))
    return path


def june(down=()):
    codes = [100] * MINUTES
    for first, count in down:
        codes[first : first + count] = [0] * count
    return codes


def test_a_past_month_is_taken_as_if_the_agreement_had_begun_with_it(makegood, document, home):
    data = csv(home / "june.csv", june([(10_000, 50), (30_000, 500)]))
    ran = makegood("sla", "simulate", document, "--data", data, "--unit", "%", "--json")
    assert ran.code == 0, ran.err
    found = ran.json
    assert (
        "as if the agreement had begun on 2026-06-01T00:00:00Z instead of 2027-01-01T00:00:00Z"
        in ran.err
    )
    assert (found["start"], found["moved"]) == ("2026-06-01T00:00:00Z", True)
    [window] = found["windows"]
    assert (window["creditBps"], window["toConsumer"], window["toProvider"]) == (
        3_000,
        "300.00",
        "700.00",
    )
    # 99.99 % allows 4 minutes, 99 % 432: the fifth bad one, and the 433rd.
    assert [(p["interval"], p["certainAt"], p["amount"]) for p in window["payments"]] == [
        ("2026-06-07T22:44:00Z", "2026-06-07T23:00:00Z", "100.00"),
        ("2026-06-22T02:22:00Z", "2026-06-22T02:38:00Z", "200.00"),
    ]
    assert window["levels"][0]["bad"] == 550


def test_readings_of_the_agreement_s_own_time_move_nothing(makegood, document, home):
    start = agreements.utc(2027, 2, 1)
    data = csv(home / "feb.csv", [100] * 10, start)
    found = makegood("sla", "simulate", document, "--data", data, "--unit", "%", "--json").json
    assert not found["moved"]
    assert [window["window"] for window in found["windows"]] == [0, 1]
    assert found["windows"][1]["levels"][0]["judged"] == 10


def test_in_a_terminal_or_when_asked_there_is_a_calendar(makegood, document, home):
    data = csv(home / "june.csv", june([(60, 60)]))
    plain = makegood("sla", "simulate", document, "--data", data, "--unit", "%")
    assert "Mon 01" not in plain.out
    ran = makegood("sla", "simulate", document, "--data", data, "--unit", "%", "--calendar", "--currency", "USDC")  # fmt: skip
    [day] = [line for line in ran.out.splitlines() if line.startswith("Mon 01")]
    assert day == "Mon 01  . X " + ". " * 22 + " 60 bad  100.00 USDC"
    assert "to the consumer\t100.00 USDC" in ran.out


def test_the_picture_goes_into_a_file(makegood, document, home):
    data = csv(home / "june.csv", june([(60, 60)]))
    ran = makegood("sla", "simulate", document, "--data", data, "--unit", "%", "--svg", "june.svg")
    assert ran.code == 0
    assert (home / "june.svg").read_text().startswith("<svg ")


def test_several_files_are_several_reporters(makegood, home):
    others = [agreements.samples.wallet(30).address, agreements.samples.wallet(31).address]
    first = agreements.samples.reporter_wallets(1)[0].address
    document = agreements.document_of("aws-ec2-region", home, reporters=[first, *others]).path
    files = [
        csv(home / f"{number}.csv", june([(0, 5)] if down else []))
        for number, down in enumerate((True, False, False))
    ]
    given = [word for file in files for word in ("--data", file)]
    found = makegood("sla", "simulate", document, *given, "--unit", "%", "--json").json
    assert found["windows"][0]["levels"][0]["bad"] == 0
    given = [word for file in (files[0], files[0], files[1]) for word in ("--data", file)]
    found = makegood("sla", "simulate", document, *given, "--unit", "%", "--json").json
    assert found["windows"][0]["levels"][0]["bad"] == 5


def test_levels_are_named_and_one_may_be_perfect(makegood, home):
    sample = ROOT / "samples" / "three-reporters.yaml"
    names = [level.name for level in agreements.load_document(sample, adapters=False).levels]
    data = csv(home / "some.csv", ["0%"[:1]] * 30, agreements.utc(2027, 1, 1))
    ran = makegood("sla", "simulate", sample, "--data", f"{names[0]}={data}")
    assert ran.code == 3
    assert f"no readings of {' and '.join(names[1:])} were given" in ran.err
    rest = [word for name in names[1:] for word in ("--data", f"{name}=good")]
    ran = makegood("sla", "simulate", sample, "--data", f"{names[0]}={data}", *rest, "--json")
    assert ran.code == 0, ran.err
    levels = ran.json["windows"][0]["levels"]
    assert levels[0]["judged"] > 0
    assert all(level["bad"] == 0 and level["judged"] > 0 for level in levels[1:])


def test_exclusions_are_taken_out_where_they_are_agreed(makegood, document, home):
    data = csv(home / "june.csv", june([(0, 60)]))
    span = "2026-06-01T00:00Z/2026-06-01T01:00Z"
    command = ("sla", "simulate", document, "--data", data, "--unit", "%", "--exclude", span)
    ran = makegood(*command)
    assert ran.code == 3
    assert "has no exclusions" in ran.err
    text = document.read_text()
    more = "interval: 60s\n      exclusions: {allowance: 4h, notice: 24h}"
    document.write_text(text.replace("interval: 60s", more))
    found = makegood(*command, "--json").json
    assert (
        found["windows"][0]["levels"][0] | {"planned": 43_140, "bad": 0}
        == found["windows"][0]["levels"][0]
    )
    assert found["toConsumer"] == "0.00"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name the readings in one way"),
        (("--data", "x.csv", "--months", "1"), "name the readings in one way"),
        (("--data", "x.csv"), "cannot read x.csv"),
        (("--data", "speed=x.csv"), 'there is no level "speed"'),
        (("--data", "availability=good"), "no time to simulate"),
    ],
)
def test_what_does_not_fit_is_refused(makegood, document, options, said):
    ran = makegood("sla", "simulate", document, *options)
    assert ran.code == 3
    assert said in ran.err


def test_the_last_days_come_from_the_monitoring_service_itself(makegood, home, tmp_path):
    """A Prometheus that was down yesterday from 03:00 to 03:10, by its own time stamps."""
    today = int(time.time()) // 86_400 * 86_400
    yesterday = today - 86_400
    night = range(yesterday + 3 * 3_600, yesterday + 3 * 3_600 + 600)
    lines = [f"up {0 if at in night else 1} {at}" for at in range(yesterday, today, 60)]
    lines.insert(0, "# TYPE up gauge")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with prometheus(folder, "\n".join(lines) + "\n") as url:
        text = agreements.document_of("aws-ec2-region", home).path.read_text()
        begin, end = text.index("        dataSource:"), text.index("        metric: availability")
        source = {
            "type": "prometheus",
            "spec": {"url": url, "query": "up", "unit": "ratio", "statistic": "min"},
        }
        document = home / "up.yaml"
        document.write_text(f"{text[:begin]}        dataSource: {json.dumps(source)}\n{text[end:]}")
        ran = makegood("sla", "simulate", document, "--days", 1, "--json")
    assert ran.code == 0, ran.err
    [window] = ran.json["windows"][:1]
    level = window["levels"][0]
    assert level["bad"] == 10
    # As if the agreement had begun yesterday: of the minutes until the month's end 0.01 % are free.
    free = level["planned"] // 10_000
    decided = yesterday + 3 * 3_600 + (free + 1) * 60 + 900
    assert (
        window["payments"][0]["certainAt"]
        == f"{datetime.fromtimestamp(decided, UTC):%Y-%m-%dT%H:%M:%SZ}"
    )


def test_a_month_of_minutes_takes_less_than_two_seconds(home, document):
    """The whole process, as a person waits for it; the best of a few runs, since the machine has other work."""
    data = csv(home / "may.csv", june() + [100] * 1_440, agreements.utc(2026, 5, 1))
    command = [
        sys.executable,
        "-m",
        "relayer.cli",
        "sla",
        "simulate",
        str(document),
        "--data",
        str(data),
        "--unit",
        "%",
    ]
    taken = []
    for _ in range(6):
        begun = os.times()
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        ended = os.times()
        taken.append(
            ended.children_user
            - begun.children_user
            + ended.children_system
            - begun.children_system
        )
        if min(taken) < 2:
            return
    pytest.fail(f"{min(taken):.2f} s")
