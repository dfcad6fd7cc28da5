"""What is signed, and by whom: rule 21."""

from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from relayer.protocol import merkle
from relayer.protocol.terms import Termination
from relayer.protocol.typed_data import (
    ORACLE_NAME,
    Domain,
    batch_message,
    compact,
    digest,
    exclusion_message,
    recover,
    root_message,
    sign,
    termination_message,
    terms_message,
)
from tests import samples

DOMAIN = Domain(31_337, samples.wallet(0).address)
KEY = samples.wallet(1)
FIELDS = {"feed_id": b"\1" * 32, "first": 7, "readings": b"\0\0\0\1", "evidence": bytes(32)}
MESSAGE = batch_message(DOMAIN, **FIELDS)
SIGNATURE = sign(KEY, MESSAGE)
# Order of the secp256k1 group.
GROUP_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def test_who_signed_is_recovered():
    assert recover(MESSAGE, SIGNATURE) == KEY.address
    assert len(SIGNATURE) == 65


@pytest.mark.parametrize(
    "changes",
    [
        {"feed_id": b"\2" * 32},
        {"first": 8},
        {"readings": b"\0\0\0\2"},
        {"readings": b"\0\0\0\1\0\0\0\1"},
        {"evidence": b"\1" + bytes(31)},
    ],
)
def test_every_field_is_signed(changes):
    altered = batch_message(DOMAIN, **(FIELDS | changes))
    assert digest(altered) != digest(MESSAGE)
    assert recover(altered, SIGNATURE) != KEY.address


@pytest.mark.parametrize(
    "domain", [replace(DOMAIN, chain_id=1), replace(DOMAIN, contract=samples.wallet(2).address)]
)
def test_a_signature_is_worth_nothing_elsewhere(domain):
    assert recover(batch_message(domain, **FIELDS), SIGNATURE) != KEY.address


def test_messages_of_different_kinds_differ_in_the_same_contract():
    """Readings can never be passed off as terms, nor terms as readings."""
    terms = samples.terms(
        samples.feed(1_800_000_000), token=samples.wallet(3).address, oracle=DOMAIN.contract
    )
    assert terms_message(DOMAIN, terms).header != MESSAGE.header


def test_every_kind_of_message_has_a_type_of_its_own():
    """Rule 21: even with equal fields none can be passed off as another."""
    word = b"\1" * 32
    bodies = {
        root_message(DOMAIN, word, bytes(32)).body,
        exclusion_message(DOMAIN, word, 0, 1).body,
        termination_message(DOMAIN, Termination(word, 0, 1, 0)).body,
        MESSAGE.body,
    }
    assert len(bodies) == 4


def test_one_feed_is_a_tree_of_one_leaf():
    leaf = merkle.leaf(FIELDS["feed_id"], FIELDS["first"], FIELDS["readings"])
    assert root_message(DOMAIN, leaf, FIELDS["evidence"]) == MESSAGE


def test_the_message_is_what_eth_account_makes_of_its_schema():
    fields = {"root": b"\1" * 32, "evidence": b"\2" * 32}
    made = encode_typed_data(
        DOMAIN._fields(ORACLE_NAME),
        {"Batch": [{"name": name, "type": "bytes32"} for name in fields]},
        fields,
    )
    assert root_message(DOMAIN, **fields) == made


@pytest.mark.parametrize("words", [(bytes(31), bytes(32)), (bytes(32), bytes(33))])
def test_words_of_another_length_are_not_signed(words):
    with pytest.raises(ValueError, match="have 32 bytes"):
        root_message(DOMAIN, *words)


EXCLUSION = {"feed_id": b"\1" * 32, "first": 7, "end": 9}
TERMINATION = Termination(b"\1" * 32, 3, 10**20, 1_800_000_000)


@pytest.mark.parametrize("changes", [{"feed_id": b"\2" * 32}, {"first": 8}, {"end": 10}])
def test_every_field_of_an_exclusion_is_signed(changes):
    altered = exclusion_message(DOMAIN, **(EXCLUSION | changes))
    assert digest(altered) != digest(exclusion_message(DOMAIN, **EXCLUSION))


@pytest.mark.parametrize(
    "changes",
    [{"agreement": b"\2" * 32}, {"window": 4}, {"to_provider": 0}, {"valid_until": 1}],
)
def test_every_field_of_a_termination_is_signed(changes):
    altered = termination_message(DOMAIN, replace(TERMINATION, **changes))
    assert digest(altered) != digest(termination_message(DOMAIN, TERMINATION))


TERMS = samples.terms(
    samples.feed(1_800_000_000), token=samples.wallet(3).address, oracle=DOMAIN.contract
)


@pytest.mark.parametrize(
    "changes",
    [
        {"previous": b"\1" * 32},
        {"bond": 1},
        {"arbiter": samples.wallet(7).address},
        {"challenge_period": 1},
        {"dispute_deposit": 1},
        {"breaches_to_end": 1},
        {"notice_period": 1},
    ],
)
def test_what_terms_may_lack_is_signed(changes):
    assert digest(terms_message(DOMAIN, replace(TERMS, **changes))) != digest(
        terms_message(DOMAIN, TERMS)
    )


def malformed():
    r, s, v = SIGNATURE[:32], SIGNATURE[32:64], SIGNATURE[64]
    high = (GROUP_ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    return {
        "nothing": b"",
        "too short": SIGNATURE[:64],
        "too long": SIGNATURE + b"\0",
        "zeros": bytes(65),
        "r of zero": bytes(32) + s + bytes([v]),
        "s of zero": r + bytes(32) + bytes([v]),
        "r beyond the group": b"\xff" * 32 + s + bytes([v]),
        # Valid for elliptic curves, and for eth-account; refused by ECDSA.sol and by EIP-2098.
        "the other s": r + high + bytes([27 + 28 - v]),
        "v of 0 or 1": r + s + bytes([v - 27]),
        "v of EIP-155": r + s + bytes([v + 8]),
        "v of another chain": r + s + bytes([v + 10]),
        "v out of range": r + s + b"\xff",
    }


@pytest.mark.parametrize("kind", malformed())
def test_what_the_contracts_refuse_is_not_recovered(kind):
    """Otherwise one reporter could hand out signatures that all relayers take and that void every report."""
    assert recover(MESSAGE, malformed()[kind]) is None


@given(st.binary(max_size=70))
def test_garbage_is_not_recovered_as_a_reporter(garbage):
    assert recover(MESSAGE, garbage) != KEY.address


@given(st.integers(0, 2**32 - 1), st.binary(min_size=4, max_size=40))
def test_the_compact_form_keeps_everything(first, readings):
    """EIP-2098: the parity moves to the top bit of s, which is never set otherwise."""
    message = batch_message(DOMAIN, FIELDS["feed_id"], first, readings, FIELDS["evidence"])
    signature = sign(KEY, message)
    r, vs = compact(signature)
    word = int.from_bytes(vs, "big")
    s, parity = word & (1 << 255) - 1, word >> 255
    assert r + s.to_bytes(32, "big") + bytes([27 + parity]) == signature
    assert s <= GROUP_ORDER // 2
    assert recover(message, signature) == KEY.address
