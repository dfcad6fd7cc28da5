"""Who reads: a signature counts for one request, to one reporter, at one time."""

import pytest

from relayer.exchange import access
from relayer.exchange.access import NotProven, authorization, reader
from tests.relayer.exchange.kit import ADDRESSES, NOW, OUTSIDER, PARTY

REQUEST = {"method": "GET", "target": "/v1/bundles?after=7", "server": ADDRESSES[0]}


def header(**changes):
    return authorization(PARTY, **(REQUEST | {"now": NOW} | changes))


def asks(text, **changes):
    return reader(text, **(REQUEST | {"now": NOW} | changes))


def test_who_signs_is_known():
    assert asks(header()) == PARTY.address


def test_who_says_nothing_is_nobody():
    assert asks(None) is None


@pytest.mark.parametrize("apart", [-access.TOLERANCE, access.TOLERANCE, 600, -600])
def test_clocks_may_be_wrong_by_a_quarter_of_an_hour(apart):
    assert asks(header(now=NOW + apart)) == PARTY.address


@pytest.mark.parametrize("apart", [-access.TOLERANCE - 1, access.TOLERANCE + 1])
def test_an_old_signature_is_refused_and_the_answer_says_both_times(apart):
    with pytest.raises(NotProven, match=str(NOW)) as caught:
        asks(header(now=NOW + apart))
    assert "clock" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"method": "HEAD"},
        {"target": "/v1/bundles?after=8"},
        {"target": "/v1/bundles"},
        {"server": ADDRESSES[1]},
    ],
)
def test_a_signature_for_another_request_is_refused(change):
    with pytest.raises(NotProven, match="not one of"):
        asks(header(**change))


def test_nobody_speaks_for_others():
    text = header().replace(PARTY.address, OUTSIDER.address)
    with pytest.raises(NotProven, match=OUTSIDER.address):
        asks(text)


def test_a_time_that_was_not_signed_is_refused():
    with pytest.raises(NotProven, match="not one of"):
        asks(header().replace(str(NOW), str(NOW + 1)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer abc",
        "Makegood",
        header()[:-3] + '"',
        header() + ", more",
        header().replace("Makegood", "makegood2"),
        header().replace(f'time="{NOW}"', 'time="١٢"'),
    ],
)
def test_a_header_that_cannot_be_read_says_how_it_is_written(text):
    with pytest.raises(NotProven, match="cannot be read") as caught:
        asks(text)
    assert "Makegood address=" in caught.value.hint
