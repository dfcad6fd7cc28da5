"""What a command works with: the configuration, a chain, a key, a document. Each is made when it is first needed."""

from __future__ import annotations

import functools
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from relayer import config
from relayer.cli.output import Output, remember_file
from relayer.errors import KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eth_account.signers.base import BaseAccount

    from relayer.chain import Chain
    from relayer.document import Document
    from relayer.operations.alerts import Alerts

_Command = TypeVar("_Command", bound="Callable[..., Any]")

DOCUMENT = click.Path(path_type=Path, dir_okay=False)


class Session:
    """One run of a command.

    :param flags: Values of :data:`relayer.config.FLAGS` on the command line.
    """

    def __init__(
        self, output: Output, *, file: Path | None, flags: Mapping[str, str | None]
    ) -> None:
        self.output = output
        self._file = file
        self._flags = flags

    @cached_property
    def loaded(self) -> config.Loaded:
        loaded = config.load(file=self._file, flags=self._flags)
        self.output.hide(*loaded.configuration.secrets())
        for notice in loaded.notices:
            self.output.note(f"note: {notice}")
        return loaded

    @property
    def config(self) -> config.Configuration:
        return self.loaded.configuration

    def document(self, path: Path, *, adapters: bool = False) -> Document:
        """A valid document. What it warns of is said."""
        from relayer.document import load_document

        document = load_document(path, adapters=adapters)
        for notice in document.notices:
            self.output.note(f"note: {notice}")
        return document

    def chain(self, expected_chain_id: int | None = None, *, alerts: Alerts | None = None) -> Chain:
        """The configured chain, through all of its endpoints."""
        urls = self.config.rpc_urls()
        from relayer.chain import Chain

        return Chain.connect(
            urls,
            expected_chain_id=expected_chain_id,
            max_fee_per_gas=self.config.max_fee_per_gas,
            agreement=self.config.rpc_agreement,
            alerts=alerts,
        )

    def account(self, chain_id: int) -> BaseAccount | None:
        """The configured key, unlocked; None if none is configured. Keys that everybody knows only work on local chains."""
        if not self.config.key.configured:
            return None
        from relayer import keys

        if address := keys.named_address(self.config.key):
            keys.refuse_public_key(address, chain_id)  # before anybody types a password
        account = keys.load(self.config.key, ask=keys.ask_on_terminal())
        keys.refuse_public_key(account.address, chain_id)
        return account

    def needed_account(self, chain_id: int) -> BaseAccount:
        """Raises KeyUnavailable if no key is configured."""
        account = self.account(chain_id)
        if account is None:
            raise KeyUnavailable(
                "no key is configured",
                hint="make one with `makegood wallet new`, then set key.keystore, MAKEGOOD_KEYSTORE or --keystore; or set "
                "key.awsKms",
            )
        return account


def session_options(command: _Command) -> _Command:
    """The options that beat environment and configuration files; the command gets a :class:`Session` first."""

    @functools.wraps(command)
    def with_session(**arguments: Any) -> Any:
        output = click.get_current_context().ensure_object(Output)
        flags = {name: arguments.pop(_parameter(name)) for name in config.FLAGS}
        session = Session(output, file=output.config_file, flags=flags)
        return command(session, **arguments)

    texts = {
        "--rpc-url": ("URL", "RPC endpoint of the chain; several with commas between."),
        "--database": ("FILE", "The relayer's database, or postgresql://user@host/name."),
        "--keystore": ("FILE", "Encrypted keystore (V3)."),
        "--key-file": ("FILE", "File that holds a private key."),
        "--password-file": ("FILE", "File that holds the keystore's password."),
    }
    decorated: Any = with_session
    for name, (metavar, text) in reversed(texts.items()):
        decorated = click.option(name, _parameter(name), metavar=metavar, help=text)(decorated)
    decorated = click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        callback=remember_file,
        help="Configuration file instead of ./makegood.yaml.",
    )(decorated)
    result: _Command = decorated
    return result


def _parameter(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")
