"""What is taken from peers: bundles that reporters of known panels signed, about intervals that are over."""

from dataclasses import replace

import pytest

from relayer.exchange import wire
from relayer.exchange.verify import AHEAD, PeerFault, check
from relayer.protocol.readings import pack_readings
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.relayer.exchange.kit import (
    ADDRESSES,
    DOMAIN,
    FEEDS,
    NOW,
    PANEL,
    START,
    known,
    panels,
    said,
    shown,
    signed,
)

STRANGER = samples.feed(START, PANEL, descriptor=b"\xee" * 32)
OTHER_PANEL = samples.panel(3, parties=b"\x01" * 32)
OTHER_FEED = samples.feed(START, OTHER_PANEL)


def checked(bundle, some=None, now=NOW, **changes):
    return check(wire.read_bundle(shown(bundle, **changes)), some or panels(), now)


def fault(bundle, some=None, now=NOW, **changes):
    with pytest.raises(PeerFault) as caught:
        checked(bundle, some, now, **changes)
    return caught.value.kind


def ascending(*feeds):
    return sorted(feeds, key=lambda feed: feed.id)


def test_what_a_reporter_signed_is_taken():
    bundle = signed(1, said(3, [1, 2]))
    assert checked(bundle) == bundle


def test_feeds_that_we_do_not_know_may_be_among_them():
    bundle = signed(0, said(0, [1], ascending(*FEEDS, STRANGER)))
    assert checked(bundle) == bundle


def test_a_signature_is_for_every_byte():
    bundle = signed(0, said(0, [1]))
    first, *others = bundle.feeds
    for other in (
        replace(bundle, evidence=b"\x01" * 32),
        replace(bundle, feeds=(replace(first, readings=pack_readings([2])), *others)),
        replace(bundle, feeds=(replace(first, first=1), *others)),
        replace(bundle, feeds=tuple(others)),
        replace(bundle, signature=bytes(65)),
        replace(bundle, signature=bundle.signature[:64] + b"\x00"),
    ):
        assert fault(other) == "wrong_signer"


def test_a_signature_for_another_chain_or_oracle_is_none():
    for domain in (Domain(1, DOMAIN.contract), Domain(DOMAIN.chain_id, samples.wallet(8).address)):
        assert fault(signed(0, said(0, [1]), domain=domain)) == "wrong_signer"


def test_a_reporter_speaks_for_itself_only():
    bundle = signed(0, said(0, [1]))
    assert fault(replace(bundle, reporter=1)) == "wrong_signer"
    assert fault(bundle, address=ADDRESSES[1], reporter=1) == "wrong_signer"
    assert fault(bundle, reporter=2) == "wrong_signer"
    outsider = signed(0, said(0, [1]), wallet=samples.wallet(9))
    assert fault(outsider) == "wrong_signer"
    assert fault(outsider, address=samples.wallet(9).address) == "wrong_signer"


def test_an_index_beyond_the_panel_is_no_reporter():
    assert fault(signed(0, said(0, [1])), reporter=3) == "wrong_signer"


def test_another_chain_is_not_another_panel():
    bundle = signed(0, said(0, [1]))
    assert fault(bundle, chainId=1) == "wrong_chain"
    assert fault(bundle, chainId=1, panel="0x" + "00" * 32) == "wrong_chain"
    assert fault(bundle, panel="0x" + "00" * 32) == "unknown_panel"
    assert fault(bundle, oracle=samples.wallet(8).address) == "unknown_panel"


@pytest.mark.parametrize("order", [lambda feeds: feeds[::-1], lambda feeds: [feeds[0], feeds[0]]])
def test_feeds_ascend(order):
    assert fault(signed(0, said(0, [1], order(FEEDS)))) == "order"


def test_too_many_readings_of_a_feed_are_refused():
    some = panels(known(max_intervals=3))
    assert checked(signed(0, said(0, [1] * 3)), some)
    assert fault(signed(0, said(0, [1] * 4)), some) == "too_long"


def test_a_feed_of_another_panel_is_not_passed_on_as_one_of_this():
    """Else what is private in one panel were public in another."""
    some = panels(known(), known([OTHER_FEED], audience=frozenset(ADDRESSES)))
    bundle = signed(0, said(0, [1], ascending(FEEDS[0], OTHER_FEED)))
    assert fault(bundle, some) == "unknown_feed"
    assert checked(bundle) == bundle


def test_an_interval_that_is_not_over_has_no_reading():
    """Interval 9 is over after 600 s, and settled 30 s later."""
    bundle = signed(0, said(0, [1] * 10))
    settled = START + 630
    assert checked(bundle, now=settled - AHEAD) == bundle
    with pytest.raises(PeerFault) as caught:
        checked(bundle, now=settled - AHEAD - 1)
    assert (caught.value.kind, caught.value.ready_at) == ("future", settled - AHEAD)


def test_what_could_long_since_be_recorded_as_unknown_is_stale():
    one = known()
    bundle = signed(0, said(0, [1]))
    last = START + 60 + 2 * 7_200 + 86_400
    assert not one.is_stale(bundle, last)
    assert one.is_stale(bundle, last + 1)
    assert not one.is_stale(signed(0, said(0, [1], [STRANGER])), last + 10**9)
