"""Whose signatures open an agreement, and under what: `open.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest
from eth_account.messages import SignableMessage, encode_defunct

from relayer.protocol.measurement import Comparison
from relayer.protocol.scope import Scope
from relayer.protocol.terms import Combination, Level, Measure, Termination, Tier, UnknownPolicy
from relayer.protocol.typed_data import (
    Domain,
    batch_message,
    sign,
    termination_message,
    terms_message,
)
from tests import samples
from tests.contracts.escrow.world import OPEN, refused, set_code

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
# What the account of an EOA holds that has delegated to code (EIP-7702), before the address of the code.
DELEGATED = "0xef0100"


def test_RevertWhen_ASignatureIsSomebodyElses(world):
    """Rule 21."""
    terms = world.terms(prepaid_windows=0)
    provider, consumer = samples.signatures(world.domain, terms)
    forged = sign(samples.wallet(3), terms_message(world.domain, terms))
    with refused("PartySignatures_Invalid", terms.provider):
        world.try_open(terms, (forged, consumer))
    with refused("PartySignatures_Invalid", terms.consumer):
        world.try_open(terms, (provider, forged))


def test_RevertWhen_TheSignaturesAreSwapped(world):
    """Rule 21: nor may one party sign for both."""
    terms = world.terms(prepaid_windows=0)
    provider, consumer = samples.signatures(world.domain, terms)
    with refused("PartySignatures_Invalid", terms.provider):
        world.try_open(terms, (consumer, provider))
    with refused("PartySignatures_Invalid", terms.consumer):
        world.try_open(terms, (provider, provider))


@pytest.mark.parametrize("length", [0, 1, 64, 66, 130])
def test_RevertWhen_ASignatureIsMalformed(world, length):
    """Rule 21: neither a short, a long nor an empty one counts for the zero address or anybody else."""
    terms = world.terms(prepaid_windows=0)
    provider, consumer = samples.signatures(world.domain, terms)
    with refused("PartySignatures_Invalid", terms.provider):
        world.try_open(terms, ((provider * 2)[:length], consumer))


def test_RevertWhen_ASignatureIsTheOtherOneOfTheSameKey(world):
    """Rule 21: of the two signatures that a key's (r, s, v) can be turned into, one is accepted."""
    terms = world.terms(prepaid_windows=0)
    provider, consumer = samples.signatures(world.domain, terms)
    s = SECP256K1_ORDER - int.from_bytes(provider[32:64], "big")
    other = provider[:32] + s.to_bytes(32, "big") + bytes([55 - provider[64]])
    with refused("PartySignatures_Invalid", terms.provider):
        world.try_open(terms, (other, consumer))


def test_RevertWhen_ASignatureIsOfAnotherChain(world):
    """Rule 21."""
    terms = world.terms(prepaid_windows=0)
    elsewhere = samples.signatures(Domain(world.domain.chain_id + 1, world.escrow.address), terms)
    with refused("PartySignatures_Invalid", terms.provider):
        world.try_open(terms, elsewhere)


def test_RevertWhen_ASignatureIsOfAnotherContract(world):
    """Rule 21: not even of another escrow of this kind."""
    terms = world.terms(prepaid_windows=0)
    other = brownie.SLAEscrow.deploy({"from": world.stranger})
    with refused("PartySignatures_Invalid", terms.provider):
        world.try_open(
            terms, samples.signatures(Domain(world.domain.chain_id, other.address), terms)
        )


def test_RevertWhen_ASignatureIsOfAnotherKindOfMessage(world):
    """Rule 21: one type per kind of message; a login or a reading never opens an agreement."""
    terms = world.terms(prepaid_windows=0)
    id_ = world.id_of(terms)
    consumer = sign(samples.wallet(2), terms_message(world.domain, terms))
    for message in (
        encode_defunct(id_),
        batch_message(world.domain, id_, 0, b"", bytes(32)),
        termination_message(world.domain, Termination(id_, 0, 0, 2**40 - 1)),
    ):
        with refused("PartySignatures_Invalid", terms.provider):
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
# Every field that is signed, each changed to another value that the escrow would accept. `previous` is in test_amend_signed.py.
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
    "bond": _set(bond=1, prepaid_windows=0),
    "levels fewer": lambda terms, _: replace(terms, levels=terms.levels[:1]),
    "levels reordered": lambda terms, _: replace(terms, levels=terms.levels[::-1]),
    "levels twice": lambda terms, _: replace(terms, levels=(*terms.levels, terms.levels[1])),
    "feed.panel": _feed(panel=b"\x01" * 32),
    "feed.measurement": _feed(measurement={"threshold": 989_999}),
    "feed.measurement comparison": _feed(measurement={"comparison": Comparison.MORE_THAN}),
    "feed.measurement notice": _feed(measurement={"notice": 60}),
    "feed.scope": _feed(scope=Scope(best=1_000_000)),
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
    "arbiter": _set(arbiter=samples.wallet(6).address),
    "challengePeriod": _shift("challenge_period", 1),
    "disputeDeposit": _shift("dispute_deposit", 1),
    "breachesToEnd": _shift("breaches_to_end", 1),
    "noticePeriod": _shift("notice_period", 1),
    "document": _set(document=b"\x01" * 32),
    "salt": _set(salt=b"\x01" * 32),
}


@pytest.fixture(scope="module")
def spare(module_isolation):
    """Another contract, good enough for a token that is not used yet and for an oracle."""
    return brownie.MonitoringOracle.deploy({"from": brownie.accounts[0]})


DISPUTABLE = {
    "arbiter": samples.wallet(7).address,
    "challenge_period": 1_800,
    "dispute_deposit": 5,
    "breaches_to_end": 2,
    "notice_period": 600,
}


def _changed(world, name, spare):
    """Valid terms, and the same with one field changed, valid as well."""
    feeds = [world.feed(descriptor=bytes([i]) * 32) for i in range(2)]
    terms = world.terms(*feeds, prepaid_windows=0, **DISPUTABLE)
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
    with refused("PartySignatures_Invalid", changed.provider):
        world.try_open(changed, (sign(provider, old), sign(consumer, new)))
    with refused("PartySignatures_Invalid", changed.consumer):
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
    "start": (5, 40),
    "openBy": (6, 40),
    "feePerWindow": (7, 128),
    "windows": (8, 16),
    "prepaidWindows": (9, 16),
    "bond": (10, 128),
    "combination": (12, 1),
    "creditCap": (13, 16),
    "unknownPolicy": (14, 2),
    "unknownLimit": (15, 32),
    "unknownCredit": (16, 16),
    "arbiter": (17, 160),
    "challengePeriod": (18, 32),
    "disputeDeposit": (19, 128),
    "breachesToEnd": (20, 16),
    "noticePeriod": (21, 32),
    # 24 words of terms, the levels' number and offset, 4 words of feed, the tiers' offset
    "creditPerBadInterval": (24 + 2 + 5, 16),
    "removeNotApplicable": (24 + 2 + 6, 1),
    "tier.measure": (34, 2),
    "tier.limit": (35, 32),
    "tier.credit": (36, 16),
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
    terms = world.terms(feed, levels=levels, prepaid_windows=0, **DISPUTABLE)
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


@pytest.fixture(scope="module")
def rules(module_isolation):
    return brownie.TermsRules.deploy({"from": brownie.accounts[0]})


@pytest.mark.parametrize("name", NARROW)
def test_RevertWhen_SuchAWordReachesTheRules(world, rules, name):
    """Rule 21: they refuse it themselves, whatever encodes what they are asked."""
    word, width = NARROW[name]
    feed = world.feed()
    levels = (Level(feed.ref, (Tier(Measure.BAD_RUN_AT_LEAST, 1, 1),), 1),)
    terms = world.terms(feed, levels=levels, prepaid_windows=0, **DISPUTABLE)
    data = bytes.fromhex(rules.check.encode_input(terms.as_abi())[2:])
    assert "error" not in _call(rules, data, world.escrow)
    for bit in (width, 255):
        assert "error" in _call(rules, _with_bit(data, 36, word, bit), world.escrow)


def _call(contract, data, sender=None):
    call = {
        "from": str(sender or brownie.accounts[2]),
        "to": contract.address,
        "data": "0x" + data.hex(),
    }
    return brownie.web3.provider.make_request("eth_call", [call, "latest"])


@pytest.mark.parametrize("number", [1, 2])
def test_RevertGiven_APartyHasWithdrawnItsSignature(world, number):
    """Rules 1 and 21: who has signed and not been answered may take the offer back."""
    terms = world.terms(prepaid_windows=0)
    id_ = world.id_of(terms)
    world.escrow.revoke(id_, {"from": brownie.accounts[number]})
    with refused("PartySignatures_Revoked", brownie.accounts[number].address, id_):
        world.try_open(terms)
    # A new offer needs only a new salt.
    assert world.try_open(replace(terms, salt=b"\x01" * 32))


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


def test_When_APartyHasDelegatedToCode(world):
    """Rule 21: who signs with the key of the account is asked nothing else, whatever the code says (EIP-7702)."""
    refusing = brownie.TestDollar.deploy({"from": world.stranger})
    for party in (world.provider, world.consumer):
        set_code(party.address, DELEGATED + refusing.address[2:])
    terms = world.terms()
    world.open(terms)
    assert world.escrow.status(world.id_of(terms)) == OPEN


def test_RevertWhen_AWalletContractRefuses(world):
    """Rule 21: the signature is good, but its signer is not the wallet's owner."""
    wallet = brownie.MockWallet.deploy(world.stranger, {"from": world.stranger})
    with refused("PartySignatures_Invalid", wallet.address):
        world.try_open(world.terms(provider=wallet.address, prepaid_windows=0))
    with refused("PartySignatures_Invalid", wallet.address):
        world.try_open(world.terms(consumer=wallet.address, prepaid_windows=0))


def test_RevertWhen_APartyIsAContractThatIsNoWallet(world):
    """Rule 21: neither a contract that reverts nor one that answers something counts as one that agrees."""
    scripted = brownie.ScriptedOracle.deploy({"from": world.stranger})
    for party in (world.token, scripted):
        with refused("PartySignatures_Invalid", party.address):
            world.try_open(world.terms(provider=party.address, prepaid_windows=0))
    # The magic value with dirt behind it, and the magic value in the wrong place.
    for answer in ("1626ba7e" + "00" * 27 + "01", "00" * 28 + "1626ba7e"):
        scripted.script(0, bytes.fromhex(answer), {"from": world.stranger})
        with refused("PartySignatures_Invalid", scripted.address):
            world.try_open(world.terms(provider=scripted.address, prepaid_windows=0))
