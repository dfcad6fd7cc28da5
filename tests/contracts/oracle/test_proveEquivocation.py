"""Two answers of one reporter for one interval: rule 17. See `proveEquivocation.tree`."""
# ruff: noqa: N802, N999 - named after the function and the branches of the tree

import pytest
from eth_account import Account

from relayer.protocol import merkle
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.report import batches_as_abi
from relayer.protocol.typed_data import digest, root_message
from tests import samples
from tests.contracts.oracle.bundles import Office
from tests.contracts.oracle.desk import BAD, GOOD, codes, judged, panel, refused


@pytest.fixture
def office(feed, open_desk):
    """The feed and three more of its panel."""
    return Office(feed, *(open_desk(descriptor=bytes([i]) * 32) for i in range(3)))


def ignored(feed):
    return feed.oracle.ignored(feed.feed.panel.hash)


def lie(feed, reporter=0):
    """Reporter 0 has said both."""
    return feed.prove(reporter, 9, feed.sign(reporter, 9, "g"), feed.sign(reporter, 9, "b"))


def test_RevertWhen_TheConfigurationIsOutOfBounds(open_desk):
    """Nothing of a feed that cannot be is ever stored."""
    feed = open_desk(panel(3, 1))
    with refused("MonitoringOracle_Quorum", 1, 3):
        lie(feed)


@pytest.mark.parametrize("reporter", [3, 31, 255])
def test_RevertWhen_TheReporterIsNotOfThePanel(feed, reporter):
    with refused("MonitoringOracle_UnknownReporter", reporter, 3):
        feed.prove(reporter, 0, feed.sign(0, 0, "g"), feed.sign(0, 0, "b"))


@pytest.mark.parametrize(("interval", "first"), [(1, 2), (5, 2), (0, 2), (2**32 - 1, 2), (2, 3)])
def test_RevertWhen_AStatementDoesNotCoverTheInterval(feed, interval, first):
    """Neither of the two may be silent."""
    everything = feed.sign(0, 0, "g" * 9)
    partial = feed.sign(0, first, "bbb")
    for pair in ((everything, partial), (partial, everything), (partial, partial)):
        with refused("MonitoringOracle_NoContradiction", interval):
            feed.prove(0, interval, *pair)


@pytest.mark.parametrize("readings", ["ggb", "b", "ggbg"])
def test_RevertWhen_BothStatementsSayTheSame(feed, readings):
    """What they say of other intervals, and other evidence, is no contradiction."""
    one = feed.sign(0, 0, "ggbb")
    other = feed.sign(0, 3 - len(readings[:3]), readings, evidence=b"\1" * 32)
    with refused("MonitoringOracle_NoContradiction", 2):
        feed.prove(0, 2, one, other)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("key", [21, 5])
def test_RevertWhen_AnotherSigned(feed, position, key):
    """What two reporters say is no equivocation of either, and an outsider's is nothing."""
    wallet = feed.keys[feed.feed.panel.reporters[1]] if key == 21 else samples.wallet(key)
    pair = [feed.sign(0, 0, "g"), feed.sign(0, 0, "b")]
    pair[position] = feed.sign(0, 0, "gb"[position], key=wallet)
    with refused("MonitoringOracle_WrongSigner", 0, wallet.address, feed.feed.panel.reporters[0]):
        feed.prove(0, 0, *pair)
    assert ignored(feed) == 0


def refuses_altered(feed, statement, root):
    """A statement whose leaf leads to another root than was signed."""
    *_, evidence, r, vs = statement
    number = int.from_bytes(vs, "big")
    vrs = (27 + (number >> 255), int.from_bytes(r, "big"), number & (1 << 255) - 1)
    signed = digest(root_message(feed.domain, root, evidence))
    recovered = Account._recover_hash(signed, vrs=vrs)
    expected = feed.feed.panel.reporters[0]
    assert recovered != expected
    honest = feed.sign(0, 0, "g" * 9)
    for pair in ((statement, honest), (honest, statement)):
        with refused("MonitoringOracle_WrongSigner", 0, recovered, expected):
            feed.prove(0, 3, *pair)


def test_RevertWhen_AStatementIsAltered(feed):
    """First interval, readings, evidence: all are signed."""
    first, readings, proof, evidence, *signature = feed.sign(0, 1, "gggg").as_statement()
    bad = readings[:8] + bytes(4) + readings[12:]
    alterations = [(first, bad, evidence), (0, readings, evidence), (first, readings, b"\1" * 32)]
    for altered in alterations:
        root = merkle.leaf(feed.feed.id, *altered[:2])
        statement = (*altered[:2], proof, altered[2], *signature)
        refuses_altered(feed, statement, root)


def test_RevertWhen_AStatementIsAltered_in_its_proof(office):
    feed = office.desks[0]
    first, readings, proof, evidence, *signature = office.sign(0, *["bbbb"] * 4).as_statement(
        feed.feed.id
    )
    assert len(proof) == 2
    for altered in (proof[:1], proof[::-1], [*proof, proof[0]], []):
        node = merkle.leaf(feed.feed.id, first, readings)
        for sibling in altered:
            node = merkle.root([node, sibling])
        refuses_altered(feed, (first, readings, altered, evidence, *signature), node)


def test_RevertWhen_AStatementIsOfAnotherFeed(feed, open_desk):
    """Different feeds have different answers."""
    other = open_desk(descriptor=b"\1" * 32)
    statement = other.sign(0, 0, "bbbb").as_statement()
    refuses_altered(feed, statement, merkle.leaf(feed.feed.id, *statement[:2]))


@pytest.mark.parametrize("reporter", [0, 1, 2])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (GOOD, BAD),
        (GOOD, GOOD + 1),
        (NO_DATA, GOOD),
        (NOT_APPLICABLE, NO_DATA),
        (BAD, NOT_APPLICABLE),
    ],
)
def test_When_TwoBatchesContradict(feed, reporter, one, other):
    """Any two answers that are not the same, wherever the batches begin and end."""
    pair = feed.sign(reporter, 0, [7, 7, one]), feed.sign(reporter, 2, [other, 7])
    feed.prove(reporter, 2, *pair)
    assert ignored(feed) == 1 << reporter


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_When_TwoTreesContradict(office, index):
    """One signature over many feeds is proof for each of them."""
    readings = ["ggg"] * 4
    one = office.sign(1, *readings)
    readings[index] = "gbg"
    other = office.sign(1, *readings[: index + 1])
    feed = office.desks[index]
    statements = [bundle.as_statement(feed.feed.id) for bundle in (one, other)]
    with refused("MonitoringOracle_NoContradiction", 0):
        feed.prove(1, 0, *statements)
    feed.prove(1, 1, *statements)
    assert ignored(feed) == 0b10


def test_When_OneTreeContradictsItself(office):
    feed = office.desks[0]
    parts = [office.part(0, "g"), office.part(1, "g"), office.part(0, "b")]
    signed = office.sign_parts(2, parts)
    leaves = signed.leaves
    first, readings, _, *rest = signed.as_statement(feed.feed.id)
    one = (first, readings, merkle.proof(leaves, 0), *rest)
    other = (first, parts[2].readings, merkle.proof(leaves, 2), *rest)
    feed.prove(2, 0, one, other)
    assert ignored(feed) == 0b100


def test_When_ABatchContradictsATree(office):
    feed = office.desks[2]
    tree = office.sign(0, "g", "g", "ggb", "g").as_statement(feed.feed.id)
    feed.prove(0, 2, tree, feed.sign(0, 2, "g"))
    assert ignored(feed) == 1


def test_When_ItSucceeds(feed):
    tx = feed.prove(2, 1, feed.sign(2, 0, "gg"), feed.sign(2, 0, "gb"))
    assert len(tx.events) == 1
    event = tx.events["Equivocated"]
    assert tx.events[0].address == feed.oracle.address
    assert bytes(event["panel"]) == feed.feed.panel.hash
    assert event["reporter"] == feed.feed.panel.reporters[2]
    assert bytes(event["feedId"]) == feed.feed.id
    assert (event["interval"], event["one"], event["other"]) == (1, GOOD, BAD)


def test_When_ItIsProvenAgain(feed):
    lie(feed)
    before = feed.state_slot()
    lie(feed)
    assert feed.state_slot() == before
    assert ignored(feed) == 1


# What follows


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("equal", [True, False])
def test_When_TheReporterReportsAfterwards(feed, order, equal):
    """Rule 17: its readings count as not presented, quorum stays; whether its string is the others' or its own."""
    lie(feed)
    said = {0: "g" if equal else "b", 1: "g"}
    with refused("MonitoringOracle_NoAgreement", 0):
        feed.report(*(feed.sign(i, 0, said[i]) for i in order))
    tx = feed.report(*(feed.sign(i, 0, said.get(i, "g")) for i in (*order, 2)))
    assert judged(tx)[:3] == (0, codes("g"), {0, 1, 2})
    feed.check("g")


def test_When_TheReporterReportsAfterwards_and_is_no_dissenter(feed):
    """What was not presented cannot dissent, in whatever order it comes."""
    lie(feed)
    for number, order in enumerate(((0, 1, 2), (1, 2, 0), (1, 0, 2))):
        signed = [feed.sign(i, number, "b" if i == 0 else "g") for i in order]
        assert judged(feed.report(*signed))[3] == set()


def test_When_OnlyItsReadingsCoverTheNextInterval(feed):
    """Nor can it make a report too early."""
    lie(feed)
    alone, other = feed.sign(0, 0, "gggg"), feed.sign(1, 1, "g")
    feed.wait(feed.settled(2))
    with refused("MonitoringOracle_Gap", 0):
        feed.send([alone, other])
    with refused("MonitoringOracle_AlreadyJudged", 0, 0):
        feed.send([alone])


def test_When_AllWereHeardWithoutAgreement(feed):
    """Rule 2: unknown needs readings of all N that count, and there are no longer as many."""
    signed = [feed.sign(0, 0, "g"), feed.sign(1, 0, "b"), feed.sign(2, 0, "?")]
    feed.mine(feed.settled(1))
    assert feed.oracle.isReportable(feed.feed.as_abi(), 1, batches_as_abi(signed))[0] == 1
    lie(feed)
    with refused("MonitoringOracle_NoAgreement", 0):
        feed.report(*signed)


def test_When_TheOthersAgree(feed):
    """With hours, with windows that end, with strings of their own."""
    lie(feed)
    signed = [feed.sign(i, 0, "gb?-" * 20) for i in (1, 2)]
    tx = feed.report(*signed, feed.sign(0, 0, "b" * 80))
    assert judged(tx)[1] == codes("gb?-" * 20)
    feed.check("gb?-" * 20)


def test_When_TooFewReportersAreLeft(feed):
    """Rule 18: a panel that lost its quorum blocks nobody."""
    for reporter in (0, 1):
        lie(feed, reporter)
    signed = [feed.sign(i, 0, "gg") for i in range(3)]
    with refused("MonitoringOracle_NoAgreement", 0):
        feed.report(*signed)
    feed.skip_when_due(2)
    feed.check("??")
    feed.wait(feed.skippable(4))
    with refused("MonitoringOracle_NoAgreement", 2):
        feed.send([feed.sign(i, 2, "gg") for i in range(3)])


def test_When_IntervalsWereJudgedBefore(feed):
    """Rule 17: nothing judged is reopened, not even by the readings that prove it."""
    tx = feed.report(feed.sign(0, 0, "bb"), feed.sign(1, 0, "bb"))
    feed.prove(0, 1, feed.sign(0, 0, "bb"), feed.sign(0, 0, "bg"))
    assert feed.advanced_at == tx.timestamp
    feed.check("bb")
    feed.report(*(feed.sign(i, 2, "bb") for i in (1, 2)))
    feed.check("bbbb")


def test_When_AnotherFeedHasTheSamePanel(office):
    """Rule 15 and 17: until it heeds, which anyone can make it do: `heed.tree`."""
    feed, other, *_ = office.desks
    lie(feed)
    other.report(other.sign(0, 0, "g"), other.sign(1, 0, "g"))
    other.check("g")
