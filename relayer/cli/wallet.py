"""`makegood wallet`: keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relayer import keys
from relayer.cli.output import Output, output_options, pass_output
from relayer.cli.session import DOCUMENT, Session, session_options
from relayer.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress


@click.command
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the keystore; by default $XDG_DATA_HOME/makegood/keys.",
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="MAKEGOOD_PASSWORD_FILE",
    help="File that holds the password; otherwise it is asked for.",
)
@output_options
@pass_output
def new(output: Output, out: Path | None, password_file: Path | None) -> None:
    """Make a new key in an encrypted keystore that only you may read."""
    password = keys.new_password(password_file, keys.ask_on_terminal())
    with output.working("encrypting the key"):
        account, path = keys.create(out or _default_folder(), password)
    output.data(
        {"address": account.address, "keystore": str(path)},
        lambda: output.fields([("address", account.address), ("keystore", path)]),
    )
    output.note(
        "Keep a copy of the keystore and its password: nobody can restore them.\n"
        f"next: set key.keystore to {path}, send the address some coin for gas"
    )


@click.command
@click.argument("document", type=DOCUMENT, required=False)
@click.option("--token", metavar="ADDRESS", help="Also the balance of this token.")
@session_options
@output_options
def show(session: Session, document: Path | None, token: str | None) -> None:
    """Address of the configured key; with an RPC endpoint also its balances, of DOCUMENT's token too."""
    output = session.output
    address = keys.address_of(session.config.key)
    if address is None:
        raise KeyUnavailable("no key is configured", hint="make one with `makegood wallet new`")
    agreement = session.document(document) if document else None
    token_address = _token(token) or (agreement.terms.token if agreement else None)
    result: dict[str, Any] = {"address": address}
    if session.config.rpc_url is None:
        if token_address:
            session.config.rpc_urls()
        output.note("note: no RPC endpoint is configured, so balances are not known")
    else:
        result |= _balances(
            session, address, token_address, agreement.chain_id if agreement else None
        )
    tokens = result.get("token")
    output.data(
        result,
        lambda: output.fields(
            [
                ("address", address),
                ("chain", result.get("chainId")),
                ("coin", result.get("coin")),
                ("token", tokens and f"{tokens['balance']} {tokens['symbol']}"),
            ]
        ),
    )


def _balances(
    session: Session,
    address: ChecksumAddress,
    token: ChecksumAddress | None,
    chain_id: int | None,
) -> dict[str, Any]:
    from relayer.bindings import Token
    from relayer.document import quantities

    chain = session.chain(chain_id)
    result: dict[str, Any] = {
        "chainId": chain.chain_id,
        "coin": quantities.show_amount(chain.balance(address), 18),
    }
    if token:
        if not chain.has_code(token):
            raise ConfigurationError(f"there is no contract at {token} on chain {chain.chain_id}")
        erc20 = Token(chain.w3, token)
        with chain.errors():
            decimals, symbol = erc20.decimals(), erc20.symbol()
            balance = quantities.show_amount(erc20.balance(address), decimals)
        result["token"] = {"address": token, "symbol": symbol, "balance": balance}
    return result


def _token(text: str | None) -> ChecksumAddress | None:
    if text is None:
        return None
    from relayer.document import quantities

    try:
        return quantities.address(text)
    except ValueError as error:
        raise click.BadParameter(f'found "{text}"; {error}', param_hint="--token") from None


def _default_folder() -> Path:
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local/share") / "makegood" / "keys"
