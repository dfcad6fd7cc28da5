from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest

from oracles import (
    NO_DATA,
    NOT_APPLICABLE,
    BadRequest,
    GarbageAnswer,
    Interval,
    Reading,
    Unavailable,
    Value,
)
from oracles.replay import Replay, load
from tests.oracles.contract import Bench, Clock, Contract

FIRST = 1_767_225_600  # 2026-01-01T00:00:00Z
LENGTH = 60
INTERVAL = Interval(FIRST, FIRST + LENGTH)


@pytest.fixture
def write(tmp_path):
    def write(text, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def read(write):
    """What is read of the first minute of a file of (seconds after FIRST, text)."""

    def read(*points, metric="throughput", **changes):
        path = write("".join(f"{FIRST + at},{said}\n" for at, said in points))
        query = ask(path, metric, **changes)
        [answer] = Replay({"files": [path]}, clock=Clock(FIRST + 3600)).read([query], INTERVAL)
        return answer.answer if isinstance(answer, Reading) else answer

    return read


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ask(path, metric="throughput", *, first=FIRST, length=LENGTH, **changes):
    spec = {"sha256": sha256(path), "unit": "count", "step": 15, **changes}
    return Replay.query(spec, metric, first=first, length=length)


def minute(*said):
    return [(15 * place, one) for place, one in enumerate(said)]


class TestContract(Contract):
    @pytest.fixture
    def bench(self, write):
        clock = Clock(FIRST + 10_000)
        files = {
            name: write("".join(f"{FIRST + at},{said}\n" for at, said in points), f"{name}.csv")
            for name, points in {
                "value": minute(1, 1, 0.5, 1),
                "other": minute(0, 0, 0, 0),
                "empty": minute("no data", 1, 1, 1),
                "garbage": minute(1, 1, 2, 2),
                "border": [(60, 1)],
                "failing": minute(1, 1, 1, 1),
            }.items()
        }

        def query(name):
            return ask(files[name], "availability", unit="ratio", min_points=None)

        failing = query("failing")
        options = {"files": list(files.values())}
        bench = Bench(
            make=lambda: Replay(options, clock=clock),
            clock=clock,
            interval=INTERVAL,
            value=query("value"),
            value_amount=Fraction(875_000),
            other=query("other"),
            other_amount=Fraction(0),
            empty=query("empty"),
            garbage=query("garbage"),
            failing=query("garbage"),
            spec={"sha256": sha256(files["value"]), "unit": "ratio"},
            border=ask(files["border"], "availability", unit="ratio", min_points=1),
        )
        files["failing"].write_text("tampered")
        bench.changed = failing
        return bench

    def test_a_file_that_differs_is_refused(self, bench):
        with pytest.raises(BadRequest, match=r"no file has the SHA-256 .* that was agreed") as said:
            bench.service.read_one(bench.changed, INTERVAL)
        assert "failing.csv has " in str(said.value)


class TestAnswers:
    def test_no_data_is_a_missing_point(self, read):
        assert read(*minute(1, "no data", 3, 4)) is NO_DATA
        assert read(*minute(1, "no data", 3, 5), min_points=3) == Value(Fraction(3))
        assert read(*minute(1, 3, 5)) is NO_DATA

    def test_not_applicable_is_not_missing(self, read):
        assert read(*minute(*["not applicable"] * 4)) is NOT_APPLICABLE
        assert read(*minute("not applicable", 3, 4, 5)) == Value(Fraction(4))
        assert read(*minute("not applicable", "no data", 4, 5)) is NO_DATA
        assert read(*minute("not applicable", "not applicable")) is NO_DATA
        assert read(*minute("not applicable", "not applicable", "no data", "no data")) is NO_DATA

    def test_values_keep_fifteen_digits(self, read):
        assert read(*minute("0.1", "0.2", "0.3", "99.8")) == Value(Fraction("25.1"))
        assert read(*minute("1e3", "1E3", "1000", "1000.0")) == Value(Fraction(1000))

    def test_a_point_belongs_to_an_interval_to_the_millisecond(self, read):
        points = [(-0.001, 99), (0, 1), (15, 1), (30, 1), (59.999, 1), (60, 99)]
        assert read(*points, statistic="sum") == Value(Fraction(4))

    def test_a_counter_that_was_reset_has_grown_from_zero(self, read):
        assert read(*minute(90, 100, 5, 12), statistic="increase") == Value(Fraction(22))

    def test_a_file_is_hashed_and_parsed_once(self, write):
        path = write("".join(f"{FIRST + at},1\n" for at in range(0, 600, 15)))
        query = ask(path)
        service = Replay({"files": [path]})
        first = service.read_one(query, query.interval(0))
        path.unlink()
        assert service.read_one(query, query.interval(1)).answer == first.answer
        with pytest.raises(BadRequest, match="cannot read"):
            service.read_one(ask(write("0,1\n", "other.csv"), min_points=1), INTERVAL)

    def test_one_file_that_is_gone_spoils_no_other(self, write):
        gone, there = (
            write("1,1\n", "gone.csv"),
            write("".join(f"{FIRST + at},{1}\n" for at in range(0, 60, 15))),
        )
        service, query = Replay({"files": [gone, there]}), ask(there)
        gone.unlink()
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(1))

    def test_tampered_evidence_is_garbage(self, read, write):
        path = write("".join(f"{FIRST + at},1\n" for at in range(0, 60, 15)))
        query = ask(path)
        evidence = Replay({"files": [path]}).read_one(query, INTERVAL).evidence
        said = json.loads(evidence)
        for points in (None, {}, [[1]], [["0", 1]], [[FIRST * 1000, "sometimes"]], [[True, 1]]):
            with pytest.raises(GarbageAnswer):
                Replay.conclude(query, INTERVAL, {**said["answer"], "points": points})


class TestFile:
    def test_times_are_unix_seconds_or_rfc_3339(self, write):
        path = write(
            "1767225600,1\n1767225601.5,2\n2026-01-01T00:00:02Z,3\n"
            "2026-01-01T01:00:03.250+01:00,4\n2025-12-31 19:00:04-05:00,5\n"
        )
        samples = load(path)
        assert [at - FIRST * 1000 for at in samples.times] == [0, 1500, 2000, 3250, 4000]
        assert list(samples.between(FIRST + 1, FIRST + 3)) == [
            (FIRST * 1000 + 1500, 2.0),
            (FIRST * 1000 + 2000, 3.0),
        ]
        assert samples.sha256 == sha256(path)
        assert len(samples) == 5

    def test_a_header_quotes_blanks_and_empty_lines_do_no_harm(self, write):
        text = 'time,"value, in %"\r\n\r\n"5",1 \r\n6,no data\r\n7,not applicable\r\n'
        samples = load(write(text))
        assert list(samples.between(0, 100)) == [
            (5000, 1.0),
            (6000, NO_DATA),
            (7000, NOT_APPLICABLE),
        ]

    def test_a_byte_order_mark_is_no_part_of_the_first_time(self, write):
        assert list(load(write("\ufeff5,1\n")).times) == [5000]

    def test_an_empty_file_has_no_points(self, write):
        assert len(load(write(""))) == len(load(write("time,value\n"))) == 0

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("5,1\n5,2\n", "line 2: 5 does not come after"),
            ("5,1\n4,2\n", "line 2: 4 does not come after"),
            ("5,1\n6\n", "line 2: 1 columns"),
            ("5;1\n", "line 1: 1 columns"),
            ("5,1,2\n", "line 1: 3 columns"),
            ("5,1\ntime,value\n", "line 2: 'time' is no time"),
            ("5,1\n6,\n", "line 2: '' is no number; without one write 'no data'"),
            ("5,nan\n", "line 1: 'nan' is no number"),
            ("5,inf\n", "line 1: 'inf' is no number"),
            ("5,1e999\n", "line 1: '1e999' is no number"),
            ("5,1_000\n", "line 1: '1_000' is no number"),
            ('5,"1,5"\n', "line 1: '1,5' is no number"),
            ("5,down\n", "line 1: 'down' is no number"),
            ("-5,1\n", "line 1: '-5' is no time"),
            ("1767225600000,1\n", "after the year 9999: not in seconds"),
            ("1969-12-31T00:00:00Z,1\n", "before 1970"),
            ("01.02.2026 00:00,1\n", "line 1: '01.02.2026 00:00' is no time"),
            ("2026-01-01T00:00:00,1\n", "line 1: 2026-01-01 00:00:00 has no zone"),
            (b"5,1\n6,\xff\n", "line 2: not UTF-8"),
            ('5,"1\n', "line 1"),
            ("5,1\n6,\x00\n", "line 2"),
        ],
    )
    def test_a_line_that_means_nothing_is_named(self, write, text, complaint):
        path = write(text)
        with pytest.raises(BadRequest) as caught:
            load(path)
        assert complaint in str(caught.value)
        assert str(path) in str(caught.value)

    def test_a_file_that_cannot_be_read_is_unavailable(self, tmp_path):
        with pytest.raises(Unavailable, match="No such file"):
            load(tmp_path / "nowhere.csv")

    def test_a_file_has_a_largest_size(self, write, monkeypatch):
        monkeypatch.setattr("oracles.replay.LARGEST_FILE", 3)
        assert len(load(write("5,1"))) == 1
        with pytest.raises(BadRequest, match="larger than 3 bytes"):
            load(write("5,10"))


class TestTimeZone:
    def test_local_times_are_placed(self, write):
        path = write("2026-01-01T01:00:00,1\n2026-07-01T02:00:00,2\n")
        samples = load(path, "Europe/Berlin")
        assert list(samples.times) == [FIRST * 1000, 1_782_864_000_000]

    def test_the_day_of_23_hours_has_no_half_past_two(self, write):
        path = write("2026-03-29T01:59:59,1\n2026-03-29T03:00:00,2\n")
        before, after = load(path, "Europe/Berlin").times
        assert after - before == 1000
        path = write("time,value\n2026-03-29T01:59:59,1\n2026-03-29T02:30:00,2\n")
        with pytest.raises(BadRequest, match=r"line 3: .*02:30:00 does not exist in Europe/Berlin"):
            load(path, "Europe/Berlin")

    def test_the_day_of_25_hours_has_half_past_two_twice(self, write):
        path = write("2026-10-25T01:59:59,1\n2026-10-25T03:00:00,2\n")
        before, after = load(path, "Europe/Berlin").times
        assert after - before == 7_201_000
        with pytest.raises(BadRequest, match=r"line 1: .*02:30:00 comes twice in Europe/Berlin"):
            load(write("2026-10-25T02:30:00,1\n"), "Europe/Berlin")
        both = write("2026-10-25T02:30:00+02:00,1\n2026-10-25T02:30:00+01:00,2\n")
        first, second = load(both, "Europe/Berlin").times
        assert second - first == 3_600_000

    def test_it_is_agreed_on_and_changes_what_is_read(self, write):
        path = write("2026-01-01T00:00:00,7\n")
        service = Replay({"files": [path]})
        query = ask(path, step=60, time_zone="UTC")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(7))
        query = ask(path, step=60, time_zone="Europe/Berlin", first=FIRST - 3600)
        assert service.read_one(query, query.interval(0)).answer == Value(Fraction(7))
        assert service.read_one(query, query.interval(60)).answer is NO_DATA

    def test_it_is_that_of_the_package_and_not_of_the_machine(self, write, tmp_path):
        """All reporters have to read the same, whatever their machines were told."""
        wrong = tmp_path / "zoneinfo" / "Europe" / "Berlin"
        wrong.parent.mkdir(parents=True)
        wrong.write_bytes(resources.files("tzdata.zoneinfo.Asia").joinpath("Tokyo").read_bytes())
        path = write("2026-01-01T01:00:00,1\n")
        script = f"""
import pathlib, zoneinfo
from datetime import datetime
from oracles.replay import load
shift = datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).utcoffset()
print(shift, *load(pathlib.Path({str(path)!r}), "Europe/Berlin").times)
"""
        ran = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONTZPATH": str(tmp_path / "zoneinfo")},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
        )
        assert ran.stdout.split() == ["9:00:00", str(FIRST * 1000)]

    @pytest.mark.parametrize("zone", ["Middle/Earth", "../../etc/passwd", "", "Europe", "zone.tab"])
    def test_an_unknown_one_is_refused(self, write, zone):
        with pytest.raises(BadRequest, match="no time zone of the IANA database"):
            ask(write(""), time_zone=zone)


class TestSpecification:
    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"sha256": "abc"}, "sha256"),
            ({"step": 45}, "no multiple"),
            ({"unit": "s"}, "not a unit of count"),
            ({"statistic": "median"}, "allowed: mean"),
        ],
    )
    def test_what_cannot_work_is_refused(self, write, changes, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(write(""), **changes)

    def test_an_options_file_must_exist(self, tmp_path):
        with pytest.raises(BadRequest, match="files"):
            Replay({"files": [str(tmp_path / "nowhere.csv")]})


def test_a_year_of_minutes_is_read_quickly(write):
    """Parsed once and searched, not scanned: a simulation asks for every interval of it."""
    lines = (f"{FIRST + 60 * n},{n % 100}\n" for n in range(525_600))
    path = write("".join(lines))
    query = ask(path, length=86_400, step=60)
    service = Replay({"files": [path]})
    began = time.monotonic()
    service.read_one(query, query.interval(0))
    loaded = time.monotonic() - began
    samples = service._samples(query.spec)
    began = time.monotonic()
    for n in range(10_000):
        assert len(list(samples.between(FIRST + 60 * n, FIRST + 60 * n + 60))) == 1
    assert time.monotonic() - began < 5
    assert loaded < 20


def test_the_sample_file_is_the_one_that_the_sample_names():
    samples = Path(__file__).parents[2] / "samples"
    assert sha256(samples / "replay.csv") in (samples / "replay.yaml").read_text()
