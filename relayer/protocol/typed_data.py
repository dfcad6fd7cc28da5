"""What is signed, and by whom it was signed (EIP-712). Digests are those that the contracts compute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from coincurve import PublicKey
from eth_account.messages import SignableMessage, encode_typed_data
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from relayer.protocol import merkle

if TYPE_CHECKING:
    from eth_account.signers.base import BaseAccount
    from eth_typing import ChecksumAddress

    from relayer.protocol.terms import Termination, Terms

ORACLE_NAME = "Makegood MonitoringOracle"
ESCROW_NAME = "Makegood SLAEscrow"
VERSION = "1"
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1. Of the two s that sign the same, contracts accept the lower one (EIP-2)."""

_DOMAIN_TYPE = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_BATCH_TYPE = keccak(b"Batch(bytes32 root,bytes32 evidence)")
_EXCLUSION = {
    "Exclusion": [
        {"name": "feedId", "type": "bytes32"},
        {"name": "first", "type": "uint32"},
        {"name": "end", "type": "uint32"},
    ]
}
_TERMINATION = {
    "Termination": [
        {"name": "agreement", "type": "bytes32"},
        {"name": "window", "type": "uint16"},
        {"name": "toProvider", "type": "uint128"},
        {"name": "validUntil", "type": "uint40"},
    ]
}
_TERMS = {
    "FeedRef": [
        {"name": "panel", "type": "bytes32"},
        {"name": "measurement", "type": "uint256"},
        {"name": "scope", "type": "uint256"},
        {"name": "descriptor", "type": "bytes32"},
    ],
    "Tier": [
        {"name": "measure", "type": "uint8"},
        {"name": "limit", "type": "uint32"},
        {"name": "credit", "type": "uint16"},
    ],
    "Level": [
        {"name": "feed", "type": "FeedRef"},
        {"name": "tiers", "type": "Tier[]"},
        {"name": "creditPerBadInterval", "type": "uint16"},
        {"name": "removeNotApplicable", "type": "bool"},
    ],
    "Terms": [
        {"name": "provider", "type": "address"},
        {"name": "consumer", "type": "address"},
        {"name": "token", "type": "address"},
        {"name": "oracle", "type": "address"},
        {"name": "previous", "type": "bytes32"},
        {"name": "start", "type": "uint40"},
        {"name": "openBy", "type": "uint40"},
        {"name": "feePerWindow", "type": "uint128"},
        {"name": "windows", "type": "uint16"},
        {"name": "prepaidWindows", "type": "uint16"},
        {"name": "bond", "type": "uint128"},
        {"name": "levels", "type": "Level[]"},
        {"name": "combination", "type": "uint8"},
        {"name": "creditCap", "type": "uint16"},
        {"name": "unknownPolicy", "type": "uint8"},
        {"name": "unknownLimit", "type": "uint32"},
        {"name": "unknownCredit", "type": "uint16"},
        {"name": "arbiter", "type": "address"},
        {"name": "challengePeriod", "type": "uint32"},
        {"name": "disputeDeposit", "type": "uint128"},
        {"name": "breachesToEnd", "type": "uint16"},
        {"name": "noticePeriod", "type": "uint32"},
        {"name": "document", "type": "bytes32"},
        {"name": "salt", "type": "bytes32"},
    ],
}


@dataclass(frozen=True, slots=True)
class Domain:
    """One contract on one chain: a signature is worth nothing on another."""

    chain_id: int
    contract: ChecksumAddress

    def _fields(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "version": VERSION,
            "chainId": self.chain_id,
            "verifyingContract": self.contract,
        }


def batch_message(
    oracle: Domain, feed_id: bytes, first: int, readings: bytes, evidence: bytes
) -> SignableMessage:
    """What a reporter signs for one feed's readings of intervals from ``first`` on."""
    return root_message(oracle, merkle.leaf(feed_id, first, readings), evidence)


def root_message(oracle: Domain, root: bytes, evidence: bytes) -> SignableMessage:
    """What a reporter signs for the readings of many feeds: the root of their tree.

    Put together by hand: reporters make and check far more of these messages than of all others.
    """
    if len(root) != 32 or len(evidence) != 32:
        raise ValueError(f"root and evidence have 32 bytes, not {len(root)} and {len(evidence)}")
    body = keccak(_BATCH_TYPE + root + evidence)
    return SignableMessage(b"\x01", _separator(oracle, ORACLE_NAME), body)


def exclusion_message(oracle: Domain, feed_id: bytes, first: int, end: int) -> SignableMessage:
    """What all parties of a feed sign to exclude intervals [first, end) (rule 20)."""
    return encode_typed_data(
        domain_data=oracle._fields(ORACLE_NAME),
        message_types=_EXCLUSION,
        message_data={"feedId": feed_id, "first": first, "end": end},
    )


def terms_message(escrow: Domain, terms: Terms) -> SignableMessage:
    """What both parties sign to agree."""
    return encode_typed_data(
        domain_data=escrow._fields(ESCROW_NAME),
        message_types=_TERMS,
        message_data=_named(terms.as_abi(), "Terms"),
    )


def termination_message(escrow: Domain, termination: Termination) -> SignableMessage:
    """What both parties sign to end an agreement (rule 10)."""
    return encode_typed_data(
        domain_data=escrow._fields(ESCROW_NAME),
        message_types=_TERMINATION,
        message_data={
            field["name"]: value
            for field, value in zip(_TERMINATION["Termination"], termination.as_abi(), strict=True)
        },
    )


def digest(message: SignableMessage) -> bytes:
    """The 32 bytes that are signed. Of terms it is the agreement's id."""
    return keccak(b"\x19" + message.version + message.header + message.body)


def sign(account: BaseAccount, message: SignableMessage) -> bytes:
    """A signature of 65 bytes (r, s, v), as ``open`` takes it."""
    return bytes(account.sign_message(message).signature)


def compact(signature: bytes) -> tuple[bytes, bytes]:
    """The two words (r, vs) of EIP-2098, as endorsements carry them."""
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    return r, (s | (v - 27) << 255).to_bytes(32, "big")


def recover(message: SignableMessage, signature: bytes) -> ChecksumAddress | None:
    """Who signed; None if the bytes are no signature that the contracts accept: 65 bytes, s in the lower half, v 27 or 28."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        return None
    recoverable = signature[:64] + bytes([signature[64] - 27])
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest(message), hasher=None)
    except ValueError:
        return None
    return to_checksum_address(keccak(key.format(compressed=False)[1:])[12:])


@lru_cache(maxsize=256)
def _separator(domain: Domain, name: str) -> bytes:
    """The domain separator of a contract (EIP-712)."""
    words = [_DOMAIN_TYPE, keccak(name.encode()), keccak(VERSION.encode())]
    words += [domain.chain_id.to_bytes(32, "big"), bytes(12) + bytes.fromhex(domain.contract[2:])]
    return keccak(b"".join(words))


def _named(values: tuple[Any, ...], type_name: str) -> dict[str, Any]:
    """Turns an ABI tuple into the mapping that the EIP-712 encoder wants."""
    return {
        field["name"]: _named_value(value, field["type"])
        for field, value in zip(_TERMS[type_name], values, strict=True)
    }


def _named_value(value: Any, kind: str) -> Any:
    base = kind.removesuffix("[]")
    if base not in _TERMS:
        return value
    return [_named(item, base) for item in value] if kind.endswith("[]") else _named(value, base)
