"""Reporters that pull from each other: what one signs, the others have."""

import time

import pytest
from sqlalchemy import text

from relayer.errors import ChainUnavailable
from relayer.exchange import intake, peers
from relayer.operations import metrics
from tests import samples
from tests.relayer.exchange.kit import (
    ADDRESSES,
    FEEDS,
    NOW,
    PARTY,
    START,
    WALLETS,
    Clock,
    answering,
    faults,
    known,
    page,
    panels,
    said,
    scripted,
    shown,
    signed,
    stored,
)


@pytest.fixture
def pair(member):
    """A reporter that is asked, and one that asks."""
    zero = member(0).serve()
    return zero, member(1).listen({0: zero.url})


def eventually(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_one_signs_the_other_stores_and_is_told(pair):
    zero, one = pair
    bundles = [zero.say(i, [i]) for i in range(3)]
    assert one.visit(0) == 0
    assert one.inbox() == bundles
    assert [b.signed for b in one.store.bundles.after(0, limit=9, reader=None)] == bundles
    assert one.firing() == set()


def test_nothing_comes_twice(pair):
    zero, one = pair
    zero.say(0, [0])
    one.visit(0)
    zero.say(0, [0, 1])
    one.visit(0)
    one.visit(0)
    assert len(one.inbox()) == 2


def test_what_is_told_carries_the_number_under_which_it_is_stored(pair):
    zero, one = pair
    zero.say(0, [0])
    one.visit(0)
    told = one.peers.inbox.get()
    assert [told] == one.store.bundles.after(0, limit=9, reader=None)
    assert told.signed_at == NOW


def test_three_reporters_have_what_each_of_them_signed(member):
    members = [member(i).serve() for i in range(3)]
    for one in members:
        one.listen({other.index: other.url for other in members if other is not one})
        one.peers.start()
    for one in members:
        one.say(0, [one.index])
    for one in members:
        others = {other.index for other in members if other is not one}
        heard = set()

        def complete(one=one, heard=heard, others=others):
            heard.update(bundle.reporter for bundle in one.inbox())
            return heard == others

        eventually(complete)
    assert [one.firing() for one in members] == [set()] * 3


def test_a_poke_does_not_wait_for_the_next_visit(pair):
    zero, _ = pair
    one = pair[1].listen({0: zero.url}, pull_seconds=3_600)
    one.peers.start()
    eventually(lambda: metrics.PEER_TIME.labels(zero.address)._value.get() == NOW)
    zero.say(0, [0])
    found = []

    def arrived():
        one.peers.poke()
        found.extend(one.inbox())
        return found

    eventually(arrived)


def test_a_restart_goes_on_where_it_was(member, monkeypatch):
    monkeypatch.setattr(peers, "_REREAD", 0)
    asked = []

    def respond(connection, request):
        asked.append(request.split()[1])
        script(connection, request)

    script = answering(0, page(shown(signed(0, said(0, [0])), id=1_000)), page(upto=1_000))
    with scripted(respond) as url:
        one = member(1).listen({0: url})
        one.visit(0)
        asked.clear()
        one.listen({0: url}).visit(0)
    assert any(path.startswith(b"/v1/bundles?after=1000&") for path in asked)


def test_a_restart_reads_a_little_again_but_tells_nothing_twice(pair):
    """What was set aside for later, or belonged to a panel that was not known then."""
    zero, one = pair
    zero.say(0, [0])
    one.panels.clear()
    other = known([samples.feed(START, samples.panel(3, parties=b"\x01" * 32))])
    one.panels[other.key] = other
    one.visit(0)
    assert one.inbox() == []
    one.panels.update(panels())
    one.visit(0)
    assert one.inbox() == []
    one.listen({0: zero.url}).visit(0)
    assert len(one.inbox()) == 1
    one.listen({0: zero.url}).visit(0)
    assert one.inbox() == []


def test_a_peer_with_another_database_is_read_from_the_start(member):
    zero = member(0).serve()
    one = member(1).listen({0: zero.url})
    zero.say(0, [0])
    one.visit(0)
    with zero.store.writing() as db:
        db.execute(text("UPDATE bundles SET id = 5"))
        db.execute(text("UPDATE bundle_feeds SET bundle = 5"))
        db.execute(text("UPDATE sqlite_sequence SET seq = 5"))
    fresh = zero.say(0, [0, 1])
    one.inbox()
    one.visit(0)
    one.visit(0)
    assert one.inbox() == [fresh]
    assert one.firing() == set()


# Private feeds


def private_panels():
    return panels(known(audience=frozenset([PARTY.address, *ADDRESSES])))


def test_reporters_read_each_others_private_bundles(member):
    zero = member(0, some_panels=private_panels()).serve()
    one = member(1, some_panels=private_panels()).listen({0: zero.url})
    zero.store.bundles.save(
        stored(signed(0, said(0, [0])), audience=frozenset([PARTY.address, *ADDRESSES]))
    )
    assert one.visit(0) == 0
    assert len(one.inbox()) == 1
    assert one.store.bundles.after(0, limit=1, reader=None) == []
    assert len(one.store.bundles.after(0, limit=1, reader=PARTY.address)) == 1


def test_where_all_is_public_nothing_is_signed(member):
    class Careful:
        address = WALLETS[1].address

        def sign_message(self, message):
            raise AssertionError

    zero = member(0).serve()
    one = member(1).listen({0: zero.url}, signer=Careful())
    zero.say(0, [0])
    one.visit(0)
    assert len(one.inbox()) == 1


def test_a_request_is_signed_once_while_nothing_changes(member):
    class Counting:
        address = WALLETS[1].address
        count = 0

        def sign_message(self, message):
            self.count += 1
            return WALLETS[1].sign_message(message)

    signer = Counting()
    zero = member(0, some_panels=private_panels()).serve()
    one = member(1, some_panels=private_panels()).listen({0: zero.url}, signer=signer)
    one.peers.each[0]._streams = [zero.address]
    for _ in range(5):
        one.visit(0)
    assert signer.count == 1
    one.clock.now += 400
    zero.clock.now += 400
    one.visit(0)
    assert signer.count == 2


@pytest.mark.parametrize("wrong", [600, -600])
def test_a_clock_that_is_wrong_by_ten_minutes_changes_nothing(member, wrong):
    zero = member(0, some_panels=private_panels(), clock=Clock(NOW + wrong)).serve()
    one = member(1, some_panels=private_panels())
    one.listen({0: zero.url})
    zero.say(0, [0])
    assert one.visit(0) == 0
    assert len(one.inbox()) == 1


def test_a_clock_that_is_an_hour_wrong_is_named_in_the_alert(member):
    zero = member(0, some_panels=private_panels(), clock=Clock(NOW + 3_600)).serve()
    one = member(1, some_panels=private_panels()).listen({0: zero.url})
    before = faults(0, "refused")
    one.visit(0)
    one.clock.now += 601
    assert one.visit(0) > 0
    assert faults(0, "refused") == before + 2
    [alert] = one.alerts.firing()
    assert (alert.name, alert.subject) == ("peer_down", zero.address)
    assert "signed at" in alert.message


# Our own signatures


def test_what_a_lost_database_knew_comes_back_and_is_told(member):
    zero = member(0).serve()
    mine = signed(1, said(0, [1]))
    zero.store.bundles.save(stored(mine))
    one = member(1).listen({0: zero.url})
    before = faults(0, "own_signature")
    assert one.visit(0) == 0
    assert one.inbox() == [mine]
    assert one.firing() == {("own_signature_unknown", one.address)}
    assert faults(0, "own_signature") == before + 1
    assert one.peers.contradictions.empty()


def test_what_we_know_ourselves_is_no_news(member):
    zero = member(0).serve()
    one = member(1).listen({0: zero.url})
    zero.store.bundles.save(stored(one.say(0, [1])))
    one.visit(0)
    assert one.inbox() == []
    assert one.firing() == set()


def test_old_signatures_that_we_have_forgotten_are_no_news(member):
    zero = member(0).serve()
    zero.store.bundles.save(stored(signed(1, said(0, [1]))))
    one = member(1)
    one.clock.now = START + 30 * 86_400
    one.listen({0: zero.url}).visit(0)
    assert one.inbox() == []
    assert one.firing() == set()


# What is stored is bounded


def test_what_nobody_needs_any_more_is_not_stored(pair):
    zero, one = pair
    zero.say(0, [1])
    one.clock.now = START + 30 * 86_400
    assert one.visit(0) == 0
    assert one.inbox() == []


def test_a_peer_fills_the_database_to_a_bound_with_its_own_bundles_only(pair, monkeypatch):
    monkeypatch.setattr(intake, "KEPT", 5)
    monkeypatch.setattr(intake, "_TRIM_EVERY", 2)
    zero, one = pair
    mine = [one.say(0, [0] * i) for i in range(1, 9)]
    sent = [zero.say(0, [0] * i) for i in range(1, 21)]
    one.visit(0)
    kept = [b.signed for b in one.store.bundles.after(0, limit=99, reader=None)]
    theirs = [bundle for bundle in kept if bundle.reporter == 0]
    assert [bundle for bundle in kept if bundle.reporter == 1] == mine
    assert 5 <= len(theirs) <= 7
    assert theirs == sent[-len(theirs) :]
    with one.store.reading() as db:
        rows = db.scalar(text("SELECT count(*) FROM bundle_feeds"))
    assert rows == len(kept) * len(FEEDS)


def test_while_many_wait_nothing_more_is_pulled(pair, monkeypatch):
    monkeypatch.setattr(peers, "_WAITING", 1)
    zero, one = pair
    zero.say(0, [0])
    one.visit(0)
    second = zero.say(0, [0, 1])
    one.visit(0)
    assert len(one.inbox()) == 1
    one.visit(0)
    assert one.inbox() == [second]


def test_a_signer_says_not_when_it_signed(member):
    """Else it chose when its bundles are forgotten."""
    bundle = shown(signed(0, said(0, [0])), signedAt=10**12)
    with scripted(answering(0, page(bundle))) as url:
        one = member(1).listen({0: url})
        one.visit(0)
    assert one.peers.inbox.get().signed_at == NOW


# Trouble of our own


def test_a_chain_that_does_not_answer_is_not_the_peers_fault(member):
    zero = member(0).serve()

    def chain_now():
        raise ChainUnavailable("no answer")

    one = member(1).listen({0: zero.url}, chain_now=chain_now)
    zero.say(0, [0])
    assert [one.visit(0), one.visit(0)] == [1.0, 2.0]
    one.clock.now += 3_600
    one.visit(0)
    assert one.firing() == set()
    one.peers.each[0]._chain_now = lambda: NOW
    assert one.visit(0) == 0
    assert len(one.inbox()) == 1


def test_a_store_that_fails_loses_nothing(pair, monkeypatch):
    zero, one = pair
    zero.say(0, [0])
    save = one.store.bundles.save

    def failing(bundle):
        raise OSError

    monkeypatch.setattr(one.store.bundles, "save", failing)
    assert one.visit(0) > 0
    monkeypatch.setattr(one.store.bundles, "save", save)
    assert one.visit(0) == 0
    assert len(one.inbox()) == 1
    assert one.firing() == set()


def test_who_is_no_reporter_of_ours_is_not_visited(member):
    one = member(1)
    with scripted(lambda *_: pytest.fail("visited")) as url:
        one.listen({})
        made = type(one.peers)(
            {samples.wallet(9).address: url},
            store=one.store,
            panels=one.panels,
            signer=one.wallet,
            alerts=one.alerts,
            chain_now=lambda: NOW,
            pull_seconds=1,
        )
        assert made.each[0].visit() == 0


def test_we_are_no_peer_of_ours(member):
    assert member(1).listen({1: "http://127.0.0.1:1"}).peers.each == []


def test_a_listener_without_key_reads_what_is_public(member):
    zero = member(0).serve()
    zero.say(0, [0])
    one = member(1).listen({0: zero.url}, signer=None)
    one.visit(0)
    assert len(one.inbox()) == 1


def test_a_feed_that_is_not_known_yet_is_stored_with_the_others(member):
    zero = member(0).serve()
    zero.say(0, [0])
    one = member(1, some_panels=panels(known(FEEDS[:1]))).listen({0: zero.url})
    one.visit(0)
    assert [len(bundle.feeds) for bundle in one.inbox()] == [3]


def test_a_url_may_lead_below_a_path(member):
    asked = []

    def respond(connection, request):
        asked.append(request.split()[1])
        answering(0, page())(connection, request)

    with scripted(respond) as url:
        member(1).listen({0: f"{url}/below/"}).visit(0)
    assert asked[0].startswith(b"/below/v1/bundles?after=0&")


def test_the_threads_end(pair):
    _, one = pair
    one.peers.start()
    threads = [peer._thread for peer in one.peers.each]
    one.peers.stop(30)
    assert not any(thread.is_alive() for thread in threads)
