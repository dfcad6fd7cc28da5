"""A bundle as JSON: what is read is what was written, and nothing else is read."""

import json

import pytest

from relayer.exchange import wire
from tests.relayer.exchange.kit import FEEDS, said, shown, signed

GOOD = shown(signed(0, said(0, [1, 2])), id=7)


def changed(**changes):
    return GOOD | changes


def with_feed(*feed):
    return GOOD | {"feeds": [list(feed)]}


FEED = "0x" + "11" * 32


def test_what_is_read_is_what_was_signed():
    bundle = signed(0, said(5, [1, 0xFFFF_FFFF]))
    read = wire.read_bundle(json.loads(json.dumps(shown(bundle, id=7))))
    assert read.signed() == bundle
    assert read.id == 7


def test_fields_of_later_versions_are_left_out():
    assert wire.read_bundle(changed(colour="red")).id == 7


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "bundle",
        {},
        changed(id=0),
        changed(id="7"),
        changed(id=1 << 63),
        changed(id=7.5),
        changed(id=True),
        changed(oracle="0x12"),
        changed(chainId="31337"),
        changed(panel=GOOD["panel"][:-2]),
        changed(panel=GOOD["panel"].upper()),
        changed(panel=GOOD["panel"] + "\n"),
        changed(reporter=-1),
        changed(reporter=31),
        changed(address=None),
        changed(evidence="0x"),
        changed(signature=GOOD["signature"] + "00"),
        changed(feeds=[]),
        changed(feeds={}),
        changed(feeds=[GOOD["feeds"][0][:2]]),
        with_feed(FEED, "0", "0x00000001"),
        with_feed(FEED, True, "0x00000001"),
        with_feed(FEED, -1, "0x00000001"),
        with_feed(FEED, 1 << 32, "0x"),
        with_feed(FEED, (1 << 32) - 1, "0x" + "00000001" * 2),
        with_feed(FEED, 0, "0x000001"),
        with_feed(FEED, 0, "00000001"),
        with_feed(FEED, 0, "0x0000000G"),
        with_feed(FEED, 0, "0x" + "00000001" * (wire.MAX_READINGS + 1)),
        with_feed(FEED[:-2], 0, "0x00000001"),
    ],
)
def test_what_is_no_bundle_is_refused_with_a_short_message(value):
    with pytest.raises(ValueError, match=r"\S") as caught:
        wire.read_bundle(value)
    assert type(caught.value) is ValueError
    assert len(str(caught.value)) <= 200


def test_a_bundle_of_too_many_feeds_is_refused():
    feeds = [[f"0x{i:064x}", 0, "0x"] for i in range(wire.MAX_FEEDS + 1)]
    assert len(wire.read_bundle(changed(feeds=feeds[1:])).feeds) == wire.MAX_FEEDS
    with pytest.raises(ValueError, match="feeds"):
        wire.read_bundle(changed(feeds=feeds))


def test_the_last_interval_there_is_can_be_read():
    feed = wire.read_bundle(with_feed(FEED, (1 << 32) - 1, "0x00000001")).feeds[0]
    assert feed.first == (1 << 32) - 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>no</html>",
        b"[]",
        b"{}",
        b'{"bundles": [], "next": -1}',
        b'{"bundles": [], "next": 1.5}',
        b'{"bundles": [], "next": "1"}',
        b'{"bundles": {}, "next": 1}',
        b'{"bundles": [], "next": NaN}',
        b'{"bundles": [], "next": ' + b"9" * 10_000 + b"}",
        b'{"bundles": [' + b"1," * 2_000 + b'1], "next": 1}',
        b"[" * 100_000,
        b'{"bundles": [], "next": 1, "x": "\xff"}',
    ],
)
def test_what_is_no_page_is_refused(body):
    with pytest.raises(ValueError, match=r"\S") as caught:
        wire.read_page(body)
    assert type(caught.value) is ValueError
    assert len(str(caught.value)) <= 200


def test_a_page_of_empty_lists_is_refused_before_it_takes_memory(monkeypatch):
    monkeypatch.setattr(wire, "from_json", None)
    with pytest.raises(ValueError, match="no list of bundles"):
        wire.read_page(b'{"next": 1, "bundles": [' + b"[]," * 1_000_000 + b"[]]}")


def test_the_densest_page_there_is_can_be_read():
    feeds = [[feed.id.hex() and "0x" + feed.id.hex(), 0, "0x"] for feed in FEEDS] * 1_000
    body = json.dumps({"bundles": [changed(feeds=feeds)], "next": 7}, separators=(",", ":"))
    assert len(wire.read_page(body.encode()).bundles) == 1
