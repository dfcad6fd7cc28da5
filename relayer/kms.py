"""A key that never leaves AWS KMS: the service signs digests, and this module makes Ethereum signatures of them.

The key is of the kind ``ECC_SECG_P256K1``, for signing. KMS answers with any of the two s that sign the same, and without
saying which of the possible public keys signed: contracts and chains accept the lower s, and the key is recovered here.
That recovery is a check, too: what KMS signed instead of the digest, or with another key, is refused and not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from eth_account._utils.signing import sign_message_hash, sign_transaction_dict
from eth_account.datastructures import SignedMessage, SignedTransaction
from eth_account.messages import _hash_eip191_message
from eth_account.signers.base import BaseAccount
from eth_keys.datatypes import PublicKey, Signature
from eth_keys.exceptions import BadSignature
from eth_keys.utils.der import two_int_sequence_decoder
from eth_keys.utils.numeric import coerce_low_s
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from relayer.errors import KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eth_account.messages import SignableMessage
    from eth_account.types import TransactionDictType
    from eth_keys.datatypes import PrivateKey
    from eth_typing import ChecksumAddress, Hash32
    from mypy_boto3_kms.client import KMSClient

    from relayer.config import AwsKms

KEY_SPEC: Final = "ECC_SECG_P256K1"
CONNECT_SECONDS = 2
READ_SECONDS = 5
ATTEMPTS = 4

# A DER SubjectPublicKeyInfo of a point on secp256k1 begins with these bytes; the coordinates x and y follow.
_PUBLIC_KEY_HEAD = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a03420004")

_REFUSALS: Final[Mapping[str, tuple[str, str]]] = {
    "AccessDeniedException": (
        "AWS does not let these credentials use the KMS key {key}",
        "allow kms:GetPublicKey and kms:Sign on the key, in its policy or that of the role",
    ),
    "DisabledException": ("the KMS key {key} is disabled", "enable it: aws kms enable-key"),
    "KMSInvalidStateException": (
        "the KMS key {key} is pending deletion, or otherwise not usable",
        "look at its state: aws kms describe-key",
    ),
    "NotFoundException": (
        "there is no KMS key {key} in this account and region",
        "compare key.awsKms.keyId (an alias begins with alias/) and key.awsKms.region",
    ),
    "InvalidKeyUsageException": (
        "the KMS key {key} is not for signing",
        f"use a key with KeySpec {KEY_SPEC} and KeyUsage SIGN_VERIFY",
    ),
    "UnsupportedOperationException": (
        "the KMS key {key} has no public key",
        f"use a key with KeySpec {KEY_SPEC} and KeyUsage SIGN_VERIFY",
    ),
}
_NOT_SIGNED_IN = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {"LimitExceededException", "RequestLimitExceeded", "Throttling", "ThrottlingException"}
)


class KmsAccount(BaseAccount):
    """An account whose key lies in AWS KMS. Safe to use from several threads.

    :param client: boto3's client of KMS.
    :param key_id: Id, ARN or alias of the key.
    :raises KeyUnavailable: The key cannot be used. Here, and whenever something is signed.
    """

    def __init__(self, client: KMSClient, key_id: str) -> None:
        self._client = client
        self._key_id = key_id
        self._public_key = self._fetch_public_key()
        self._address = self._public_key.to_checksum_address()

    @classmethod
    def connect(cls, settings: AwsKms) -> KmsAccount:
        """The account that a configuration names. Credentials come from boto3's usual places."""
        try:
            import boto3  # noqa: PLC0415 - an extra that most relayers do without
            from botocore.config import Config  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415
        except ImportError:
            raise KeyUnavailable(
                "a key in AWS KMS needs the package boto3", hint="pip install 'makegood[aws]'"
            ) from None
        try:
            client = boto3.session.Session().client(
                "kms",
                region_name=settings.region,
                endpoint_url=settings.endpoint_url,
                config=Config(
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                    retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                ),
            )
        except BotoCoreError as error:
            message = f"cannot set up the connection to AWS KMS ({type(error).__name__})"
            raise KeyUnavailable(message, hint="see AWS_PROFILE and ~/.aws/config") from None
        return cls(client, settings.key_id)

    @property
    def address(self) -> ChecksumAddress:
        return self._address

    def __repr__(self) -> str:
        return f"KmsAccount({self._key_id}, {self._address})"

    def unsafe_sign_hash(self, message_hash: Hash32) -> SignedMessage:
        digest = HexBytes(message_hash)
        if len(digest) != 32:
            raise ValueError("a digest has 32 bytes")
        v, r, s, signature = sign_message_hash(self._as_key, cast("Hash32", digest))
        return SignedMessage(message_hash=digest, r=r, s=s, v=v, signature=HexBytes(signature))

    def sign_message(self, signable_message: SignableMessage) -> SignedMessage:
        return self.unsafe_sign_hash(_hash_eip191_message(signable_message))

    def sign_transaction(self, transaction_dict: TransactionDictType) -> SignedTransaction:
        fields = cast("dict[str, Any]", dict(transaction_dict))
        sender = fields.pop("from", self._address)
        if sender != self._address:
            raise TypeError(f"the transaction is of {sender}, but the key of {self._address}")
        v, r, s, raw = sign_transaction_dict(self._as_key, cast("TransactionDictType", fields))
        return SignedTransaction(HexBytes(raw), HexBytes(keccak(raw)), r, s, v)

    def sign_msg_hash(self, message_hash: bytes) -> Signature:
        """What eth_account asks of a key. One request to KMS."""
        answer = self._answer(
            lambda: self._client.sign(
                KeyId=self._key_id,
                Message=message_hash,
                MessageType="DIGEST",
                SigningAlgorithm="ECDSA_SHA_256",
            )
        )
        try:
            r, s = two_int_sequence_decoder(answer["Signature"])
        except Exception:  # noqa: BLE001 - garbage raises whatever the bytes lead to
            r = s = 0
        for parity in (0, 1):
            try:
                signature = Signature(vrs=(parity, r, coerce_low_s(s)))
                if signature.recover_public_key_from_msg_hash(message_hash) == self._public_key:
                    return signature
            except (BadSignature, ValueError):
                continue
        raise KeyUnavailable(
            f"AWS KMS answered with a signature that is not of {self._address}",
            hint="nothing was signed; if key.awsKms.endpointUrl is set: what answers there does not sign digests as KMS does",
        )

    @property
    def _as_key(self) -> PrivateKey:
        """For eth_account, which asks of a key nothing but :meth:`sign_msg_hash`."""
        return cast("PrivateKey", self)

    def _fetch_public_key(self) -> PublicKey:
        answer = self._answer(lambda: self._client.get_public_key(KeyId=self._key_id))
        der: bytes = answer["PublicKey"]
        on_curve = len(der) == len(_PUBLIC_KEY_HEAD) + 64 and der.startswith(_PUBLIC_KEY_HEAD)
        if not on_curve or answer.get("KeyUsage") != "SIGN_VERIFY":
            spec = answer.get("KeySpec") or answer.get("CustomerMasterKeySpec")
            raise KeyUnavailable(
                f"the KMS key {self._key_id} is of the kind {spec} for {answer.get('KeyUsage')}, which cannot sign for "
                "Ethereum",
                hint=f"use a key with KeySpec {KEY_SPEC} and KeyUsage SIGN_VERIFY",
            )
        return PublicKey(der[len(_PUBLIC_KEY_HEAD) :])

    def _answer(self, ask: Callable[[], Any]) -> dict[str, Any]:
        """What KMS answers. boto3 has asked several times before any of these errors of the network comes."""
        from botocore.exceptions import (  # noqa: PLC0415 - with a client it is installed
            BotoCoreError,
            ClientError,
            CredentialRetrievalError,
            NoCredentialsError,
            PartialCredentialsError,
        )

        try:
            return cast("dict[str, Any]", ask())
        except ClientError as error:
            raise self._refused(str(error.response.get("Error", {}).get("Code"))) from None
        except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError):
            raise _without_credentials() from None
        except BotoCoreError as error:
            raise KeyUnavailable(
                f"AWS KMS does not answer ({type(error).__name__})",
                hint="compare key.awsKms.region and endpointUrl; it is asked again with the next signature",
            ) from None

    def _refused(self, code: str) -> KeyUnavailable:
        if code in _NOT_SIGNED_IN:
            return _without_credentials()
        if code in _THROTTLED:
            return KeyUnavailable(
                "AWS KMS takes no more requests for now",
                hint="it is asked again with the next signature; the quota of the account can be raised",
            )
        message, hint = _REFUSALS.get(
            code,
            (
                f"AWS KMS refuses to use the key {{key}} ({code})",
                "see the AWS documentation of KMS",
            ),
        )
        return KeyUnavailable(message.format(key=self._key_id), hint=hint)


def _without_credentials() -> KeyUnavailable:
    return KeyUnavailable(
        "AWS does not accept the credentials, or there are none",
        hint="set AWS_PROFILE, or run where a role provides them; `aws sts get-caller-identity` tries them",
    )
