"""Keys that sign: where they lie, who may read them, and on which networks they must not be used.

A key comes from an encrypted keystore (V3, the format of geth, foundry and others) or from a plain file, or stays in AWS
KMS (:mod:`relayer.kms`); the keystore's password comes from a file or from the terminal. Neither is ever an argument of a
command or the value of an environment variable: both can be seen by other processes. No message and no ``repr`` here
contains key material.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import stat
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_account import Account
from eth_account.hdaccount import seed_from_mnemonic
from eth_account.hdaccount.deterministic import HDPath
from eth_utils.address import to_checksum_address

from relayer.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from eth_account.signers.base import BaseAccount
    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress

    from relayer.config import AwsKms, KeySettings

LOCAL_CHAINS = frozenset({31337, 1337})
"""Chain ids of development chains, whose money is worth nothing."""

MAX_BYTES = 1 << 16
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_PUBLIC_MNEMONICS = (
    "test test test test test test test test test test test junk",  # anvil, hardhat
    "myth like bonus scare over problem client lizard pioneer submit female collect",  # ganache
    "candy maple cake sugar pudding cream honey rich smooth crumble sweet treat",  # truffle
)
_PUBLIC_ACCOUNTS = 100
_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")


def load(source: KeySettings, *, ask: Callable[[str], str] | None = None) -> BaseAccount:
    """The account of a key.

    :param ask: Asks a person for a password; None if there is nobody to ask.
    :raises KeyUnavailable: If there is none, or it cannot be read, or must not be.
    """
    if source.file is not None:
        return _from_file(source.file)
    if source.aws_kms is not None:
        return _from_kms(source.aws_kms)
    if source.keystore is None:
        raise KeyUnavailable(
            "no key is configured",
            hint="make one with `makegood wallet new`, then set key.keystore or MAKEGOOD_KEYSTORE; or set key.awsKms",
        )
    content = _keystore(source.keystore)
    password = _password(source.password_file, f"Password of {source.keystore}: ", ask)
    try:
        key = Account.decrypt(content, password)
    except Exception:  # noqa: BLE001 - a wrong password and a dozen kinds of damage raise unrelated types
        message = f"cannot decrypt {source.keystore}: the password is wrong or the file is damaged"
        raise KeyUnavailable(message) from None
    account: LocalAccount = Account.from_key(key)
    return account


def address_of(source: KeySettings) -> ChecksumAddress | None:
    """The account of a key, without its password if the keystore names it; None if no key is configured."""
    if source.file is not None:
        return _from_file(source.file).address
    if source.aws_kms is not None:
        return _from_kms(source.aws_kms).address
    if source.keystore is None:
        return None
    named = named_address(source)
    if named is None:
        raise KeyUnavailable(f"{source.keystore} does not name its address")
    return named


def named_address(source: KeySettings) -> ChecksumAddress | None:
    """The account that a keystore says it holds; None if it does not say."""
    if source.keystore is None:
        return None
    named = _keystore(source.keystore).get("address")
    if not isinstance(named, str) or not re.fullmatch(r"(?:0x)?[0-9a-fA-F]{40}", named):
        return None
    return to_checksum_address(f"0x{named.removeprefix('0x')}")


def create(folder: Path, password: str) -> tuple[LocalAccount, Path]:
    """A new key in a new keystore that only its owner may read."""
    if not password:
        raise KeyUnavailable("an empty password protects nothing")
    account: LocalAccount = Account.create()
    content = Account.encrypt(account.key, password)
    path = folder / f"{account.address}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None
    return account, path


def new_password(password_file: Path | None, ask: Callable[[str], str] | None) -> str:
    """The password for a new keystore; a person has to type it twice."""
    password = _password(password_file, "Password for the new key: ", ask)
    if password_file is None and ask is not None and ask("The same again: ") != password:
        raise KeyUnavailable("the two passwords differ")
    return password


def ask_on_terminal() -> Callable[[str], str] | None:
    """How to ask a person for a password; None without a terminal."""
    return getpass.getpass if sys.stdin.isatty() and sys.stderr.isatty() else None


def refuse_public_key(address: str, chain_id: int) -> None:
    """Raises KeyUnavailable if the whole world knows the key of this account and the chain is not a development chain."""
    if chain_id not in LOCAL_CHAINS and address in _public_accounts():
        raise KeyUnavailable(
            f"everybody knows the key of {address}: it is only for local chains, not for chain {chain_id}",
            hint="make a key of your own with `makegood wallet new`",
        )


def read_private(path: Path, what: str) -> str:
    """The text of a file that nobody but its owner may read."""
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise KeyUnavailable(f"cannot read the {what} {path}: {error.strerror}") from None
    # systemd hands credentials over with an access list, which shows as rights of the group.
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    ours = credentials is not None and path.parent == Path(credentials)
    forbidden = stat.S_IRWXO if ours else stat.S_IRWXG | stat.S_IRWXO
    if os.name == "posix" and mode & forbidden:
        raise KeyUnavailable(
            f"others may read the {what} {path} (mode {stat.S_IMODE(mode):04o})",
            hint=f"chmod 600 {path}",
        )
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise KeyUnavailable(f"the {what} {path} is not text") from None


def _from_kms(settings: AwsKms) -> BaseAccount:
    from relayer.kms import KmsAccount  # noqa: PLC0415 - only who has a key there waits for it

    return KmsAccount.connect(settings)


def _from_file(path: Path) -> LocalAccount:
    match = _KEY.fullmatch(read_private(path, "key file").strip())
    if match is None or not 0 < int(match[1], 16) < _ORDER:
        raise KeyUnavailable(
            f"{path} holds no private key",
            hint="a key file holds 64 hexadecimal digits; a keystore is configured as key.keystore",
        )
    account: LocalAccount = Account.from_key(bytes.fromhex(match[1]))
    return account


def _keystore(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = json.loads(stream.read(MAX_BYTES + 1).decode())
    except OSError as error:
        raise KeyUnavailable(f"cannot read the keystore {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("version") != 3:
        raise KeyUnavailable(
            f"{path} is not a keystore (V3)",
            hint="a file with the bare key is configured as key.file",
        )
    return content


def _password(path: Path | None, prompt: str, ask: Callable[[str], str] | None) -> str:
    if path is not None:
        password = read_private(path, "password file").rstrip("\r\n")
        if not password:
            raise KeyUnavailable(f"the password file {path} is empty")
        return password
    if ask is None:
        raise KeyUnavailable(
            "the keystore needs a password, and there is no terminal to ask on",
            hint="put it into a file and set key.passwordFile, --password-file or MAKEGOOD_PASSWORD_FILE",
        )
    return ask(prompt)


@cache
def _public_accounts() -> frozenset[str]:
    """The first accounts of the mnemonics that tools print when they start, and keys that anybody would guess."""
    keys = [
        HDPath(f"m/44'/60'/0'/0/{index}").derive(seed)
        for seed in (seed_from_mnemonic(words, "") for words in _PUBLIC_MNEMONICS)
        for index in range(_PUBLIC_ACCOUNTS)
    ]
    keys += [number.to_bytes(32, "big") for number in range(1, 257)]
    keys += [bytes([byte]) * 32 for byte in range(1, 255)]
    return frozenset(Account.from_key(key).address for key in keys)
