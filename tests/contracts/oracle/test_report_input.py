"""What `report` takes: configuration, batches, signatures, time. See `report.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

from dataclasses import replace

import brownie
import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from relayer.protocol import merkle
from relayer.protocol.feed import Panel
from relayer.protocol.measurement import Comparison
from relayer.protocol.readings import MAX_VALUE
from relayer.protocol.report import ALL_INTERVALS, batches_as_abi
from relayer.protocol.scope import Scope
from relayer.protocol.tally import Verdict
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.contracts.oracle.desk import GOOD, PARTIES, panel, refused, wallets

ZERO = "0x" + 40 * "0"
# Order of the secp256k1 group.
GROUP_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


# Configuration: rules 9 and 13


def refuses_panel(open_desk, panel_, error, *values):
    """The panel is refused before any signature is looked at."""
    feed = open_desk(panel_)
    with refused(error, *values):
        feed.send([(0, b"\0\0\0\1", [])])
    assert feed.state_slot() == 0


def test_RevertWhen_ThePanelIsEmpty(open_desk):
    refuses_panel(open_desk, Panel((), 1), "MonitoringOracle_PanelSize", 0)


def test_RevertWhen_ThePanelHasMoreThan31Reporters(open_desk):
    addresses = tuple(f"0x{i:040x}" for i in range(1, 33))
    refuses_panel(open_desk, Panel(addresses, 17), "MonitoringOracle_PanelSize", 32)


def test_When_ThePanelHas31Reporters(open_desk):
    feed = open_desk(panel(31))
    feed.judge("gb")
    assert feed.tally(0) == feed.expected("gb")


def test_RevertWhen_AReporterIsListedTwice(open_desk):
    first, _, third = panel().reporters
    for listed, index in (((first, first, third), 1), ((first, third, third), 2)):
        refuses_panel(open_desk, Panel(listed, 2), "MonitoringOracle_PanelOrder", index)


def test_RevertWhen_ReportersAreNotAscending(open_desk):
    first, second, third = panel().reporters
    refuses_panel(open_desk, Panel((second, first, third), 2), "MonitoringOracle_PanelOrder", 1)


def test_RevertWhen_AReporterIsTheZeroAddress(open_desk):
    """A signature that recovers nobody would be this reporter's."""
    refuses_panel(
        open_desk, Panel((ZERO, *panel().reporters[1:]), 2), "MonitoringOracle_PanelOrder", 0
    )
    refuses_panel(open_desk, Panel((ZERO,), 1), "MonitoringOracle_PanelOrder", 0)


@pytest.mark.parametrize(
    ("reporters", "quorum"),
    [
        *((1, 0), (1, 2), (2, 1), (2, 2), (3, 0), (3, 1), (3, 3)),
        *((4, 2), (4, 4), (5, 2), (5, 5), (31, 15), (31, 31), (31, 255)),
    ],
)
def test_RevertWhen_TheQuorumIsOutOfBounds(open_desk, reporters, quorum):
    """Rule 9: 1 of 1, else a majority of all and at most all but one; two reporters have no such quorum."""
    refuses_panel(open_desk, panel(reporters, quorum), "MonitoringOracle_Quorum", quorum, reporters)


@pytest.mark.parametrize(
    ("reporters", "quorum"), [(1, 1), (3, 2), (4, 3), (5, 3), (5, 4), (31, 16), (31, 30)]
)
def test_When_TheQuorumIsWithinBounds(open_desk, reporters, quorum):
    """Rule 9; one signature fewer than the quorum decides nothing."""
    feed = open_desk(panel(reporters, quorum))
    signed = feed.all_sign("g")
    if quorum > 1:
        with refused("MonitoringOracle_NoAgreement", 0):
            feed.report(*signed[1:])
    feed.report(*signed)
    assert feed.next == 1


DAY = 86_400
OUT_OF_BOUNDS = {
    "no interval": ({"interval": 0}, "Measurement_Interval", ()),
    "months of odd intervals": (
        {"window_intervals": 0, "interval": 7, "start": 7_000_000_000},
        "Measurement_Month",
        (7_000_000_000, 7),
    ),
    "months from within an interval": (
        {"window_intervals": 0, "start": 7_000_000_001},
        "Measurement_Month",
        (7_000_000_001, 60),
    ),
    "nothing of the first window": ({"offset": 60}, "Measurement_Offset", (60, 60)),
    "months with an offset": (
        {"window_intervals": 0, "offset": 1},
        "Measurement_Offset",
        (1, 0),
    ),
    "too many intervals": (
        {"interval": 1, "window_intervals": 2**22 + 1},
        "Measurement_Window",
        (2**22 + 1, 1),
    ),
    "too long a window": (
        {"interval": DAY, "window_intervals": 367},
        "Measurement_Window",
        (367, DAY),
    ),
    "deadline not after settling": (
        {"settle_delay": 600, "deadline": 600, "cadence": 0},
        "Measurement_Deadline",
        (600, 0, 600),
    ),
    "deadline before two cadences": (
        {"settle_delay": 30, "deadline": 1_229, "cadence": 600},
        "Measurement_Deadline",
        (30, 600, 1_229),
    ),
    "too late a deadline": (
        {"deadline": 30 * DAY + 1},
        "Measurement_Deadline",
        (30, 600, 30 * DAY + 1),
    ),
}
AT_BOUNDS = {
    "shortest": {"interval": 1, "window_intervals": 1, "settle_delay": 0},
    "most intervals": {"interval": 7, "window_intervals": 2**22},
    "longest window": {"interval": DAY, "window_intervals": 366},
    "deadline just after settling": {"settle_delay": 600, "deadline": 601, "cadence": 0},
    "deadline at two cadences": {"settle_delay": 30, "deadline": 1_230, "cadence": 600},
    "latest deadline": {"deadline": 30 * DAY},
    "months": {"window_intervals": 0},
    "one interval of the first window": {"offset": 59},
    "longest notice": {"notice": 2**24 - 1},
}


def word_of(measurement):
    fields = (
        (measurement.start, 0),
        (measurement.interval, 40),
        (measurement.window_intervals, 64),
        (measurement.settle_delay, 88),
        (measurement.deadline, 112),
        (measurement.cadence, 136),
        (int(measurement.comparison), 160),
        (measurement.threshold, 168),
        (measurement.offset, 200),
        (measurement.notice, 224),
    )
    return sum(value << low for value, low in fields)


@pytest.mark.parametrize("case", OUT_OF_BOUNDS)
def test_RevertWhen_TheMeasurementIsOutOfBounds(oracle, start, case):
    """Rules 2 and 13."""
    changes, error, values = OUT_OF_BOUNDS[case]
    word = word_of(samples.measurement(**({"start": start} | changes)))
    refuses_word(oracle, word, error, *values)


@pytest.mark.parametrize(
    ("bits", "error", "values"),
    [
        (1 << 248, "Measurement_ReservedBits", ()),
        (1 << 255, "Measurement_ReservedBits", ()),
        (6 << 160, "Measurement_Comparison", (6 | Comparison.AT_LEAST,)),
        (0xFF << 160, "Measurement_Comparison", (255,)),
    ],
)
def test_RevertWhen_TheMeasurementIsOutOfBounds_in_bits_that_no_measurement_sets(
    oracle, start, bits, error, values
):
    word = word_of(samples.measurement(start)) | bits
    refuses_word(oracle, word, error, *values)


def refuses_word(oracle, word, error, *values):
    refuses_words(oracle, (panel().as_abi(), word, 0, b"\xde" * 32), error, *values)


def refuses_words(oracle, feed, error, *values):
    batches = [(0, b"\0\0\0\1", [])]
    with refused(error, *values):
        oracle.report.call(feed, ALL_INTERVALS, batches, {"from": brownie.accounts[5]})


@pytest.mark.parametrize("case", AT_BOUNDS)
def test_When_TheMeasurementIsAtItsBounds(open_desk, case):
    """Rules 2 and 13."""
    feed = open_desk(**AT_BOUNDS[case])
    feed.judge("g")
    assert feed.next == 1


SCOPES = {
    "best is worst": (7 | 7 << 32, "Scope_Range", (7, 7)),
    "best is no number": (2**32 - 2, "Scope_Range", (2**32 - 2, 0)),
    "worst is no number": ((2**32 - 1) << 32, "Scope_Range", (0, 2**32 - 1)),
    "never judged": (((1 << 168) - 1) << 88, "Scope_Hours", ()),
}


@pytest.mark.parametrize("case", SCOPES)
def test_RevertWhen_TheScopeIsOutOfBounds(oracle, start, case):
    """Rules 13 and 19."""
    scope, error, values = SCOPES[case]
    word = word_of(samples.measurement(start))
    refuses_words(oracle, (panel().as_abi(), word, scope, b"\xde" * 32), error, *values)


@pytest.mark.parametrize(
    "changes", [{"interval": 7}, {"interval": 7_200}, {"start": 7_000_000_001}]
)
def test_RevertWhen_TheScopeIsOutOfBounds_for_the_intervals(oracle, start, changes):
    """Rule 13: an hour off holds whole intervals."""
    word = word_of(samples.measurement(**({"start": start} | changes)))
    refuses_words(oracle, (panel().as_abi(), word, 1 << 88, b"\xde" * 32), "Scope_Hours")


@pytest.mark.parametrize(
    "scope",
    [Scope(best=1), Scope(worst=MAX_VALUE), Scope(hours_off=(1 << 168) - 2), Scope(allowance=60)],
    ids=str,
)
def test_When_TheScopeIsWithinBounds(open_desk, scope):
    feed = open_desk(scope=scope)
    feed.report(*feed.all_sign("g"))
    assert feed.next == 1


# Batches


def test_RevertWhen_ThereIsNoBatch(feed):
    with refused("MonitoringOracle_NoBatch"):
        feed.send([])


def test_RevertWhen_ABatchHasNoReadings(feed):
    signed = [feed.sign(0, 0, "g"), feed.sign(1, 0, b"")]
    with refused("MonitoringOracle_ReadingsLength", 0):
        feed.report(*signed)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 63])
def test_RevertWhen_TheReadingsAreNoWholeNumber(feed, length):
    readings = b"\1" * length
    feed.wait(feed.settled(60))
    with refused("MonitoringOracle_ReadingsLength", length):
        feed.send([feed.sign(i, 0, readings) for i in range(2)])


@pytest.mark.parametrize("index", [3, 31, 255])
def test_RevertWhen_TheReporterIsNotOfThePanel(feed, index):
    signed = feed.all_sign("g")
    signed[1] = replace(signed[1], reporter=index)
    with refused("MonitoringOracle_UnknownReporter", index, 3):
        feed.report(*signed)


@pytest.mark.parametrize("second", ["g", "b", "gg"])
def test_RevertWhen_AReporterSignedTwoBatches(feed, second):
    """One reporter is no quorum, whether it signs the same again, the contrary or more."""
    with refused("MonitoringOracle_ReporterTwice", 1):
        feed.report(feed.sign(1, 0, "g"), feed.sign(1, 0, second))


def test_RevertWhen_NobodySigned(feed):
    feed.wait(feed.settled(1))
    with refused("MonitoringOracle_AlreadyJudged", 0, 0):
        feed.send([(0, b"\0\0\0\1", [])])
    assert feed.state_slot() == 0


def test_When_AnUnsignedBatchComesAlong(feed):
    """Neither before nor after the signed ones does it decide, dissent or stand for a reporter."""
    feed.wait(feed.settled(2))
    signed = batches_as_abi(feed.all_sign("g"))
    unsigned = (0, b"\0" * 8, [])
    with refused("MonitoringOracle_NoAgreement", 0):
        feed.send([unsigned, *batches_as_abi([feed.sign(0, 0, "g")])])
    tx = feed.send([unsigned, *signed, unsigned])
    assert feed.state == (1, Verdict.GOOD)
    assert feed.value == GOOD
    assert tx.events["Judged"]["heard"] == 0b11
    assert tx.events["Judged"]["dissenters"] == 0


# Signatures


def refuses_signer(feed, forged, recovered):
    """The forgery is refused beside a quorum of honest signatures, and names whom it recovers."""
    expected = feed.feed.panel.reporters[forged.reporter]
    honest = [feed.sign(i, 0, "g") for i in range(3) if i != forged.reporter]
    feed.wait(feed.settled(10))
    with refused("MonitoringOracle_WrongSigner", forged.reporter, recovered, expected):
        feed.send([*honest, forged])


def test_RevertWhen_AnotherReporterSigned(feed):
    refuses_signer(feed, replace(feed.sign(0, 0, "g"), reporter=1), feed.feed.panel.reporters[0])


def test_RevertWhen_AnOutsiderSigned(feed):
    outsider = samples.wallet(5)
    refuses_signer(feed, feed.sign(1, 0, "g", key=outsider), outsider.address)


def recovered_from(feed, signed, message_of):
    """Whom a signature made for something else recovers when it is taken for this batch."""
    digest = keccak(b"\x19\x01" + domain_separator(feed.domain) + message_of)
    r, s, v = signed.signature[:32], signed.signature[32:64], signed.signature[64]
    vrs = (v, int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    return Account._recover_hash(digest, vrs=vrs)


def domain_separator(domain):
    type_hash = keccak(
        text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    )
    name, version = keccak(text="Makegood MonitoringOracle"), keccak(text="1")
    kinds = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
    return keccak(encode(kinds, [type_hash, name, version, domain.chain_id, domain.contract]))


def struct_hash(feed_id, batch):
    root = merkle.leaf(feed_id, batch.first, batch.readings)
    return keccak(keccak(text="Batch(bytes32 root,bytes32 evidence)") + root + batch.evidence)


def refuses_altered(feed, presented):
    recovered = recovered_from(feed, presented, struct_hash(feed.feed.id, presented))
    assert recovered != feed.feed.panel.reporters[presented.reporter]
    refuses_signer(feed, presented, recovered)


def test_RevertWhen_TheSignatureIsForAnotherChain(feed):
    """Rule 21: the domain follows the chain id."""
    other = Domain(feed.domain.chain_id + 1, feed.domain.contract)
    refuses_altered(feed, feed.sign(1, 0, "g", domain=other))


def test_RevertWhen_TheSignatureIsForAnotherOracle(feed):
    twin = brownie.MonitoringOracle.deploy({"from": brownie.accounts[0]})
    other = Domain(feed.domain.chain_id, twin.address)
    refuses_altered(feed, feed.sign(1, 0, "g", domain=other))


ALTERED_BATCH = {
    "first": lambda batch: replace(batch, first=1),
    "readings": lambda batch: replace(batch, readings=b"\0\0\0\0"),
    "readings, one more": lambda batch: replace(batch, readings=batch.readings * 2),
    "evidence": lambda batch: replace(batch, evidence=b"\1" + bytes(31)),
}


@pytest.mark.parametrize("field", ALTERED_BATCH)
def test_RevertWhen_ASignedFieldIsAltered(feed, field):
    refuses_altered(feed, ALTERED_BATCH[field](feed.sign(1, 0, "g")))


@pytest.mark.parametrize(
    ("panel_", "descriptor", "changes"),
    [
        (panel(3, 2, tolerance=1), b"\xde" * 32, {}),
        (panel(5, 3), b"\xde" * 32, {}),
        (panel(), b"\xdf" * 32, {}),
        (panel(), b"\xde" * 32, {"threshold": 990_001}),
        (panel(), b"\xde" * 32, {"comparison": Comparison.MORE_THAN}),
        (panel(), b"\xde" * 32, {"interval": 61}),
        (panel(), b"\xde" * 32, {"window_intervals": 61}),
        (panel(), b"\xde" * 32, {"settle_delay": 29}),
        (panel(), b"\xde" * 32, {"deadline": 7_201}),
        (panel(), b"\xde" * 32, {"cadence": 599}),
        (panel(), b"\xde" * 32, {"offset": 1}),
        (panel(), b"\xde" * 32, {"notice": 1}),
        (panel(), b"\xde" * 32, {"scope": Scope(allowance=1)}),
        (panel(), b"\xde" * 32, {"scope": Scope(worst=1)}),
        (panel(3, parties=PARTIES), b"\xde" * 32, {}),
    ],
    ids=lambda value: str(value)[:24],
)
def test_RevertWhen_ASignedFieldIsAltered_of_the_feed(feed, open_desk, panel_, descriptor, changes):
    """A reading of one feed is none of another, however little they differ."""
    other = open_desk(panel_, descriptor, **changes)
    key = wallets(3)[1]
    reporter = other.feed.panel.reporters.index(key.address)
    signed = replace(other.sign(reporter, 0, "g"), reporter=1)
    refuses_altered(feed, signed)


def test_RevertWhen_SIsHigh(feed):
    """Rule 21: the other signature that elliptic curves offer for every one is none here."""
    signed = feed.sign(1, 0, "g")
    s = GROUP_ORDER - int.from_bytes(signed.signature[32:64], "big")
    # s takes all 256 bits, so in EIP-2098's form its top bit is read as the parity: both are tried.
    for parity in (27, 28):
        low_bits = s & (1 << 255) - 1
        signature = signed.signature[:32] + low_bits.to_bytes(32, "big") + bytes([parity])
        forged = replace(signed, signature=signature)
        if low_bits > GROUP_ORDER // 2:
            refuses_signer(feed, forged, ZERO)
        else:
            refuses_altered(feed, forged)


@pytest.mark.parametrize("parity", [27, 28])
@pytest.mark.parametrize("s", [GROUP_ORDER // 2 + 1, (1 << 255) - 1])
def test_RevertWhen_SIsHigh_by_any_amount(feed, s, parity):
    signed = feed.sign(1, 0, "g")
    signature = signed.signature[:32] + s.to_bytes(32, "big") + bytes([parity])
    refuses_signer(feed, replace(signed, signature=signature), ZERO)


def test_RevertWhen_TheParityIsFlipped(feed):
    signed = feed.sign(1, 0, "g")
    flipped = bytes([27 + 28 - signed.signature[64]])
    refuses_altered(feed, replace(signed, signature=signed.signature[:64] + flipped))


def test_RevertWhen_TheSignatureIsZero(feed):
    refuses_signer(feed, replace(feed.sign(1, 0, "g"), signature=bytes(64) + b"\x1b"), ZERO)


# Time: rule 25


def test_RevertWhen_AnIntervalHasNotSettled(feed, start):
    """An interval is read once it is over and its delay has passed, not a second before."""
    signed = feed.all_sign("ggg")
    available_at = start + 3 * 60 + 30
    feed.wait(available_at - 1)
    with refused("MonitoringOracle_TooEarly", 2, available_at):
        feed.send(signed)


def test_When_TheLastIntervalHasJustSettled(feed, start):
    signed = feed.all_sign("ggg")
    feed.wait(start + 3 * 60 + 30)
    tx = feed.send(signed)
    assert tx.timestamp == start + 3 * 60 + 30
    assert feed.next == 3
    assert feed.advanced_at == tx.timestamp


@pytest.mark.parametrize("first", [0, 1])
def test_RevertWhen_OneBatchReachesIntoTheFuture(feed, start, first):
    """Even if it is a single reporter's, and the others would agree on what is over."""
    signed = [feed.sign(0, 0, "gg"), feed.sign(1, 0, "gg"), feed.sign(2, first, "ggg"[first:])]
    feed.wait(feed.settled(2))
    with refused("MonitoringOracle_TooEarly", 2, start + 3 * 60 + 30):
        feed.send(signed)


def test_RevertWhen_OneBatchReachesIntoTheFuture_as_far_as_numbers_go(feed, start):
    last = 2**32 - 2
    signed = [feed.sign(i, last, "gg") for i in range(3)]
    feed.wait(feed.settled(2))
    with refused("MonitoringOracle_TooEarly", last, start + (last + 1) * 60 + 30):
        feed.send(signed)
