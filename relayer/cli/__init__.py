"""The command line ``makegood``. Here stand the names of all commands and what happens when one fails.

A command's module is imported when the command is called, so that help and completion answer at once.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayer import __version__
from relayer.cli.lazy import Lazy, LazyGroup
from relayer.cli.output import Output, output_options, remember_file
from relayer.errors import MakegoodError

if TYPE_CHECKING:
    from collections.abc import Sequence

CANCELLED = 130

_WALLET = LazyGroup(
    "wallet",
    help="Keys: make one, look at one.",
    commands_at={
        "new": Lazy("relayer.cli.wallet:new", "make a key in an encrypted keystore"),
        "show": Lazy("relayer.cli.wallet:show", "address and balances"),
    },
)
_SLA = LazyGroup(
    "sla",
    help="SLA documents and the agreements made of them.",
    commands_at={
        "init": Lazy("relayer.cli.init:init", "a new document from a template"),
        "explain": Lazy("relayer.cli.explain:explain", "a document in plain English"),
        "simulate": Lazy("relayer.cli.simulate:simulate", "what it would have paid in the past"),
        "validate": Lazy("relayer.cli.sla:validate", "check a document, say what it promises"),
        "sign": Lazy("relayer.cli.sla:sign", "sign as provider or consumer"),
        "open": Lazy("relayer.cli.money:open_", "open an agreement and pay its prepaid windows"),
        "fund": Lazy("relayer.cli.money:fund", "pay for later windows"),
        "revoke": Lazy("relayer.cli.party:revoke", "withdraw your signature, before the opening"),
        "payout": Lazy("relayer.cli.party:payout", "have your payments sent to another address"),
        "withdraw": Lazy(
            "relayer.cli.party:withdraw", "fetch payments that could not be delivered"
        ),
        "bond": Lazy("relayer.cli.bond:bond", "post the provider's bond, or give it back"),
        "amend": Lazy("relayer.cli.amendment:amend", "let new terms take over, or renew"),
        "end": Lazy("relayer.cli.ending:end", "end early: by notice, for breaches, together"),
        "exclude": Lazy("relayer.cli.exclusion:exclude", "agree that a span is not judged"),
        "dispute": Lazy("relayer.cli.dispute:dispute", "dispute a payment while it waits"),
        "rule": Lazy("relayer.cli.dispute:rule", "decide a dispute, as the arbiter"),
        "lapse": Lazy("relayer.cli.dispute:lapse", "end a dispute that nobody decided"),
        "verify": Lazy("relayer.cli.verify:verify", "prove that it is what was signed"),
        "resolve": Lazy("relayer.cli.sla:resolve", "print it in one piece, OpenSLO included"),
        "schema": Lazy("relayer.cli.sla:schema", "print the JSON Schema of documents"),
        "seal-key": Lazy("relayer.cli.seal:seal_key", "make a key that documents are sealed for"),
        "seal": Lazy("relayer.cli.seal:seal", "seal a document for the other party"),
        "unseal": Lazy("relayer.cli.seal:unseal", "open a sealed document"),
        "status": Lazy("relayer.cli.status:status", "windows, tallies, credits, payments"),
        "list": Lazy("relayer.cli.status:list_", "all documents of the configuration"),
    },
)
_MONITOR = LazyGroup(
    "monitor",
    help="Monitoring services: which there are, and what they answer.",
    commands_at={
        "list": Lazy("relayer.cli.monitor:list_", "all monitoring services"),
        "test": Lazy("relayer.cli.monitor:test", "ask one once, say what came of it"),
        "sample": Lazy("relayer.cli.monitor:sample", "read its latest intervals, and draw them"),
    },
)
_EVIDENCE = LazyGroup(
    "evidence",
    help="The raw answers behind signed readings.",
    commands_at={
        "key": Lazy("relayer.cli.evidence:key", "print a fresh key to encrypt them with"),
        "encrypt": Lazy("relayer.cli.evidence:encrypt", "encrypt what is stored already"),
        "export": Lazy("relayer.cli.evidence:export", "write a file for the other party"),
        "verify": Lazy("relayer.cli.evidence:verify", "check such a file"),
    },
)
_CONFIG = LazyGroup(
    "config",
    help="The configuration in force.",
    commands_at={
        "show": Lazy("relayer.cli.config:show", "each value and where it comes from"),
    },
)


@click.group(
    cls=LazyGroup,
    own={
        "wallet": _WALLET,
        "sla": _SLA,
        "config": _CONFIG,
        "evidence": _EVIDENCE,
        "monitor": _MONITOR,
    },
    commands_at={
        "relayer": Lazy("relayer.cli.relayer:relayer", "read, sign and submit readings"),
        "doctor": Lazy("relayer.cli.doctor:doctor", "check everything a relayer needs"),
        "demo": Lazy("relayer.cli.demo:demo", "an SLA is breached and pays, on a local chain"),
    },
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 document or configuration, 4 key, 5 chain, 6 reverted, "
    "7 checks failed, 8 database, 130 cancelled.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="makegood")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    expose_value=False,
    callback=remember_file,
    help="Configuration file instead of ./makegood.yaml.",
)
@output_options
def cli() -> None:
    """A cloud SLA that pays its own penalties."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code. The one place where errors become messages."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = Output(json="--json" in words, verbose="--verbose" in words)
    try:
        code = cli.main(words, prog_name="makegood", obj=output, standalone_mode=False)
        output.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        output.warn(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        output.warn("\ncancelled" if sys.stderr.isatty() else "cancelled")  # below the question
        return CANCELLED
    except Exception as error:  # noqa: BLE001 - a bug, whatever it is: shown as one line, not as a trace
        if output.verbose and not isinstance(error, click.ClickException):
            output.warn(traceback.format_exc().rstrip())
        shown = _shown(error, output)
        code = error.exit_code if isinstance(error, click.ClickException) else shown.exit_code
        return output.error(shown, code)
    return code if isinstance(code, int) else 0


def _shown(error: Exception, output: Output) -> MakegoodError:
    """What a person gets to read."""
    if isinstance(error, MakegoodError):
        return error
    if isinstance(error, click.ClickException):
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f"{context.command_path} --help" if context else None
        return UsageProblem(error.format_message(), hint=hint)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = None if output.verbose else "--verbose shows the trace"
    return MakegoodError(f"this is a bug in makegood: {what}", hint=hint)


class UsageProblem(MakegoodError):
    """The command line is wrong."""

    exit_code = 2
