"""The other reporters: who they are, whether they answer, and what time it is there."""

from __future__ import annotations

import json
import ssl
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import certifi

from oracles.probing.deadline_http import Exchange, Failed
from relayer.cli.checks.finding import Finding, guarded
from relayer.redaction import redacted_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eth_typing import ChecksumAddress

    from relayer.cli.checks.finding import Known

PEER_SECONDS = 10
MAX_BYTES = 1 << 16
CLOCK_SECONDS = 60
"""How far this machine's clock may differ from others'."""


def exchange(known: Known) -> Iterator[Finding]:
    """Whether our readings and those of the other reporters find each other."""
    peers = known.config.exchange.peers
    if known.reporting:
        yield from _unconfigured(known)
    for address, url in peers.items():
        yield guarded(f"peer {address}", partial(_peer, known, address, url))


def _unconfigured(known: Known) -> Iterator[Finding]:
    others = {
        reporter
        for document in known.documents
        for level in document.levels
        if level.feed.panel.quorum > 1 and known.address in level.feed.panel.reporters
        for reporter in level.feed.panel.reporters
    } - {known.address}
    unknown = sorted(reporter for reporter in others if reporter not in known.config.exchange.peers)
    if unknown:
        yield Finding(
            "other reporters",
            "warning",
            f"no address of {', '.join(unknown)}, whose readings have to agree with ours",
            "ask their operators, and set exchange.peers",
        )
    if known.config.exchange.listen is None:
        yield Finding(
            "exchange.listen",
            "warning",
            "the other reporters cannot fetch what is signed here",
            "set exchange.listen, and tell their operators the address",
        )


def _peer(known: Known, address: ChecksumAddress, url: str) -> Finding:
    name = f"peer {address}"
    if address == known.address:
        mend = "exchange.peers names the others only: take this account out"
        return Finding(name, "failed", "is this relayer's own account", mend)
    try:
        identity = _identity(url)
    except ValueError as error:
        mend = "ask its operator whether it runs; compare the address in exchange.peers"
        return Finding(name, "warning", f"{redacted_url(url)}: {error}", mend)
    if identity["address"].lower() != address.lower():
        detail = f"{redacted_url(url)} answers as {identity['address']}"
        return Finding(
            name, "failed", detail, "correct the account or the address in exchange.peers"
        )
    needed = {chain.chain_id for chain in known.chains.values()}
    if needed and identity["chainId"] not in needed:
        detail = f"{redacted_url(url)} reports to chain {identity['chainId']}"
        return Finding(name, "failed", detail, "name its relayer for this chain in exchange.peers")
    known.clocks[address] = identity["time"] - known.clock()
    return Finding(name, "ok", f"{redacted_url(url)}, version {identity['version']}")


def _identity(url: str) -> dict[str, Any]:
    """Who a peer says it is. Raises ValueError, with a message fit to be shown, if it does not say."""
    tls = ssl.create_default_context()
    tls.load_verify_locations(certifi.where())
    ask = Exchange(
        method="GET",
        timeout=PEER_SECONDS,
        max_bytes=MAX_BYTES,
        max_redirects=0,
        tls=tls,
        headers={},
    )
    try:
        answer = ask.fetch(f"{url.rstrip('/')}/v1/identity")
    except Failed as failed:
        raise ValueError(f"no answer ({failed.reason})") from None
    if answer.status != 200:
        raise ValueError(f"HTTP {answer.status}")
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    kinds = {"address": str, "chainId": int, "version": str, "time": int | float}
    if not isinstance(said, dict) or not all(isinstance(said.get(k), t) for k, t in kinds.items()):
        raise ValueError("what answers there is no relayer of makegood")
    return {**said, "version": "".join(filter(str.isprintable, said["version"]))[:20]}


def clock(known: Known) -> Iterator[Finding]:
    """Whether this machine's clock is right, as far as blocks and peers tell."""
    blocks, peers = list(known.blocks.values()), list(known.clocks.values())
    if not blocks and not peers:
        return
    off = 0.0
    if blocks and max(blocks) > CLOCK_SECONDS:  # no chain is ahead of its time
        off = max(blocks)
    elif peers and abs(median(peers)) > CLOCK_SECONDS:
        off = median(peers)
    elif len(blocks) > 1 and not peers and max(blocks) < -CLOCK_SECONDS:
        # The clock is ahead, or the chain stands still.
        off = max(blocks)
    if not off:
        yield Finding("clock", "ok", "agrees with blocks" + (" and peers" if peers else ""))
        return
    side = "behind" if off > 0 else "ahead of"
    yield Finding(
        "clock",
        "warning",
        f"this machine's clock is {abs(off):.0f} s {side} what blocks and peers say",
        "set the clock (NTP): probes date what they see by it",
    )
