"""Who may exclude which span: rules 20 and 21. See `exclude.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

from dataclasses import replace

import brownie
import pytest

from relayer.protocol.feed import Panel, parties_hash
from relayer.protocol.scope import Scope
from relayer.protocol.tally import Exclusion, Verdict
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.contracts.oracle.desk import PARTIES, panel, refused

NOTICE = 3_600
PROVIDER, CONSUMER = PARTIES


@pytest.fixture
def feed(open_desk, start):
    """Windows of twelve intervals of which the parties may exclude six, an hour ahead; the feed starts in two hours."""
    return open_desk(
        panel(parties=PARTIES),
        scope=Scope(allowance=6),
        start=start + 3_600,
        window_intervals=12,
        notice=NOTICE,
    )


def kept(feed, window=0):
    return [Exclusion(*span) for span in feed.oracle.exclusions(feed.feed.id, window)]


# Configuration: rules 9 and 13


def test_RevertWhen_TheConfigurationIsOutOfBounds(open_desk):
    """Nothing of a feed that cannot be is ever stored: later calls do not look again."""
    hash_ = panel(parties=PARTIES).parties
    feed = open_desk(Panel(panel().reporters, 1, 0, hash_), scope=Scope(allowance=9))
    with refused("MonitoringOracle_Quorum", 1, 3):
        feed.exclude(0, 1)
    feed = open_desk(panel(parties=PARTIES), scope=Scope(allowance=9), interval=1, start=7)
    panel_, word, scope, descriptor = feed.feed.as_abi()
    addresses, signatures = [p.address for p in PARTIES], feed.sign_exclusion(0, 1)
    for other, error, values in (
        ((panel_, word | 1 << 248, scope, descriptor), "Measurement_ReservedBits", ()),
        ((panel_, word, scope | 7 | 7 << 32, descriptor), "Scope_Range", (7, 7)),
    ):
        with refused(error, *values):
            feed.oracle.exclude.call(other, 0, 1, addresses, signatures, {"from": PROVIDER.address})


def test_When_TheConfigurationIsWithinBounds(feed):
    feed.exclude(3, 6)
    assert kept(feed) == [Exclusion(3, 6)]
    assert feed.state == (0, Verdict.NONE)
    assert feed.advanced_at == 0


# Parties and their signatures: rule 21


@pytest.mark.parametrize("accounts", [(), PARTIES])
def test_RevertWhen_TheFeedHasNoParties(open_desk, accounts):
    """Nobody's signatures are not the signatures of nobody."""
    feed = open_desk(scope=Scope(allowance=6))
    signatures = feed.sign_exclusion(0, 1, *accounts) if accounts else []
    with refused("MonitoringOracle_Parties"):
        feed.exclude(0, 1, signatures, accounts)


@pytest.mark.parametrize(
    "accounts",
    [
        (),
        (PROVIDER,),
        (CONSUMER,),
        (CONSUMER, PROVIDER),
        (PROVIDER, PROVIDER),
        (*PARTIES, PARTIES[0]),
        (PROVIDER, samples.wallet(3)),
    ],
    ids=lambda accounts: ",".join(a.address[2:6] for a in accounts),
)
def test_RevertWhen_TheAccountsAreNotTheParties(feed, accounts):
    """All of them, in the order that was agreed."""
    signatures = feed.sign_exclusion(3, 6, *accounts) if accounts else []
    with refused("MonitoringOracle_Parties"):
        feed.exclude(3, 6, signatures, accounts)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_RevertWhen_ThereAreNotAsManySignaturesAsParties(feed, count):
    signatures = (feed.sign_exclusion(3, 6) * 2)[:count]
    with refused("MonitoringOracle_Parties"):
        feed.exclude(3, 6, signatures)


def invalid(feed, party, first, end, signatures):
    with refused("PartySignatures_Invalid", party.address):
        feed.exclude(first, end, signatures)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    "forge",
    [
        lambda feed: feed.sign_exclusion(3, 6, samples.wallet(5))[0],
        lambda feed: b"",
        lambda feed: bytes(65),
        lambda feed: feed.sign_exclusion(3, 6, PROVIDER)[0][:64],
        lambda feed: feed.sign_exclusion(3, 6, CONSUMER)[0] + b"\0",
    ],
    ids=["an outsider's", "nothing", "zeros", "too short", "too long"],
)
def test_RevertWhen_APartyHasNotSigned(feed, index, forge):
    signatures = feed.sign_exclusion(3, 6)
    signatures[index] = forge(feed)
    invalid(feed, PARTIES[index], 3, 6, signatures)


@pytest.mark.parametrize("span", [(2, 6), (3, 5), (3, 7), (4, 6)])
def test_RevertWhen_ASignedFieldIsAltered(feed, span):
    invalid(feed, PROVIDER, *span, feed.sign_exclusion(3, 6))


@pytest.mark.parametrize("change", ["descriptor", "tolerance", "notice"])
def test_RevertWhen_ASignedFieldIsAltered_of_the_feed(feed, open_desk, change):
    """A span of one feed is none of another."""
    one = feed.feed
    other = {
        "descriptor": replace(one, descriptor=b"\1" * 32),
        "tolerance": replace(one, panel=replace(one.panel, tolerance=1)),
        "notice": replace(one, measurement=replace(one.measurement, notice=0)),
    }[change]
    signatures = feed.sign_exclusion(3, 6)
    feed.feed = other
    invalid(feed, PROVIDER, 3, 6, signatures)


def test_RevertWhen_TheSignatureIsForAnotherChainOrOracle(feed):
    twin = brownie.MonitoringOracle.deploy({"from": brownie.accounts[0]})
    for domain in (
        Domain(feed.domain.chain_id + 1, feed.domain.contract),
        Domain(feed.domain.chain_id, twin.address),
    ):
        invalid(feed, PROVIDER, 3, 6, feed.sign_exclusion(3, 6, domain=domain))


@pytest.mark.parametrize("party", [1, 2])
def test_RevertWhen_APartyHasRevokedItsSignature(feed, party):
    """Rule 21: a signature that nobody has used yet can be withdrawn; another one under other words still counts."""
    digest = feed.oracle.exclusionDigest(feed.feed.id, 3, 6)
    feed.oracle.revoke(digest, {"from": brownie.accounts[party]})
    with refused("PartySignatures_Revoked", brownie.accounts[party], bytes(digest)):
        feed.exclude(3, 6)
    feed.exclude(3, 7)
    assert kept(feed) == [Exclusion(3, 7)]


@pytest.fixture
def contract_feed(open_desk, start):
    """The consumer is a wallet contract that the holder of key 2 owns."""
    wallet = brownie.MockWallet.deploy(CONSUMER.address, {"from": brownie.accounts[0]})
    parties = (PROVIDER, wallet)
    panel_ = replace(panel(), parties=parties_hash([party.address for party in parties]))
    return open_desk(panel_, scope=Scope(allowance=6)), parties


def test_When_APartyIsAContract(contract_feed):
    """Rule 21: ERC-1271, asked once and unable to change anything."""
    feed, parties = contract_feed
    tx = feed.exclude(3, 6, feed.sign_exclusion(3, 6), parties)
    assert kept(feed) == [Exclusion(3, 6)]
    asked = [call for call in tx.subcalls if call["to"] == parties[1].address]
    assert [call["op"] for call in asked] == ["STATICCALL"]


def test_RevertWhen_AContractDoesNotApprove(contract_feed):
    feed, parties = contract_feed
    signatures = feed.sign_exclusion(3, 6, PROVIDER, samples.wallet(5))
    with refused("PartySignatures_Invalid", parties[1].address):
        feed.exclude(3, 6, signatures, parties)
    feed.oracle.revoke(
        feed.oracle.exclusionDigest(feed.feed.id, 4, 6), {"from": brownie.accounts[2]}
    )
    # The owner's key is not the party: only the wallet could have revoked.
    feed.exclude(4, 6, feed.sign_exclusion(4, 6), parties)
    assert kept(feed) == [Exclusion(4, 6)]


# Spans: rule 20


@pytest.mark.parametrize(("first", "end"), [(3, 3), (3, 2), (3, 0), (2**32 - 1, 0)])
def test_RevertWhen_TheSpanIsEmpty(feed, first, end):
    with refused("MonitoringOracle_Span", first, end):
        feed.exclude(first, end)


@pytest.mark.parametrize(("first", "end"), [(11, 13), (12, 25), (6, 30), (0, 2**32 - 1)])
def test_RevertWhen_TheSpanReachesIntoAnotherWindow(feed, first, end):
    with refused("MonitoringOracle_Span", first, end):
        feed.exclude(first, end)


def test_RevertWhen_TheSpanReachesIntoAnotherWindow_of_a_calendar(open_desk):
    """Rule 25: the night from March to April."""
    feed = open_desk(
        panel(parties=PARTIES),
        scope=Scope(allowance=6),
        start=4_110_120_000,
        window_intervals=0,
        interval=3_600,
    )
    last = feed.feed.measurement.window_begin(1)
    with refused("MonitoringOracle_Span", last - 1, last + 1):
        feed.exclude(last - 1, last + 1)
    feed.exclude(last - 1, last)
    feed.exclude(last, last + 1)
    assert (kept(feed, 0), kept(feed, 1)) == (
        [Exclusion(last - 1, last)],
        [Exclusion(last, last + 1)],
    )


def test_When_TheSpanFillsAWindow(open_desk):
    feed = open_desk(
        panel(parties=PARTIES), scope=Scope(allowance=12), window_intervals=12, offset=4
    )
    feed.exclude(0, 8)
    feed.exclude(8, 20)
    assert (feed.tally(0).planned, feed.tally(1).planned, feed.tally(2).planned) == (0, 0, 12)


def begin_of(feed, number):
    return feed.feed.measurement.start_of(number)


@pytest.mark.parametrize("first", [0, 3, 15])
def test_RevertWhen_TheNoticeIsTooShort(feed, first):
    begin = begin_of(feed, first)
    feed.wait(begin - NOTICE + 1)
    with refused("MonitoringOracle_NoticeTooShort", begin, NOTICE):
        feed.exclude(first, first + 2)


@pytest.mark.parametrize("first", [0, 3, 15])
def test_When_TheNoticeIsJustKept(feed, first):
    feed.wait(begin_of(feed, first) - NOTICE)
    feed.exclude(first, first + 2)
    assert [(s.first, s.end) for s in kept(feed, first // 12)] == [(first, first + 2)]


def test_RevertWhen_TheSpanHasBegun(open_desk):
    """Rule 20: even without notice nothing is excluded once it can be measured."""
    feed = open_desk(panel(parties=PARTIES), scope=Scope(allowance=6), window_intervals=12)
    feed.wait(begin_of(feed, 3))
    feed.exclude(3, 6)
    begin = begin_of(feed, 7)
    feed.wait(begin + 1)
    with refused("MonitoringOracle_NoticeTooShort", begin, 0):
        feed.exclude(7, 9)


@pytest.mark.parametrize("span", [(4, 6), (4, 5), (5, 6), (3, 5), (5, 7), (3, 7)])
def test_RevertWhen_SpansOverlap(feed, span):
    """Rule 20: disjoint."""
    feed.exclude(4, 6)
    with refused("MonitoringOracle_Overlap", 4, 6):
        feed.exclude(*span)


def test_RevertWhen_SpansOverlap_with_any_of_several(feed):
    for span in ((8, 9), (2, 4), (5, 6)):
        feed.exclude(*span)
    for span in ((8, 9), (2, 3), (5, 6)):
        end = span[0] + (2 if span[0] == 2 else 1)
        with refused("MonitoringOracle_Overlap", span[0], end):
            feed.exclude(*span)


def test_When_SpansComeInAnotherOrder(feed):
    """Who brings a later span first does not void the signatures under an earlier one."""
    spans = [(8, 9), (2, 4), (5, 6), (0, 1)]
    signed = [feed.sign_exclusion(*span) for span in spans]
    for span, signatures in zip(spans, signed, strict=True):
        feed.exclude(*span, signatures)
    assert kept(feed) == [Exclusion(*span) for span in spans]
    feed.judge("b" * 12)
    feed.check("b" * 12)
    assert feed.tally(0).bad == 7


def test_When_SpansTouch(feed):
    for first in (3, 4, 6):
        feed.exclude(first, first + 1 + (first == 4))
    assert kept(feed) == [Exclusion(3, 4), Exclusion(4, 6), Exclusion(6, 7)]
    assert feed.tally(0).planned == 12 - 4


@pytest.mark.parametrize("spans", [[(0, 7)], [(0, 3), (5, 9)], [(0, 1), (1, 2), (2, 3), (8, 12)]])
def test_RevertWhen_TheAllowanceIsExceeded(feed, spans):
    *before, last = spans
    for span in before:
        feed.exclude(*span)
    with refused("MonitoringOracle_Allowance", 7, 6):
        feed.exclude(*last)


@pytest.mark.parametrize("spans", [[(0, 6)], [(0, 3), (5, 8)], [(6, 12)]])
def test_When_TheAllowanceIsJustUsedUp(feed, spans):
    for span in spans:
        feed.exclude(*span)
    assert kept(feed) == [Exclusion(*span) for span in spans]
    assert feed.tally(0).planned == 6


def test_RevertWhen_ThereIsNoAllowance(open_desk):
    feed = open_desk(panel(parties=PARTIES), scope=Scope(best=1))
    with refused("MonitoringOracle_Allowance", 1, 0):
        feed.exclude(0, 1)


def test_RevertWhen_TheWindowHasEightExclusions(open_desk):
    """Rule 20: so many can be looked up for every interval."""
    feed = open_desk(panel(parties=PARTIES), scope=Scope(allowance=60))
    for number in range(0, 32, 4):
        feed.exclude(number, number + 1)
    with refused("MonitoringOracle_Allowance", 9, 60):
        feed.exclude(40, 41)
    feed.judge("b" * 40)
    feed.check("b" * 40)
    assert feed.tally(0).planned == 52


def test_When_AnotherWindowHasItsOwn(feed):
    """The allowance is each window's, and so are order and number."""
    feed.exclude(20, 24)
    feed.exclude(0, 6)
    feed.exclude(24, 30)
    assert [len(kept(feed, w)) for w in range(4)] == [1, 1, 1, 0]
    assert [feed.tally(w).planned for w in range(4)] == [6, 8, 6, 12]


def test_RevertWhen_ItIsReplayed(feed):
    """Rule 20: a span counts once, whoever brings its signatures again."""
    signatures = feed.sign_exclusion(3, 5)
    feed.exclude(3, 5, signatures)
    with refused("MonitoringOracle_Overlap", 3, 5):
        feed.exclude(3, 5, signatures)


# What follows


@pytest.mark.parametrize("late", [False, True])
def test_When_ItSucceeds(open_desk, late):
    """Told with what it does to the denominator."""
    feed = open_desk(panel(parties=PARTIES), scope=Scope(allowance=6))
    feed.wait(begin_of(feed, 0) if late else 0)
    tx = feed.exclude(8, 10)
    assert len(tx.events) == 1
    event = tx.events["Excluded"]
    assert tx.events[0].address == feed.oracle.address
    assert event["feedId"] == "0x" + feed.feed.id.hex()
    assert (event["first"], event["end"], event["planned"]) == (8, 10, late)


@pytest.mark.parametrize("sender", [0, 9])
def test_When_TheSenderIsAStranger(feed, sender):
    """Only signatures count."""
    feed.exclude(3, 5, sender=sender)
    assert kept(feed) == [Exclusion(3, 5)]
