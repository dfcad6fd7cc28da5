"""The key: that it is there, unlocked, and signs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from relayer.cli.checks.finding import Finding

if TYPE_CHECKING:
    from relayer.cli.checks.finding import Known


def key(known: Known) -> Finding:
    from eth_account.messages import encode_defunct

    from relayer import keys
    from relayer.protocol.typed_data import recover, sign

    settings = known.config.key
    if not settings.configured:
        return Finding("key", "skipped", "no key: a relayer reads, but signs and sends nothing")
    account = keys.load(settings, ask=keys.ask_on_terminal())
    message = encode_defunct(text="makegood doctor: this is worth nothing")
    began = time.monotonic()
    signer = recover(message, sign(account, message))
    took = time.monotonic() - began
    if signer != account.address:
        mend = "use another key, and tell how this one came about"
        return Finding("key", "failed", f"{account.address} signs as {signer}", mend)
    known.address = account.address
    where = f" in AWS KMS, signs in {took * 1_000:.0f} ms" if settings.aws_kms else ""
    return Finding("key", "ok", f"{account.address}{where}")
