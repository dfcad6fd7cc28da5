"""A key in AWS KMS, over HTTP: moto's server stands for AWS, and anvil for the chain.

moto 5.2.5 has a defect: it ignores ``MessageType="DIGEST"`` and signs sha256(digest). AWS signs the digest. Where a test
needs what AWS does, moto is mended in the server's process, which is this one; one test shows that without the mending
our code refuses the signature.
"""

import contextlib
import functools
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import boto3
import botocore.session
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from eth_account import Account
from eth_account.messages import encode_defunct
from moto.kms.utils import ECDSAPrivateKey
from moto.server import ThreadedMotoServer
from web3 import HTTPProvider, Web3

from relayer import keys
from relayer.cli.checks.finding import Known, guarded
from relayer.cli.checks.key import key
from relayer.config import AwsKms, Configuration, KeySettings
from relayer.demo.processes import free_port
from relayer.errors import KeyUnavailable
from relayer.kms import KmsAccount
from relayer.protocol.typed_data import HALF_ORDER, Domain, digest, recover, root_message, sign
from tests.samples import wallet

REGION = "eu-central-1"
SECRET = "s3cr3t-access-key"
DOMAIN = Domain(31_337, wallet(0).address)


@pytest.fixture(scope="module")
def moto_port():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(scope="module", autouse=True)
def quick_clients():
    """Parse AWS's service descriptions once, not for every client."""
    with pytest.MonkeyPatch.context() as patch:
        loader = functools.cache(botocore.session.create_loader)
        patch.setattr(botocore.session, "create_loader", loader)
        yield


@pytest.fixture(autouse=True)
def credentials(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def signs_digests(monkeypatch):
    """moto without its defect."""

    def sign_digest(key, message, _algorithm):
        return key.private_key.sign(message, ec.ECDSA(utils.Prehashed(SHA256())))

    monkeypatch.setattr(ECDSAPrivateKey, "sign", sign_digest)


@pytest.fixture
def client(moto_port):
    client = boto3.client("kms", REGION, endpoint_url=f"http://127.0.0.1:{moto_port}")
    reset(client)
    yield client
    client.close()


@pytest.fixture
def key_id(client):
    return new_key(client)


@pytest.fixture
def account(key_id, moto_port, signs_digests):
    return keys.load(settings(key_id, moto_port))


def reset(client):
    """moto forgets everything."""
    answer = requests.post(f"{client.meta.endpoint_url}/moto-api/reset", timeout=30)
    assert answer.status_code == 200


def new_key(client, spec="ECC_SECG_P256K1", usage="SIGN_VERIFY"):
    return client.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]


@contextlib.contextmanager
def answering(status, body):
    """A server that gives everybody the same answer; yields its port and the requests it has seen."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def settings(key_id, port):
    kms = AwsKms(key_id=key_id, region=REGION, endpoint_url=f"http://127.0.0.1:{port}")
    return KeySettings(aws_kms=kms)


def test_bundles_signed_by_kms_are_of_its_address_and_have_the_lower_s(account):
    high = 0
    for number in range(40):  # KMS gives each of the two s half of the time
        message = root_message(DOMAIN, number.to_bytes(32, "big"), bytes(32))
        signature = sign(account, message)
        assert recover(message, signature) == account.address
        high += int.from_bytes(signature[32:64], "big") > HALF_ORDER
    assert high == 0


def test_signatures_look_like_those_of_a_local_key(account):
    local = wallet(1)
    message = encode_defunct(text="makegood")
    mine, other = account.sign_message(message), local.sign_message(message)
    assert [type(value) for value in mine] == [type(value) for value in other]
    assert mine.message_hash == other.message_hash
    assert Account.recover_message(message, signature=mine.signature) == account.address
    raw = account.unsafe_sign_hash(digest(message))
    assert raw.message_hash == mine.message_hash
    with pytest.raises(ValueError, match="32 bytes"):
        account.unsafe_sign_hash(b"\1" * 31)
    for transaction in (
        {"type": 2, "maxFeePerGas": 9, "maxPriorityFeePerGas": 1},
        {"gasPrice": 9},
    ):
        fields = {"to": local.address, "value": 1, "nonce": 0, "gas": 21_000, "chainId": 31_337}
        signed = account.sign_transaction({**fields, **transaction, "from": account.address})
        by_local = local.sign_transaction({**fields, **transaction})
        assert [type(value) for value in signed] == [type(value) for value in by_local]
        assert Account.recover_transaction(signed.raw_transaction) == account.address
        assert (signed.v > 30) == (by_local.v > 30)
        with pytest.raises(TypeError, match="the transaction is of"):
            account.sign_transaction({**fields, **transaction, "from": local.address})


def test_a_transaction_signed_by_kms_is_mined(account, rpc_url):
    w3 = Web3(HTTPProvider(rpc_url))
    rich = w3.eth.accounts[0]
    gift = w3.eth.send_transaction({"from": rich, "to": account.address, "value": 10**18})
    w3.eth.wait_for_transaction_receipt(gift)
    transaction = {
        "to": rich,
        "value": 5,
        "nonce": 0,
        "gas": 21_000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 1,
        "chainId": w3.eth.chain_id,
        "from": account.address,
    }
    signed = account.sign_transaction(transaction)
    sent = w3.eth.send_raw_transaction(signed.raw_transaction)
    receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=60)
    assert sent == signed.hash
    assert (receipt["status"], receipt["from"]) == (1, account.address)


def test_what_kms_signed_instead_of_the_digest_is_not_used(key_id, moto_port):
    """moto as it is: it signs sha256(digest)."""
    account = keys.load(settings(key_id, moto_port))
    with pytest.raises(KeyUnavailable, match="signature that is not of") as caught:
        sign(account, root_message(DOMAIN, bytes(32), bytes(32)))
    assert "nothing was signed" in caught.value.hint


@pytest.mark.parametrize("garbage", [b"", b"\x30", b"0" * 71, bytes.fromhex("3006020100020100")])
def test_garbage_is_no_signature(account, monkeypatch, garbage):
    monkeypatch.setattr(ECDSAPrivateKey, "sign", lambda *_: garbage)
    with pytest.raises(KeyUnavailable):
        account.unsafe_sign_hash(b"\1" * 32)


def test_the_address_is_asked_for_once(account, client):
    address = account.address
    reset(client)
    assert account.address == address
    with pytest.raises(KeyUnavailable, match="there is no KMS key"):
        account.unsafe_sign_hash(b"\1" * 32)


def test_an_alias_names_a_key(client, key_id, moto_port, signs_digests):
    client.create_alias(AliasName="alias/reporter", TargetKeyId=key_id)
    by_alias = settings("alias/reporter", moto_port)
    assert keys.address_of(by_alias) == keys.address_of(settings(key_id, moto_port))
    assert keys.named_address(by_alias) is None
    message = root_message(DOMAIN, bytes(32), bytes(32))
    account = keys.load(by_alias)
    assert recover(message, sign(account, message)) == account.address
    # What another key signed, after the alias was given to it, is not used.
    client.update_alias(AliasName="alias/reporter", TargetKeyId=new_key(client))
    with pytest.raises(KeyUnavailable, match="signature that is not of"):
        sign(account, message)


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("RSA_2048", "SIGN_VERIFY"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
    ],
)
def test_a_key_of_another_kind_is_refused(client, moto_port, spec, usage):
    with pytest.raises(KeyUnavailable, match=f"of the kind {spec} for {usage}") as caught:
        keys.load(settings(new_key(client, spec, usage), moto_port))
    assert "ECC_SECG_P256K1" in caught.value.hint


def test_a_key_that_is_not_there(client, moto_port):
    with pytest.raises(KeyUnavailable, match="there is no KMS key alias/nobody") as caught:
        keys.load(settings("alias/nobody", moto_port))
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("status", "code", "message", "requests"),
    [
        (400, "AccessDeniedException", "AWS does not let these credentials", 1),
        (400, "UnrecognizedClientException", "does not accept the credentials", 1),
        (400, "DisabledException", "is disabled", 1),
        (400, "KMSInvalidStateException", "pending deletion", 1),
        (400, "SurprisingException", r"refuses to use the key x \(SurprisingException\)", 1),
        (400, "ThrottlingException", "takes no more requests", 4),
        (500, "KMSInternalException", r"refuses to use the key x \(KMSInternalException\)", 4),
    ],
)
def test_each_refusal_is_one_clear_message(monkeypatch, status, code, message, requests):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    body = json.dumps({"__type": code, "message": "no"}).encode()
    with (
        answering(status, body) as (port, asked),
        pytest.raises(KeyUnavailable, match=message) as caught,
    ):
        keys.load(settings("x", port))
    assert len(asked) == requests
    assert caught.value.hint
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"


def test_an_endpoint_that_does_not_answer_is_no_bug(monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with pytest.raises(
        KeyUnavailable, match=r"AWS KMS does not answer \(EndpointConnectionError\)"
    ):
        keys.load(settings("x", free_port()))


def test_missing_credentials_are_said(monkeypatch, moto_port):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(KeyUnavailable, match="or there are none"):
        keys.load(settings("x", moto_port))


def test_without_boto3_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(KeyUnavailable, match="needs the package boto3") as caught:
        KmsAccount.connect(AwsKms(key_id="x", region=REGION))
    assert caught.value.hint == "pip install 'makegood[aws]'"


def test_the_doctor_tries_whether_the_key_signs(key_id, moto_port, signs_digests, monkeypatch):
    known = Known(SimpleNamespace(config=Configuration(key=settings(key_id, moto_port))))
    found = key(known)
    assert (found.state, "in AWS KMS" in found.detail) == ("ok", True)
    assert known.address == keys.address_of(settings(key_id, moto_port))
    monkeypatch.undo()  # moto signs something else than the digest again
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert guarded("key", lambda: key(known)).state == "failed"
