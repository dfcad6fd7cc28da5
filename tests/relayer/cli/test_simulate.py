import json
import re
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from relayer.cli import past_readings
from tests.oracles.prometheus_server import prometheus
from tests.relayer.templates import agreements

JUNE = agreements.utc(2026, 6, 1)
MINUTES = 43_200
ROOT = Path(__file__).parents[3]
INSIDE = "sources: {prometheus: {allowed_networks: [127.0.0.1]}}\n"


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


def test_a_picture_overwrites_nothing_and_that_is_said_first(makegood, document, home):
    data = csv(home / "june.csv", june())
    before = data.read_bytes()
    ran = makegood("sla", "simulate", document, "--data", data, "--unit", "%", "--svg", data)
    assert ran.code == 3
    assert "june.csv is there already, and is not overwritten" in ran.err
    assert "--svg" in ran.err
    assert data.read_bytes() == before
    # Before anything is read: neither of these files is there.
    ran = makegood("sla", "simulate", document, "--data", "no.csv", "--svg", "nowhere/june.svg")
    assert ran.code == 3
    assert "there is no folder nowhere" in ran.err


def terminal(monkeypatch, **environment):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", **environment}.items():
        monkeypatch.setenv(name, value)


def calendar_of(makegood, document, home):
    data = csv(home / "june.csv", june([(60, 60), (150, 10)]))
    out = makegood("sla", "simulate", document, "--data", data, "--unit", "%").out
    [day] = [line for line in out.splitlines() if "Mon 01" in line]
    [legend] = [line for line in out.splitlines() if "some bad" in line]
    return day, legend


def test_a_square_is_shown_only_with_colours_and_so_in_the_legend(makegood, document, home, monkeypatch):  # fmt: skip
    terminal(monkeypatch)
    day, legend = calendar_of(makegood, document, home)
    signs = re.findall(r"\x1b\[([0-9;]+)m■", day)
    assert len({signs[0], signs[1], signs[2]}) == 3  # good, all bad, some bad
    assert re.findall(r"\x1b\[([0-9;]+)m■", legend) == [signs[0], signs[2], signs[1]]


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_every_look_has_a_character_of_its_own(makegood, document, home, monkeypatch, environment):  # fmt: skip
    terminal(monkeypatch, **environment)
    day, legend = (re.sub(r"\x1b\[[0-9;]*m", "", one) for one in calendar_of(makegood, document, home))  # fmt: skip
    assert day.startswith("Mon 01  . X x . ")
    assert legend.startswith(". good   x some bad   X all bad")


def test_on_a_terminal_columns_that_say_nothing_are_left_out(makegood, document, home, monkeypatch):
    terminal(monkeypatch, NO_COLOR="1")
    data = csv(home / "june.csv", june([(60, 60)]))
    command = ("sla", "simulate", document, "--data", data, "--unit", "%", "--no-calendar")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in makegood(*command).out.splitlines()]
    assert max(map(len, lines)) <= 80
    heads = [line.split() for line in lines if line.strip().startswith("window")]
    assert heads[0] == ["window", "from", "judged", "bad", "run", "available", "credit"]
    assert "owed" not in heads[1]
    assert any("2026-06-01 00:00Z" in line for line in lines)
    monkeypatch.undo()
    monkeypatch.chdir(home)
    assert makegood(*command).out.startswith("window\tfrom\tto\tlevel\t")


def test_a_part_of_a_window_is_told_with_what_is_still_held(makegood, document, home):
    data = csv(home / "june.csv", [100] * 1_999)
    ran = makegood("sla", "simulate", document, "--data", data, "--unit", "%")
    assert "still held\t1000.00 tokens: 41,201 intervals are not judged" in ran.out
    data = csv(home / "all.csv", june())
    assert "still held" not in makegood("sla", "simulate", document, "--data", data, "--unit", "%").out  # fmt: skip


def test_a_begin_after_the_last_reading_is_refused(makegood, document, home):
    data = csv(home / "june.csv", june())
    ran = makegood("sla", "simulate", document, "--data", data, "--unit", "%", "--as-of", "2027-01-01")  # fmt: skip
    assert ran.code == 3
    assert "june.csv ends 2026-06-30T23:59:00Z, before --as-of 2027-01-01T00:00:00Z" in ran.err


def test_a_reporter_is_no_question_to_a_file(makegood, document, home):
    data = csv(home / "june.csv", june())
    reporter = agreements.samples.reporter_wallets(1)[0].address
    ran = makegood("sla", "simulate", document, "--data", data, "--reporter", reporter)
    assert ran.code == 3
    assert "--reporter" in ran.err


def test_a_service_that_nobody_reaches_is_told_once_with_its_level(makegood, home):
    text = agreements.document_of("aws-ec2-region", home).path.read_text()
    begin, end = text.index("        dataSource:"), text.index("        metric: availability")
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (home / "makegood.yaml").write_text(INSIDE)
        source = {
            "type": "prometheus",
            "spec": {"url": url, "query": "up", "unit": "ratio", "statistic": "min"},
        }
        document = home / "up.yaml"
        document.write_text(f"{text[:begin]}        dataSource: {json.dumps(source)}\n{text[end:]}")
        ran = makegood("sla", "simulate", document, "--days", 1, "--quiet")
    assert ran.code == 3
    assert ran.err.count("error:") == 1
    assert "availability: prometheus: " in ran.err
    assert "makegood monitor test FILE" in ran.err
    assert len(ran.err.splitlines()) == 2


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
    assert "nothing can be excluded from availability: the level has no exclusions" in ran.err
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


def test_the_last_days_come_from_the_monitoring_service_itself(
    makegood, home, tmp_path, monkeypatch
):
    """A Prometheus that was down yesterday from 03:00 to 03:10, by its own time stamps."""
    now = time.time()
    monkeypatch.setattr(past_readings, "time", SimpleNamespace(time=lambda: now))  # no midnight
    today = int(now) // 86_400 * 86_400
    yesterday = today - 86_400
    night = range(yesterday + 3 * 3_600, yesterday + 3 * 3_600 + 600)
    lines = [f"up {0 if at in night else 1} {at}" for at in range(yesterday, today, 60)]
    lines.insert(0, "# TYPE up gauge")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with prometheus(folder, "\n".join(lines) + "\n") as url:
        (home / "makegood.yaml").write_text(INSIDE)
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
