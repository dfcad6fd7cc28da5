"""`makegood sla seal-key`, `seal` and `unseal`: a document on its way between those who may read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from relayer import keys
from relayer.cli.output import Output, output_options, pass_output
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import cards, load_document, sealing, signatures
from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.cli.session import Session
    from relayer.document import Document
    from relayer.document.cards import Card
    from relayer.document.sealing import Unsealed


@click.command("seal-key")
@click.option("--new", type=DOCUMENT, metavar="FILE", help="Make a key in this new file.")
@click.option("--show", type=DOCUMENT, metavar="FILE", help="Print the card of this key again.")
@session_options
@output_options
def seal_key(session: Session, new: Path | None, show: Path | None) -> None:
    """Make a key that documents are sealed for, and print its card for the other party.

    Your Ethereum key, the one of the configuration, signs the card: so the other party knows whose it is. The file holds the
    secret; the card is public.
    """
    if new is not None and show is None:
        if new.exists():
            raise _exists(new)
        key = cards.create(keys.load(session.config.key, ask=keys.ask_on_terminal()))
        _write_new(new, key.dump())
        session.output.note(
            f"the secret is in {new}: keep a copy, what is sealed for it cannot be opened without\n"
            "next: send the card above to the other party"
        )
    elif show is not None and new is None:
        key = cards.load_key(show)
    else:
        raise click.UsageError("either --new FILE or --show FILE")
    session.output.data(key.card.as_json())


@click.command
@click.argument("document", type=DOCUMENT)
@click.option(
    "--for",
    "readers",
    type=DOCUMENT,
    metavar="CARD",
    multiple=True,
    required=True,
    help="Who may read it; may be given several times.",
)
@click.option("--key", "key_file", type=DOCUMENT, required=True, help="Your seal key.")
@click.option("--output", "target", type=DOCUMENT, help="Instead of DOCUMENT's name with .sealed.")
@click.option("--no-signatures", is_flag=True, help="Leave the signatures beside DOCUMENT out.")
@click.option("--anyway", is_flag=True, help="Also from and for accounts that DOCUMENT names not.")
@output_options
@pass_output
def seal(
    output: Output,
    document: Path,
    readers: tuple[Path, ...],
    key_file: Path,
    target: Path | None,
    *,
    no_signatures: bool,
    anyway: bool,
) -> None:
    """Seal DOCUMENT, in one piece and with its signatures, for others who are named in it.

    Only they and you can open it, and they see that it comes from you.
    """
    agreement = load_document(document, adapters=False)
    key = cards.load_key(key_file)
    invited = [cards.load_card(file) for file in readers]
    given = None if no_signatures else signatures.load(agreement)
    content = sealing.seal(agreement, key, invited, given, anyway=anyway)
    file = target or document.with_suffix(".sealed")
    _write_new(file, content.decode() + "\n", mode=0o644)
    readable = _named(agreement, tuple(dict.fromkeys([key.card, *invited])))
    signed = [role for role in signatures.ROLES if given and given.of(role)]
    result = {
        "file": str(file),
        "agreementId": f"0x{agreement.agreement_id.hex()}",
        "documentHash": f"0x{agreement.hash.hex()}",
        "readableBy": readable,
        "signedBy": signed,
    }
    output.data(
        result,
        lambda: output.fields(
            [
                ("file", file),
                ("agreement id", result["agreementId"]),
                ("document hash", result["documentHash"]),
                *(("readable by", _shown(one)) for one in readable),
                ("signed by", ", ".join(signed) or "nobody"),
            ]
        ),
    )


@click.command
@click.argument("file", type=DOCUMENT)
@click.option("--key", "key_file", type=DOCUMENT, required=True, help="Your seal key.")
@click.option("--from", "expected", type=DOCUMENT, metavar="CARD", help="Who must have sealed it.")
@click.option("--output", "target", type=DOCUMENT, help="Instead of FILE's name with .yaml.")
@output_options
@pass_output
def unseal(
    output: Output, file: Path, key_file: Path, expected: Path | None, target: Path | None
) -> None:
    """Open the sealed FILE, check who sealed it, and write the document and its signatures.

    Without --from it must come from a party of the document. Compare the agreement's id with the other party's before you sign.
    """
    target = target or file.with_suffix(".yaml")
    key = cards.load_key(key_file)
    card = cards.load_card(expected) if expected else None
    unsealed = sealing.unseal(sealing.load(file), key, target, expected=card)
    _write(unsealed)
    agreement = unsealed.document
    given = unsealed.signatures
    for role in signatures.ROLES:
        if given.of(role) and (fault := signatures.fault(agreement, given, role)):
            output.note(f"note: {fault}; if it is a contract, only the escrow can judge it")
    readable = _named(agreement, unsealed.readers)
    [sender] = _named(agreement, (unsealed.sender,))
    signed = [role for role in signatures.ROLES if given.of(role)]
    result = {
        "file": str(target),
        "agreementId": f"0x{agreement.agreement_id.hex()}",
        "documentHash": f"0x{agreement.hash.hex()}",
        "sealedBy": sender,
        "readableBy": readable,
        "signedBy": signed,
        "signatures": str(signatures.path_of(agreement)) if signed else None,
    }
    output.data(
        result,
        lambda: output.fields(
            [
                ("file", target),
                ("agreement id", result["agreementId"]),
                ("document hash", result["documentHash"]),
                ("sealed by", _shown(sender)),
                *(("readable by", _shown(one)) for one in readable),
                ("signed by", ", ".join(signed) or "nobody"),
                ("signatures", result["signatures"]),
            ]
        ),
    )
    output.note(f"next: makegood sla validate {target}")


def _write(unsealed: Unsealed) -> None:
    """The document and the signatures beside it, or neither."""
    document = unsealed.document
    beside = signatures.path_of(document)
    if beside.exists():
        raise _exists(beside)
    _write_new(document.path, unsealed.text)
    try:
        for role in signatures.ROLES:
            if signature := unsealed.signatures.of(role):
                signatures.add(document, role, signature)
    except ConfigurationError:
        document.path.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)
        raise


def _write_new(file: Path, text: str, *, mode: int = 0o600) -> None:
    """The whole file or none, never over another one."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        file.unlink(missing_ok=True)
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from None


def _exists(file: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{file} exists already, and is not overwritten", hint="name another file, or move that one"
    )


def _named(document: Document, given: tuple[Card, ...]) -> list[dict[str, str | None]]:
    return [
        {"account": card.account, "role": sealing.role_of(document, card.account)} for card in given
    ]


def _shown(one: dict[str, str | None]) -> str:
    return f"{one['account']} ({one['role'] or 'not named in the document'})"
