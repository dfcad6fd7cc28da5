"""`makegood demo`: an SLA is breached and pays, on a chain of its own."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import click

from relayer.errors import ConfigurationError

WIDTH = 100
"""Columns of the narration."""
_TIED = "\u00a0"
"""A space at which no line is broken."""


@click.command()
@click.option(
    "--chain",
    "chain_kind",
    type=click.Choice(["anvil", "ganache"]),
    default="anvil",
    show_default=True,
    help="The local chain to start.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what happened as one JSON object.")
@click.option(
    "--kill-relayer", is_flag=True, help="Kill a relayer in the middle (SIGKILL); it goes on."
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep documents, logs and the relayers' databases there.",
)
def demo(chain_kind: str, *, as_json: bool, kill_relayer: bool, folder: Path | None) -> None:
    """Play the main job in about a minute, on a local chain.

    A provider and a consumer sign an SLA, the fee goes into escrow, three relayers watch a web service, the service fails,
    and the consumer is paid; one of the three lies, is outvoted and found out; at the end the provider gets the rest. Needs
    a checkout that `make setup` has prepared.
    """
    from relayer.demo.story import Demo

    began = time.monotonic()
    # With --json the data alone is on standard output.
    stream = sys.stderr if as_json else sys.stdout

    def tell(sentence: str) -> None:
        told = f"{time.monotonic() - began:5.1f} s  {sentence}".replace(" %", f"{_TIED}%")
        lines = textwrap.fill(told, WIDTH, subsequent_indent=" " * 9)
        click.echo(lines.replace(_TIED, " "), file=stream)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt  # SIGTERM, too, must stop what was started

    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="makegood-demo-") as temporary:
        place = (
            folder or Path(temporary)
        ).resolve()  # paths in the configuration are relative to its file
        if folder and (place / "agreement.yaml").exists():
            raise ConfigurationError(f"{folder} holds an earlier run: name a new folder")
        place.mkdir(parents=True, exist_ok=True)
        result = Demo(chain_kind, place, tell, kill_relayer=kill_relayer).run()
    if as_json:
        click.echo(json.dumps(result, indent=2))
