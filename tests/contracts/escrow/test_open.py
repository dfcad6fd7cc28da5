"""Opening an agreement: `open.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest
from eth_account.messages import SignableMessage, encode_defunct
from eth_utils.crypto import keccak

from relayer.protocol.measurement import Comparison
from relayer.protocol.terms import Combination, Level, Measure, Tier, UnknownPolicy
from relayer.protocol.typed_data import Domain, batch_message, sign, terms_message
from tests import samples
from tests.contracts.escrow.world import (
    BURN_GAS,
    FUNDED,
    OPEN,
    REENTERED,
    REVERT,
    UNFUNDED,
    events,
    on_ganache,
    refused,
    request,
    tally_answer,
)

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DAY = 86_400


def test_When_BothPartiesHaveSigned(world):
    """Rules 12 and 21."""
    terms = world.terms(prepaid_windows=2)
    id_ = world.id_of(terms)

    tx = world.open(terms)

    assert tx.return_value == "0x" + id_.hex()
    assert world.escrow.status(id_) == OPEN
    assert [world.window(terms, w) for w in range(3)] == [(FUNDED, 0), (FUNDED, 0), (UNFUNDED, 0)]
    assert world.balances() == (0, 0, 2 * samples.FEE)
    assert world.escrow.held(world.token) == 2 * samples.FEE
    assert events(tx, "Opened") == [
        {
            "id": "0x" + id_.hex(),
            "provider": world.provider,
            "consumer": world.consumer,
            "token": world.token,
            "feePerWindow": samples.FEE,
            "windows": 3,
            "document": "0x" + terms.document.hex(),
        }
    ]
    assert events(tx, "Funded") == [
        {
            "id": "0x" + id_.hex(),
            "first": 0,
            "count": 2,
            "amount": 2 * samples.FEE,
            "payer": world.consumer,
        }
    ]


def test_When_AStrangerBringsTheSignatures(world):
    """Rule 12: the consumer's allowance is not the stranger's to use."""
    terms = world.terms()
    world.give(world.consumer, 5 * samples.FEE)

    world.open(terms, payer=world.stranger)

    assert world.token.balanceOf(world.consumer) == 5 * samples.FEE
    assert world.token.allowance(world.consumer, world.escrow) == 5 * samples.FEE
    assert world.token.balanceOf(world.stranger) == 0
    assert world.escrow.held(world.token) == samples.FEE


def test_When_NoWindowIsPrepaid(world):
    terms = world.terms(prepaid_windows=0)

    tx = world.open(terms)

    assert "Funded" not in tx.events
    assert world.escrow.status(world.id_of(terms)) == OPEN
    assert world.window(terms) == (UNFUNDED, 0)
    assert world.escrow.held(world.token) == 0


def test_When_ItIsTheLastSecond(world):
    """Rule 1: openBy is the last time at which an agreement is opened, and may be its start."""
    terms = world.terms(prepaid_windows=0)
    world.at(terms.open_by)
    world.open(terms)
    assert world.now == terms.open_by == terms.start
    assert world.escrow.status(world.id_of(terms)) == OPEN


def test_RevertWhen_OpenByIsOver(world):
    """Rule 1: a signature is no option on a past that is known."""
    terms = world.terms(prepaid_windows=0, open_by=world.start - 600)
    world.at(terms.open_by + 1)
    with refused("SLAEscrow_TooLateToOpen", terms.open_by):
        world.open(terms)


def test_RevertWhen_APrepaidWindowHasBegun(world):
    """Rule 11: also in the very second in which it begins, which openBy may allow."""
    terms = world.terms()
    world.give(world.consumer, samples.FEE)
    world.at(terms.start)
    with refused("SLAEscrow_WindowBegan", 0, terms.start):
        world.escrow.open(
            terms.as_abi(), *samples.signatures(world.domain, terms), {"from": world.consumer}
        )


def test_RevertWhen_TheOracleHasJudgedAnIntervalOfTheFirstWindow(scripted):
    """Rule 1. An honest oracle cannot have; but only the oracle's word counts."""
    world = scripted
    terms = world.terms(prepaid_windows=0)
    world.oracle.script(0, tally_answer(judged=1), {"from": world.stranger})
    with refused("SLAEscrow_AlreadyJudged", 0):
        world.try_open(terms)
    world.oracle.script(0, tally_answer(judged=0), {"from": world.stranger})
    world.open(terms)


def test_RevertWhen_OnlyALaterLevelsFeedHasJudgedAnIntervalOfTheFirstWindow(world):
    """Rule 1 holds for every feed of the agreement."""
    feeds = [world.feed(descriptor=bytes([i]) * 32) for i in range(3)]
    # The oracle's storage is forced to what its rules do not allow: next interval 1.
    slot = "0x" + keccak(feeds[1].id + (2).to_bytes(32, "big")).hex()
    method = "evm_setAccountStorageAt" if on_ganache() else "anvil_setStorageAt"
    request(method, world.oracle.address, slot, "0x" + (1).to_bytes(32, "big").hex())
    assert world.oracle.latest(feeds[1].id)[0] == 1
    with refused("SLAEscrow_AlreadyJudged", 1):
        world.try_open(world.terms(*feeds, prepaid_windows=0))


def test_When_FeedsWereJudgedBeforeTheFirstWindowOnly(world):
    """Rules 1 and 8: a feed may have a past, just not in the agreement."""
    feed = world.feed()
    world.judge(feed, "b" * 59)
    terms = world.terms(
        feed, start=world.start + 2 * 3_600, open_by=world.start + 2 * 3_600, windows=1
    )
    world.open(terms)
    assert world.claimable(terms) == (0, 0, False)


@pytest.mark.parametrize("mode", [REVERT, BURN_GAS])
def test_RevertWhen_TheOracleGivesNoSoundAnswer(scripted, mode):
    """Rule 13 is for exits; into an agreement with a dead oracle nobody is let."""
    world = scripted
    terms = world.terms(prepaid_windows=0)
    world.oracle.script(mode, b"", {"from": world.stranger})
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(0)):
        world.try_open(terms)


def test_RevertGiven_TheIdIsOpen(world):
    """Rule 21: an id is used once, also when the agreement is over."""
    terms = world.opened()
    with refused("SLAEscrow_IdUsed", world.id_of(terms), 1):
        world.try_open(terms)


def test_RevertGiven_TheIdIsRevoked(world):
    """Rule 21."""
    terms = world.terms()
    world.escrow.revoke(terms.as_abi(), {"from": world.provider})
    with refused("SLAEscrow_IdUsed", world.id_of(terms), 2):
        world.try_open(terms)


# SIGNATURES


def test_RevertWhen_ASignatureIsSomebodyElses(world):
    """Rule 21."""
    terms = world.terms(prepaid_windows=0)
    provider, consumer = samples.signatures(world.domain, terms)
    forged = sign(samples.wallet(3), terms_message(world.domain, terms))
    with refused("SLAEscrow_InvalidSignature", terms.provider):
        world.try_open(terms, (forged, consumer))
    with refused("SLAEscrow_InvalidSignature", terms.consumer):
        world.try_open(terms, (provider, forged))


def test_RevertWhen_TheSignaturesAreSwapped(world):
    """Rule 21: nor may one party sign for both."""
    terms = world.terms(prepaid_windows=0)
    provider, consumer = samples.signatures(world.domain, terms)
    with refused("SLAEscrow_InvalidSignature", terms.provider):
        world.try_open(terms, (consumer, provider))
    with refused("SLAEscrow_InvalidSignature", terms.consumer):
        world.try_open(terms, (provider, provider))


@pytest.mark.parametrize("length", [0, 1, 64, 66, 130])
def test_RevertWhen_ASignatureIsMalformed(world, length):
    """Rule 21: neither a short, a long nor an empty one counts for the zero address or anybody else."""
    terms = world.terms(prepaid_windows=0)
    provider, consumer = samples.signatures(world.domain, terms)
    with refused("SLAEscrow_InvalidSignature", terms.provider):
        world.try_open(terms, ((provider * 2)[:length], consumer))


def test_RevertWhen_ASignatureIsTheOtherOneOfTheSameKey(world):
    """Rule 21: of the two signatures that a key's (r, s, v) can be turned into, one is accepted."""
    terms = world.terms(prepaid_windows=0)
    provider, consumer = samples.signatures(world.domain, terms)
    s = SECP256K1_ORDER - int.from_bytes(provider[32:64], "big")
    other = provider[:32] + s.to_bytes(32, "big") + bytes([55 - provider[64]])
    with refused("SLAEscrow_InvalidSignature", terms.provider):
        world.try_open(terms, (other, consumer))


def test_RevertWhen_ASignatureIsOfAnotherChain(world):
    """Rule 21."""
    terms = world.terms(prepaid_windows=0)
    elsewhere = samples.signatures(Domain(world.domain.chain_id + 1, world.escrow.address), terms)
    with refused("SLAEscrow_InvalidSignature", terms.provider):
        world.try_open(terms, elsewhere)


def test_RevertWhen_ASignatureIsOfAnotherContract(world):
    """Rule 21: not even of another escrow of this kind."""
    terms = world.terms(prepaid_windows=0)
    other = brownie.SLAEscrow.deploy({"from": world.stranger})
    with refused("SLAEscrow_InvalidSignature", terms.provider):
        world.try_open(
            terms, samples.signatures(Domain(world.domain.chain_id, other.address), terms)
        )


def test_RevertWhen_ASignatureIsOfAnotherKindOfMessage(world):
    """Rule 21: one type per kind of message; a login or a reading never opens an agreement."""
    terms = world.terms(prepaid_windows=0)
    id_ = world.id_of(terms)
    consumer = sign(samples.wallet(2), terms_message(world.domain, terms))
    for message in (encode_defunct(id_), batch_message(world.domain, id_, 0, b"", bytes(32))):
        with refused("SLAEscrow_InvalidSignature", terms.provider):
            world.try_open(terms, (sign(samples.wallet(1), message), consumer))


def _level(index, **changes):
    def change(terms, _):
        levels = list(terms.levels)
        levels[index] = replace(levels[index], **changes)
        return replace(terms, levels=tuple(levels))

    return change


def _tiers(*tiers):
    return _level(0, tiers=tiers)


def _feed(**changes):
    def change(terms, _):
        feed = terms.levels[0].feed
        feeds = changes | {
            "measurement": replace(feed.measurement, **changes.get("measurement", {}))
        }
        return _level(0, feed=replace(feed, **feeds))(terms, _)

    return change


def _set(**changes):
    return lambda terms, _: replace(terms, **changes)


def _shift(name, by):
    return lambda terms, _: replace(terms, **{name: getattr(terms, name) + by})


A, B, C = samples.TIERS
# Every field that is signed, each changed to another value that the escrow would accept.
CHANGES = {
    "provider": _set(provider=samples.wallet(4).address),
    "consumer": _set(consumer=samples.wallet(4).address),
    "token": lambda terms, spare: replace(terms, token=spare.address),
    "oracle": lambda terms, spare: replace(terms, oracle=spare.address),
    "start": _shift("start", 3_600),
    "openBy": _shift("open_by", -1),
    "feePerWindow": _shift("fee_per_window", 1),
    "windows": _shift("windows", 1),
    "prepaidWindows": _set(prepaid_windows=1),
    "levels fewer": lambda terms, _: replace(terms, levels=terms.levels[:1]),
    "levels reordered": lambda terms, _: replace(terms, levels=terms.levels[::-1]),
    "levels twice": lambda terms, _: replace(terms, levels=(*terms.levels, terms.levels[1])),
    "feed.panel": _feed(panel=b"\x01" * 32),
    "feed.measurement": _feed(measurement={"threshold": 989_999}),
    "feed.measurement comparison": _feed(measurement={"comparison": Comparison.MORE_THAN}),
    "feed.descriptor": _feed(descriptor=b"\x01" * 32),
    "feed of the second level": lambda terms, _: replace(
        terms, levels=(terms.levels[0], replace(terms.levels[1], feed=terms.levels[0].feed))
    ),
    "tiers fewer": _tiers(A, B),
    "tiers reordered": _tiers(B, A, C),
    "tier.measure": _tiers(A, replace(B, measure=Measure.BAD_RUN_AT_LEAST), C),
    "tier.limit": _tiers(A, B, replace(C, limit=C.limit + 1)),
    "tier.credit": _tiers(replace(A, credit=A.credit - 1), B, C),
    "creditPerBadInterval": _level(0, credit_per_bad_interval=1),
    "removeNotApplicable": _level(1, remove_not_applicable=True),
    "combination": _set(combination=Combination.SUM),
    "creditCap": _shift("credit_cap", -1),
    "unknownPolicy": _set(unknown_policy=UnknownPolicy.GOOD),
    "unknownPolicy bad": _set(unknown_policy=UnknownPolicy.BAD),
    "unknownLimit": _shift("unknown_limit", -1),
    "unknownCredit": _shift("unknown_credit", 1),
    "document": _set(document=b"\x01" * 32),
    "salt": _set(salt=b"\x01" * 32),
}


@pytest.fixture(scope="module")
def spare(module_isolation):
    """Another contract, good enough for a token that is not used yet and for an oracle."""
    return brownie.MonitoringOracle.deploy({"from": brownie.accounts[0]})


def _changed(world, name, spare):
    """Valid terms, and the same with one field changed, valid as well."""
    feeds = [world.feed(descriptor=bytes([i]) * 32) for i in range(2)]
    terms = world.terms(*feeds, prepaid_windows=0)
    return terms, CHANGES[name](terms, spare)


def _keys(terms):
    by_address = {samples.wallet(i).address: samples.wallet(i) for i in (1, 2, 4)}
    return by_address[terms.provider], by_address[terms.consumer]


@pytest.mark.parametrize("name", CHANGES)
def test_RevertWhen_AFieldDiffersFromWhatWasSigned(world, spare, name):
    """Rule 21: every signed field is bound, for each of the two who sign."""
    terms, changed = _changed(world, name, spare)
    old, new = terms_message(world.domain, terms), terms_message(world.domain, changed)
    provider, consumer = _keys(changed)
    with refused("SLAEscrow_InvalidSignature", changed.provider):
        world.try_open(changed, (sign(provider, old), sign(consumer, new)))
    with refused("SLAEscrow_InvalidSignature", changed.consumer):
        world.try_open(changed, (sign(provider, new), sign(consumer, old)))


def test_When_EveryFieldIsChangedAndSignedAgain(world, spare):
    """Rule 21: what the last test refuses is the missing signature, not the terms; and no two terms share an id."""
    world.give(world.consumer, 2 * samples.FEE)
    ids = set()
    for name in CHANGES:
        terms, changed = _changed(world, name, spare)
        message = terms_message(world.domain, changed)
        provider, consumer = _keys(changed)
        id_ = world.try_open(changed, (sign(provider, message), sign(consumer, message)))
        assert id_ == "0x" + world.id_of(changed).hex()
        ids |= {world.id_of(terms), world.id_of(changed)}
    assert len(ids) == len(CHANGES) + 1


# Where words stand in the calldata of terms with one level and one tier, and how many bits of each its type has.
NARROW = {
    **{name: (i, 160) for i, name in enumerate(("provider", "consumer", "token", "oracle"))},
    "start": (4, 40),
    "openBy": (5, 40),
    "feePerWindow": (6, 128),
    "windows": (7, 16),
    "prepaidWindows": (8, 16),
    "combination": (10, 1),
    "creditCap": (11, 16),
    "unknownPolicy": (12, 2),
    "unknownLimit": (13, 32),
    "unknownCredit": (14, 16),
    # 17 words of terms, the levels' number and offset, 3 words of feed, the tiers' offset
    "creditPerBadInterval": (17 + 2 + 4, 16),
    "removeNotApplicable": (17 + 2 + 5, 1),
    "tier.measure": (26, 2),
    "tier.limit": (27, 32),
    "tier.credit": (28, 16),
}


def _with_bit(data, start, word, bit):
    """Encoded terms begin at `start`."""
    first = start + 32 * word
    value = int.from_bytes(data[first : first + 32], "big") | 1 << bit
    return data[:first] + value.to_bytes(32, "big") + data[first + 32 :]


@pytest.mark.parametrize("name", NARROW)
def test_RevertWhen_AWordHoldsWhatItsTypeDoesNotAllow(world, harness, name):
    """Rule 21: there is one encoding of terms. Another would be another id, over terms that nobody can read again."""
    word, width = NARROW[name]
    feed = world.feed()
    levels = (Level(feed.ref, (Tier(Measure.BAD_RUN_AT_LEAST, 1, 1),), 1),)
    terms = world.terms(feed, levels=levels, prepaid_windows=0)
    message = terms_message(world.domain, terms)

    def answer(bit):
        hashed = bytes.fromhex(harness.hashTerms.encode_input(terms.as_abi())[2:])
        if bit is not None:
            hashed = _with_bit(hashed, 36, word, bit)
        told = _call(harness, hashed)
        # Both sign just these words; if nobody gives them a hash, what they would have signed otherwise.
        body = bytes.fromhex(told["result"][2:]) if "error" not in told else message.body
        raw = SignableMessage(message.version, message.header, body)
        signatures = sign(samples.wallet(1), raw), sign(samples.wallet(2), raw)
        data = bytes.fromhex(world.escrow.open.encode_input(terms.as_abi(), *signatures)[2:])
        if bit is not None:
            data = _with_bit(data, 4 + 96, word, bit)
        return _call(world.escrow, data)

    assert answer(None)["result"] == "0x" + world.id_of(terms).hex()
    for bit in (width, 255):
        assert "error" in answer(bit)


def _call(contract, data):
    call = {"from": str(brownie.accounts[2]), "to": contract.address, "data": "0x" + data.hex()}
    return brownie.web3.provider.make_request("eth_call", [call, "latest"])


# WALLETS


def test_When_PartiesAreWalletContracts(world):
    """Rule 21: ERC-1271."""
    wallets = [
        brownie.MockWallet.deploy(world.provider, {"from": world.provider}),
        brownie.MockWallet.deploy(world.consumer, {"from": world.consumer}),
    ]
    for salt, (provider, consumer) in enumerate(
        [
            (wallets[0].address, wallets[1].address),
            (wallets[0].address, samples.wallet(2).address),
            (samples.wallet(1).address, wallets[1].address),
        ]
    ):
        terms = world.terms(provider=provider, consumer=consumer, salt=bytes([salt]) * 32)
        world.open(terms)
        assert world.escrow.status(world.id_of(terms)) == OPEN


def test_RevertWhen_AWalletContractRefuses(world):
    """Rule 21: the signature is good, but its signer is not the wallet's owner."""
    wallet = brownie.MockWallet.deploy(world.stranger, {"from": world.stranger})
    with refused("SLAEscrow_InvalidSignature", wallet.address):
        world.try_open(world.terms(provider=wallet.address, prepaid_windows=0))
    with refused("SLAEscrow_InvalidSignature", wallet.address):
        world.try_open(world.terms(consumer=wallet.address, prepaid_windows=0))


def test_RevertWhen_APartyIsAContractThatIsNoWallet(world):
    """Rule 21: neither a contract that reverts nor one that answers something counts as one that agrees."""
    scripted = brownie.ScriptedOracle.deploy({"from": world.stranger})
    for party in (world.token, scripted):
        with refused("SLAEscrow_InvalidSignature", party.address):
            world.try_open(world.terms(provider=party.address, prepaid_windows=0))
    # The magic value with dirt behind it, and the magic value in the wrong place.
    for answer in ("1626ba7e" + "00" * 27 + "01", "00" * 28 + "1626ba7e"):
        scripted.script(0, bytes.fromhex(answer), {"from": world.stranger})
        with refused("SLAEscrow_InvalidSignature", scripted.address):
            world.try_open(world.terms(provider=scripted.address, prepaid_windows=0))


# BOUNDS


def _tier(measure, limit, credit):
    return {"levels": lambda levels: (replace(levels[0], tiers=(Tier(measure, limit, credit),)),)}


def _per_bad(credit, tiers=()):
    return {
        "levels": lambda levels: (replace(levels[0], tiers=tiers, credit_per_bad_interval=credit),)
    }


ZERO = "0x" + "00" * 20
AVAILABILITY, INTERVALS, RUN = Measure
# What to change, and the error with its values; names of fields stand for their values.
OUT_OF_BOUNDS = {
    "one party": ({"consumer": samples.wallet(1).address}, "Party", "provider", "consumer"),
    "no provider": ({"provider": ZERO}, "Party", "provider", "consumer"),
    "no consumer": ({"consumer": ZERO}, "Party", "provider", "consumer"),
    "escrow provides": ({"provider": "escrow"}, "Party", "provider", "consumer"),
    "escrow consumes": ({"consumer": "escrow"}, "Party", "provider", "consumer"),
    "token no contract": ({"token": samples.wallet(5).address}, "NoContract", "token"),
    "oracle no contract": ({"oracle": samples.wallet(5).address}, "NoContract", "oracle"),
    "openBy after start": ({"open_by": lambda t: t + 1}, "Times", "open_by", "start"),
    "no fee": ({"fee_per_window": 0}, "NoFee"),
    "no windows": ({"windows": 0}, "Windows", 0, 0),
    "prepaid too many": ({"windows": 2, "prepaid_windows": 3}, "Windows", 3, 2),
    "cap 0": ({"credit_cap": 0}, "Credit", 0),
    "cap over 100 %": ({"credit_cap": 10_001}, "Credit", 10_001),
    "default over 100 %": ({"unknown_credit": 10_001}, "Credit", 10_001),
    "unknown limit over 100 %": ({"unknown_limit": 1_000_001}, "UnknownLimit", 1_000_001),
    "no level": ({"levels": lambda _: ()}, "Levels", 0),
    "9 levels": ({"levels": lambda levels: levels * 9}, "Levels", 9),
    "9 tiers": (
        {"levels": lambda levels: (levels[0], replace(levels[0], tiers=(A,) * 9))},
        "Tiers",
        1,
        9,
    ),
    "no credit": (_per_bad(0), "Tiers", 0, 0),
    "per bad interval over 100 %": (_per_bad(10_001), "Credit", 10_001),
    "availability 0": (_tier(AVAILABILITY, 0, 1), "Tier", 0, 0),
    "availability over 100 %": (_tier(AVAILABILITY, 1_000_001, 1), "Tier", 0, 0),
    "0 bad intervals": (_tier(INTERVALS, 0, 1), "Tier", 0, 0),
    "more bad intervals than there are": (_tier(INTERVALS, 61, 1), "Tier", 0, 0),
    "run of 0": (_tier(RUN, 0, 1), "Tier", 0, 0),
    "run longer than a window": (_tier(RUN, 61, 1), "Tier", 0, 0),
    "tier of 0 %": (_tier(INTERVALS, 1, 0), "Tier", 0, 0),
    "tier over 100 %": (_tier(INTERVALS, 1, 10_001), "Tier", 0, 0),
    "second tier": (_per_bad(0, (A, Tier(RUN, 61, 1))), "Tier", 0, 1),
}
WITHIN_BOUNDS = {
    "100 %": {"credit_cap": 10_000, "unknown_credit": 10_000, "unknown_limit": 1_000_000},
    "least": {"credit_cap": 1, "unknown_limit": 0, "fee_per_window": 1, "windows": 1},
    "largest": {"fee_per_window": 2**128 - 1, "windows": 65_535},
    "8 levels of 8 tiers": {
        "levels": lambda levels: (replace(levels[0], tiers=(A, B, C, A, B, C, A, B)),) * 8
    },
    "per bad interval only": _per_bad(10_000),
    "availability of 100 %": _tier(AVAILABILITY, 1_000_000, 10_000),
    "all intervals": _tier(INTERVALS, 60, 10_000),
    "a run of all intervals": _tier(RUN, 60, 10_000),
}


def _bent(world, changes):
    terms = world.terms(prepaid_windows=0)
    changes = {
        name: world.escrow.address
        if change == "escrow"
        else change(getattr(terms, name))
        if callable(change)
        else change
        for name, change in changes.items()
    }
    return replace(terms, **changes)


@pytest.mark.parametrize("name", OUT_OF_BOUNDS)
def test_RevertWhen_TermsAreOutOfBounds(world, name):
    """Rules 1, 8 and 13. Both have signed: the contract protects them from their own terms."""
    changes, error, *values = OUT_OF_BOUNDS[name]
    terms = _bent(world, changes)
    values = [getattr(terms, value) if isinstance(value, str) else value for value in values]
    with refused(f"SLAEscrow_{error}", *values):
        world.try_open(terms)


@pytest.mark.parametrize("name", WITHIN_BOUNDS)
def test_When_TermsAreJustWithinBounds(world, name):
    """Rules 8 and 13."""
    terms = _bent(world, WITHIN_BOUNDS[name])
    assert world.try_open(terms) == "0x" + world.id_of(terms).hex()


@pytest.mark.parametrize(
    ("bit", "value", "error"),
    [
        (40, 0, "Measurement_Interval: "),
        (64, 0, "Measurement_Window: 0, 60"),
        (112, 30, "Measurement_Deadline: 30, 600, 30"),
        (160, 6, "Measurement_Comparison: 6"),
        (200, 1, "Measurement_ReservedBits: "),
    ],
)
def test_RevertWhen_AMeasurementIsOutOfBounds(world, bit, value, error):
    """Rules 2 and 13: the escrow does not wait for the first report to find out that there can be none."""
    terms = world.terms(world.feed(), world.feed(), prepaid_windows=0)
    abi = list(terms.as_abi())
    panel, word, descriptor = abi[9][1][0]
    width = 24 if bit < 160 else 8
    word = word & ~((1 << width) - 1 << bit) | value << bit
    abi[9][1] = ((panel, word, descriptor), *abi[9][1][1:])
    with brownie.reverts(error):
        world.escrow.open.call(abi, b"", b"", {"from": world.consumer})


@pytest.mark.parametrize(
    ("changes", "second", "error"),
    [
        ({"window_intervals": 30}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"interval": 30}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"start": 60}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"start": -1}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"start": 3_600}, True, "SLAEscrow_WindowsDiffer: 1"),
        ({"start": -1_800}, False, "SLAEscrow_WindowsDiffer: 0"),
        ({"start": 3_600}, False, "SLAEscrow_WindowsDiffer: 0"),
    ],
)
def test_RevertWhen_WindowsOfTheFeedsDiffer(world, changes, second, error):
    """Rule 8: in length, in phase, or because the feed begins after the agreement."""
    changes = dict(changes)
    other = world.feed(world.start + changes.pop("start", 0), **changes)
    feeds = [world.feed(), other] if second else [other]
    with brownie.reverts(error):
        world.try_open(
            world.terms(*feeds, start=world.start, open_by=world.start, prepaid_windows=0)
        )


@pytest.mark.parametrize(("interval", "intervals"), [(1, 3_600), (30, 120), (3_600, 1)])
def test_When_IntervalsDifferInLengthAndWindowsDoNot(world, interval, intervals):
    """Rule 8: a probe per second and a billing figure per hour fit one agreement."""
    one = world.feed()
    other = world.feed(interval=interval, window_intervals=intervals)
    levels = (Level(one.ref, (A,)), Level(other.ref, (A,)))
    assert world.try_open(world.terms(one, levels=levels, prepaid_windows=0))


@pytest.mark.parametrize("windows", [1, 7, 24 * 365])
def test_When_TheAgreementStartsInALaterWindowOfItsFeeds(world, windows):
    """Rule 8: the feed has run for long; another one begins with the agreement."""
    old = world.feed(world.start - windows * 3_600)
    new = world.feed()
    assert world.try_open(
        world.terms(old, new, start=world.start, open_by=world.start, prepaid_windows=0)
    )


# MONEY


def test_RevertWhen_TheAllowanceDoesNotSuffice(world):
    """Rule 12: no fee, no agreement."""
    terms = world.terms(prepaid_windows=2)
    world.give(world.consumer, 2 * samples.FEE - 1)
    with refused(
        "ERC20InsufficientAllowance",
        world.escrow.address,
        2 * samples.FEE - 1,
        2 * samples.FEE,
    ):
        world.try_open(terms)


def test_RevertWhen_TheTokenDeliversLessThanAsked(world):
    """Rule 22: what is booked has arrived."""
    token = brownie.FeeOnTransferToken.deploy({"from": world.stranger})
    terms = world.terms(token=token.address)
    world.give(world.consumer, samples.FEE, token)
    with refused("SLAEscrow_ReceivedLess", samples.FEE, samples.FEE - samples.FEE // 100):
        world.try_open(terms)


def test_RevertWhen_TheTokenOnlySaysThatItDelivered(world):
    """Rule 22."""
    token = brownie.LyingToken.deploy({"from": world.stranger})
    terms = world.terms(token=token.address)
    world.give(world.consumer, samples.FEE, token)
    token.setLying(True, {"from": world.stranger})
    with refused("SLAEscrow_ReceivedLess", samples.FEE, 0):
        world.try_open(terms)


@pytest.fixture(scope="module")
def calling_token(module_isolation, compiled_here):
    return compiled_here.CallingToken.deploy({"from": brownie.accounts[0]})


def test_RevertWhen_TheTokenDeliversMoreThanAsked(world, calling_token):
    """Rule 22: received == asked; the rest would belong to nobody."""
    terms = world.terms(token=calling_token.address)
    world.give(world.consumer, samples.FEE, calling_token)
    calling_token.setBonus(1, {"from": world.stranger})
    with refused("SLAEscrow_ReceivedLess", samples.FEE, samples.FEE + 1):
        world.try_open(terms)


def test_When_TheTokenCallsBackWhileItIsPulled(world, calling_token):
    """Rule 22: one lock over everything that touches money. Without it the inner deposit would count twice."""
    terms = world.terms(token=calling_token.address)
    for salt, data in enumerate(world.doors(terms, calling_token).values()):
        calling_token.onDelivery(world.escrow, world.escrow, data, {"from": world.stranger})
        world.open(replace(terms, salt=bytes([salt]) * 32), token=calling_token)
        assert not calling_token.called()
        assert str(calling_token.result()) == REENTERED
