import json
import logging

import pytest
from eth_account import Account

from relayer import keys
from relayer.config import KeySettings
from relayer.errors import KeyUnavailable
from tests.samples import wallet

SECRET = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
PASSWORD = "correct horse"


@pytest.fixture
def private(tmp_path):
    def private(name: str, text: str, mode: int = 0o600):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    return private


@pytest.fixture
def keystore(private):
    content = Account.encrypt(bytes.fromhex(SECRET), PASSWORD, kdf="pbkdf2", iterations=1)
    return private("keystore.json", json.dumps(content))


def never(_):
    raise AssertionError("nobody is to be asked")


@pytest.mark.parametrize("text", [SECRET, f"0x{SECRET}\n", f"  {SECRET.upper()}  "])
def test_a_plain_key_file(private, text):
    path = private("key", text)
    assert keys.load(KeySettings(file=path)).key.hex() == SECRET
    assert keys.address_of(KeySettings(file=path)) == Account.from_key(SECRET).address


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o777])
def test_a_key_that_others_may_read_is_refused(private, mode):
    path = private("key", SECRET, mode)
    with pytest.raises(KeyUnavailable, match=f"mode {mode:04o}") as caught:
        keys.load(KeySettings(file=path))
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize(
    "text", ["", "0x", SECRET[:-1], SECRET + "0", "z" * 64, "0" * 64, "f" * 64, "\x00" * 64]
)
def test_what_is_no_key_is_not_repeated(private, text):
    with pytest.raises(KeyUnavailable, match="holds no private key") as caught:
        keys.load(KeySettings(file=private("key", text)))
    assert not text or text not in caught.value.message


def test_a_keystore_with_a_password_file(private, keystore):
    password = private("password", PASSWORD + "\n")
    settings = KeySettings(keystore=keystore, password_file=password)
    assert keys.load(settings, ask=never).key.hex() == SECRET
    password.chmod(0o644)
    with pytest.raises(KeyUnavailable, match="others may read the password file"):
        keys.load(settings)


def test_a_keystore_with_a_typed_password(keystore):
    asked = []

    def ask(prompt):
        asked.append(prompt)
        return PASSWORD

    assert keys.load(KeySettings(keystore=keystore), ask=ask).key.hex() == SECRET
    assert asked == [f"Password of {keystore}: "]


def test_without_a_terminal_a_password_file_is_asked_for(keystore):
    with pytest.raises(KeyUnavailable, match="no terminal") as caught:
        keys.load(KeySettings(keystore=keystore))
    assert "MAKEGOOD_PASSWORD_FILE" in caught.value.hint


def test_the_address_needs_no_password(keystore, private):
    assert keys.address_of(KeySettings(keystore=keystore)) == Account.from_key(SECRET).address
    content = json.loads(keystore.read_text())
    del content["address"]
    with pytest.raises(KeyUnavailable, match="does not name its address"):
        keys.address_of(KeySettings(keystore=private("bare.json", json.dumps(content))))
    assert keys.address_of(KeySettings()) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", SECRET, '{"version": 1}', "[" * 9999])
def test_what_is_no_keystore(private, text):
    with pytest.raises(KeyUnavailable, match="is not a keystore"):
        keys.load(KeySettings(keystore=private("keystore.json", text)), ask=never)


def test_wrong_passwords_and_damage_are_one_message(keystore, private):
    damaged = json.loads(keystore.read_text())
    damaged["crypto"]["kdfparams"] = {"n": "x"}
    for path, password in (
        (keystore, "wrong"),
        (private("damaged.json", json.dumps(damaged)), PASSWORD),
    ):
        with pytest.raises(KeyUnavailable, match="wrong or the file is damaged") as caught:
            keys.load(KeySettings(keystore=path), ask=lambda _, given=password: given)
        assert caught.value.__cause__ is None
        assert PASSWORD not in caught.value.message


def test_missing_files_are_named(tmp_path):
    for settings in (
        KeySettings(file=tmp_path / "none"),
        KeySettings(keystore=tmp_path / "none"),
        KeySettings(file=tmp_path),
    ):
        with pytest.raises(KeyUnavailable, match=f"cannot read the .*{tmp_path}"):
            keys.load(settings)
    with pytest.raises(KeyUnavailable, match="no key is configured"):
        keys.load(KeySettings())


def test_a_new_keystore_is_its_owners_alone(tmp_path):
    account, path = keys.create(tmp_path / "new" / "keys", PASSWORD)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert account.key.hex() not in path.read_text()
    again = keys.load(KeySettings(keystore=path), ask=lambda _: PASSWORD)
    assert again.address == account.address
    with pytest.raises(KeyUnavailable, match="empty password"):
        keys.create(tmp_path, "")


def test_a_new_password_is_typed_twice():
    typed = iter(["one", "two"])
    with pytest.raises(KeyUnavailable, match="differ"):
        keys.new_password(None, lambda _: next(typed))
    assert keys.new_password(None, lambda _: "same") == "same"


@pytest.mark.parametrize("index", [0, 1, 20, 99])
def test_public_keys_only_work_on_local_chains(index):
    address = wallet(index).address
    for chain_id in (31337, 1337):
        keys.refuse_public_key(address, chain_id)
    for chain_id in (1, 10, 11155111, 31338):
        with pytest.raises(KeyUnavailable, match="everybody knows the key"):
            keys.refuse_public_key(address, chain_id)


def test_guessable_keys_are_public_too():
    for key in ((1).to_bytes(32, "big"), b"\x11" * 32):
        with pytest.raises(KeyUnavailable, match="everybody knows"):
            keys.refuse_public_key(Account.from_key(key).address, 1)
    keys.refuse_public_key(Account.from_key(SECRET).address, 1)


def test_no_text_of_an_account_holds_its_key(private, caplog):
    account = keys.load(KeySettings(file=private("key", SECRET)))
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").debug("%s %r %s", account, account, {"account": account})
    for text in (repr(account), str(account), f"{account}", caplog.text):
        assert SECRET not in text.lower()
