import pytest

from oracles.units import COUNT, MS, PPM
from relayer.document import quantities as q


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("5m", 300), ("1h", 3_600), ("30d", 2_592_000)]
)
def test_durations(text, seconds):
    assert q.duration(text) == seconds
    assert q.duration(q.show_duration(seconds)) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", 5, "5 m", "1.5h", "-1s", "1h30m", "1H", "\u0665m", "1w", None, True]
)
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="30d"):
        q.duration(text)


def test_shares_are_exact():
    assert q.credit("12.34%") == 1_234
    assert q.ppm("99.9999%") == 999_999
    assert q.ppm("99.99990000%") == 999_999
    assert q.show_share(999_995, 1_000_000) == "99.9995%"
    assert q.show_share(10_000, 10_000) == "100%"
    for parts in range(0, 10_001, 7):
        assert q.credit(q.show_share(parts, 10_000)) == parts


@pytest.mark.parametrize("value", ["12.345%", "655.36%", "5", 5, "-1%", "%", "1e1%", ".5%"])
def test_what_is_no_share_in_basis_points(value):
    with pytest.raises(ValueError, match=r"percent|at most 655.35%"):
        q.credit(value)


@pytest.mark.parametrize(
    ("value", "unit", "steps"),
    [
        ("99.9%", PPM, 999_000),
        ("99.9 %", PPM, 999_000),
        ("5ppm", PPM, 5),
        (0, PPM, 0),
        ("0", MS, 0),
        ("250ms", MS, 250),
        ("1.5s", MS, 1_500),
        (7, COUNT, 7),
        ("7", COUNT, 7),
    ],
)
def test_quantities_in_a_unit(value, unit, steps):
    assert q.in_unit(value, unit) == steps


@pytest.mark.parametrize(
    ("value", "unit"),
    [(99, PPM), ("99", PPM), (250, MS), ("0.5ms", MS), ("1h", MS), ("5%", MS), (True, COUNT), ("1.5", COUNT), ("٩%", PPM), ("", PPM)],
)  # fmt: skip
def test_what_is_no_quantity_in_a_unit(value, unit):
    with pytest.raises(ValueError, match=r"write|whole"):
        q.in_unit(value, unit)


def test_times():
    assert q.time("2027-01-01T00:00:00Z") == 1798761600
    assert q.show_time(1798761600) == "2027-01-01T00:00:00Z"
    for wrong in (
        "2027-01-01T00:00:00",
        "2027-01-01T00:00:60Z",
        "2027-13-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        0,
        None,
    ):
        with pytest.raises(ValueError, match=r"time|1970"):
            q.time(wrong)


def test_addresses():
    address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    assert q.address(address.lower()) == address
    assert q.address("0x" + address[2:].upper()) == address
    for wrong in (
        address[:-1],
        address[:-1] + "9",
        "0X" + address[2:],
        "0x" + "0" * 40,
        int(address, 16),
        None,
    ):
        with pytest.raises(ValueError, match="address"):
            q.address(wrong)
