"""What `reportMany` refuses altogether: malformed strings, wrong signatures and proofs. See `reportMany.tree`."""
# ruff: noqa: N802, N999 - named after the function and the branches of the tree

from dataclasses import replace

import brownie
import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from relayer.protocol import merkle
from relayer.protocol.readings import pack_readings
from relayer.protocol.typed_data import digest, root_message
from tests import samples
from tests.contracts.oracle.bundles import Office
from tests.contracts.oracle.desk import GOOD, panel, refused

ZERO = "0x" + 40 * "0"


@pytest.fixture
def office(open_desk):
    """Three feeds of two of three reporters, all past their first ten intervals."""
    made = Office(*(open_desk(descriptor=bytes([i]) * 32) for i in range(3)))
    made.desks[0].mine(made.desks[0].settled(10))
    return made


def refuses(office, bundles, error, *values, desks=None):
    with refused(error, *values):
        office.send(bundles, desks)
    assert [desk.state_slot() for desk in office.desks] == [0] * len(office.desks)


def refuses_root(office, bundle, root, desks=None):
    """The first signature of a bundle is held against another root, and recovers somebody else."""
    readings, proof, flags, endorsements = bundle
    reporter, evidence, r, vs = endorsements[0]
    vs = int.from_bytes(vs, "big")
    signed = digest(root_message(office.desks[0].domain, root, evidence))
    vrs = (27 + (vs >> 255), int.from_bytes(r, "big"), vs & (1 << 255) - 1)
    recovered = Account._recover_hash(signed, vrs=vrs)
    expected = office.panel.reporters[reporter]
    assert recovered != expected
    refuses(
        office,
        [(readings, proof, flags, endorsements)],
        "MonitoringOracle_WrongSigner",
        reporter,
        recovered,
        expected,
        desks=desks,
    )


def test_RevertWhen_ThereIsNoBundle(office):
    refuses(office, [], "MonitoringOracle_NoBatch")


def bundle_of(office, *readings):
    (bundle,) = office.arguments(office.all_sign(*readings))[2]
    return bundle


@pytest.mark.parametrize("missing", [1, 4, 6, 10, 16, 26, 30])
def test_RevertWhen_TheReadingsAreTooShort(office, missing):
    """The string ends within a reading, within a header, before a feed or before all of them."""
    readings, *rest = bundle_of(office, "g", "g", "g")
    assert len(readings) == 30
    cut = readings[: len(readings) - missing]
    refuses(office, [(cut, *rest)], "MonitoringOracle_ReadingsLength", len(cut))


@pytest.mark.parametrize("more", [b"\0", b"\0" * 4, b"\0" * 6, b"\0" * 64])
def test_RevertWhen_TheReadingsAreTooLong(office, more):
    readings, *rest = bundle_of(office, "g", "g", "g")
    long = readings + more
    refuses(office, [(long, *rest)], "MonitoringOracle_ReadingsLength", len(long))


@pytest.mark.parametrize("count", [2, 3, 0xFFFF])
@pytest.mark.parametrize("position", [4, 14, 24])
def test_RevertWhen_TheReadingsAreTooShort_for_the_number_of_intervals(office, count, position):
    """A count that reaches into the next feed, or past the end of everything."""
    readings, *rest = bundle_of(office, "g", "g", "g")
    forged = readings[:position] + count.to_bytes(2, "big") + readings[position + 2 :]
    refuses(office, [(forged, *rest)], "MonitoringOracle_ReadingsLength", len(forged))


@pytest.mark.parametrize("desks", [[], [0, 1, 2]])
def test_RevertWhen_ABundleSaysNothingAtAll(office, desks):
    """Rule 21: without a leaf the proof is its own root, and any root that was signed would do."""
    signed = office.all_sign("g", "g", "g")
    ((_, _, _, endorsements),) = office.arguments(signed, [0])[2]
    nothing = bytes(6 * len(desks))
    bundle = (nothing, [signed[0].root], [], endorsements)
    refuses(office, [bundle], "MonitoringOracle_ReadingsLength", len(nothing), desks=desks)


def test_RevertWhen_ASignatureIsWrong(office):
    """An outsider's, in place of a reporter's, beside honest ones."""
    outsider = samples.wallet(5)
    signed = [
        office.sign(0, "g", "g", "g"),
        office.sign(1, "g", "g", "g", key=outsider),
        office.sign(2, "g", "g", "g"),
    ]
    values = (1, outsider.address, office.panel.reporters[1])
    refuses(office, signed, "MonitoringOracle_WrongSigner", *values)


def test_RevertWhen_ASignatureIsWrong_of_one_bundle_among_many(office):
    forged = replace(office.sign(2, "b", "b", "b"), signature=bytes(64) + b"\x1b")
    values = (2, ZERO, office.panel.reporters[2])
    refuses(
        office, [*office.all_sign("g", "g", "g"), forged], "MonitoringOracle_WrongSigner", *values
    )


@pytest.mark.parametrize("position", [0, 3, 6, 9, 10, 13, 29])
def test_RevertWhen_ASignatureIsWrong_because_a_field_was_altered(office, position):
    """First intervals and readings are all bound; the number of intervals is by the length."""
    readings, proof, flags, endorsements = bundle_of(office, "g", "g", "g")
    forged = bytearray(readings)
    forged[position] ^= 1
    leaves = [
        merkle.leaf(
            feed_id, int.from_bytes(forged[at : at + 4], "big"), bytes(forged[at + 6 : at + 10])
        )
        for feed_id, at in zip(office.feed_ids, (0, 10, 20), strict=True)
    ]
    root = merkle.root(leaves)
    refuses_root(office, (bytes(forged), proof, flags, endorsements), root)


def test_RevertWhen_ASignatureIsWrong_because_the_evidence_was_altered(office):
    readings, proof, flags, endorsements = bundle_of(office, "g", "g", "g")
    reporter, _, r, vs = endorsements[0]
    forged = [(reporter, b"\1" * 32, r, vs), *endorsements[1:]]
    root = office.sign(0, "g", "g", "g").root
    refuses_root(office, (readings, proof, flags, forged), root)


def test_RevertWhen_AProofIsWrong(office):
    """A hash of it was changed: the root is another one."""
    signed = office.all_sign("g", "g", "g")
    (_, _, ((readings, proof, flags, endorsements),)) = office.arguments(signed, [1])
    forged = [keccak(proof[0]), *proof[1:]]
    node = signed[0].leaves[1]
    for sibling in forged:
        node = keccak(min(node, sibling) + max(node, sibling))
    refuses_root(office, (readings, forged, flags, endorsements), node, desks=[1])


@pytest.mark.parametrize(
    "change", ["hash missing", "hash too many", "flag missing", "flag too many"]
)
def test_RevertWhen_AProofIsWrong_in_its_length(office, change):
    signed = office.all_sign("g", "g", "g")
    (_, _, ((readings, proof, flags, endorsements),)) = office.arguments(signed, [0, 2])
    proof, flags = {
        "hash missing": (proof[1:], flags),
        "hash too many": ([*proof, proof[0]], flags),
        "flag missing": (proof, flags[1:]),
        "flag too many": (proof, [*flags, True]),
    }[change]
    refuses(
        office,
        [(readings, proof, flags, endorsements)],
        "MerkleProofInvalidMultiproof",
        desks=[0, 2],
    )


def test_RevertWhen_AProofIsWrong_because_there_is_none(office):
    """Without hashes and flags the feeds of the call are taken for all of the tree."""
    signed = office.all_sign("g", "g", "g")
    (_, _, ((readings, _, _, endorsements),)) = office.arguments(signed, [0, 2])
    root = merkle.root([signed[0].leaves[0], signed[0].leaves[2]])
    refuses_root(office, (readings, [], [], endorsements), root, desks=[0, 2])


@pytest.mark.parametrize("second", ["g", "b"])
def test_RevertWhen_AReporterSignedTwoBundles(office, second):
    """Neither in two bundles nor twice under one."""
    signed = [office.sign(1, "g", "g", "g"), office.sign(1, second, "g", "g", evidence=b"\1" * 32)]
    refuses(office, signed, "MonitoringOracle_ReporterTwice", 1)


@pytest.mark.parametrize("index", [3, 31, 255])
def test_RevertWhen_TheReporterIsNotOfThePanel(office, index):
    signed = office.all_sign("g", "g", "g")
    signed[1] = replace(signed[1], reporter=index)
    refuses(office, signed, "MonitoringOracle_UnknownReporter", index, 3)


def test_RevertWhen_AFeedIsNoneThatCanBe(open_desk, office):
    """Rules 9 and 13: its configuration is malformed, and so is the call."""
    panel_, feeds, bundles = office.arguments(office.all_sign("g", "g", "g"))
    word = feeds[1][0] & ~(0xFFFFFF << 40)
    options = {"from": brownie.accounts[5]}
    parts = [replace(office.part(i, "g")) for i in range(3)]
    forged_id = keccak(office.panel.hash + word.to_bytes(32, "big") + bytes(32) + feeds[1][2])
    parts[1] = replace(parts[1], feed_id=forged_id)
    signed = [office.sign_parts(i, parts) for i in range(2)]
    endorsements = [office.arguments([s], [0])[2][0][3][0] for s in signed]
    ((readings, *_),) = bundles
    forged = [(readings, [], [True, True], endorsements)]
    with refused("Measurement_Interval"):
        office.oracle.reportMany.call(
            panel_, [feeds[0], (word, *feeds[1][1:]), feeds[2]], forged, options
        )
    # A panel that cannot be, with signatures that fit it.
    desk = open_desk(panel(3, 1))
    with refused("MonitoringOracle_Quorum", 1, 3):
        Office(desk).report(Office(desk).sign(0, "g"))


def test_RevertWhen_ASignedFeedStandsForAnother(office):
    """The leaf names the feed: readings of one are none of another."""
    readings, proof, flags, endorsements = bundle_of(office, "g", "b", "g")
    leaves = [
        merkle.leaf(office.feed_ids[i], 0, pack_readings([code]))
        for i, code in ((1, GOOD), (0, 0), (2, GOOD))
    ]
    refuses_root(
        office, (readings, proof, flags, endorsements), merkle.root(leaves), desks=[1, 0, 2]
    )


def test_RevertWhen_ALeafIsTakenForATree(office):
    """Rule 21: leaves are hashed twice, so no 64 bytes that a reporter signs as a leaf are two nodes."""
    desk = office.desks[0]
    signed = desk.sign(0, 0, "g")
    leaf = merkle.leaf(desk.feed.id, 0, signed.readings)
    inner = keccak(desk.feed.id + bytes(32) + keccak(signed.readings))
    assert leaf == keccak(inner)
    # What is hashed once is no leaf: a tree of it has another root.
    assert bytes(office.oracle.leafOf(desk.feed.id, 0, signed.readings)) == leaf
    (bundle,) = Office(desk).arguments(Office(desk).all_sign("g"))[2]
    readings, _, _, endorsements = bundle
    pair = [keccak(b"left"), merkle.leaf(desk.feed.id, 0, readings[6:])]
    refuses_root(
        Office(desk), (readings, pair[:1], [False], endorsements), keccak(min(pair) + max(pair))
    )
