"""Messages say what a server sent was, never what it said: it may be a credential, cut in the middle."""

from __future__ import annotations

import datetime as dt

import pytest

from oracles import GarbageAnswer
from oracles.described import described
from oracles.units import from_double, reported

SECRET = "sk-live-0123456789"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (-7, "-7"),
        (10**50, "a number beyond 64 bits"),
        ("", "a text of 0 characters"),
        ("x" * 72, "a text of 72 characters"),
        ([SECRET, 1], "a list of 2"),
        ({SECRET: SECRET}, "an object of 1 fields"),
        (dt.datetime.fromtimestamp(0, dt.UTC), "a value of the type datetime"),
        (SECRET.encode(), "a value of the type bytes"),
    ],
)
def test_of_a_value_its_type_and_length_are_said(value, said):
    assert described(value) == said


@pytest.mark.parametrize("value", [SECRET, SECRET * 9, [SECRET], {"v": SECRET}, SECRET.encode()])
def test_what_is_no_number_is_not_quoted(value):
    with pytest.raises(GarbageAnswer, match="is not a finite number") as caught:
        from_double(value)
    assert "sk-" not in str(caught.value)


def test_a_unit_is_named_if_it_is_one():
    assert reported("Percent") == "'Percent'"
    for unit in (SECRET, [SECRET], None, 5):
        assert "do not know" in reported(unit)
        assert "sk-" not in reported(unit)
