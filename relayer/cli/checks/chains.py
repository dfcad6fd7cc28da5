"""The chain: each endpoint by itself, then all together, and what the key has there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from relayer import keys
from relayer.cli.checks.finding import Finding, State, guarded
from relayer.document.quantities import show_amount
from relayer.redaction import redacted_url
from relayer.runway import expected_gas, gas_price, runway_days

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from relayer.chain import Chain
    from relayer.cli.checks.finding import Known

HEAD_SECONDS = 300
"""An endpoint whose newest block is older does not follow its chain."""
LOCAL_SECONDS = 60
"""A local chain whose newest block is older makes none by itself."""
ENDPOINT_SECONDS = 10


def chains(known: Known) -> Iterator[Finding]:
    """The chains that the documents need; without documents the one that answers."""
    if known.config.rpc_url is None:
        mend = "set rpcUrl, MAKEGOOD_RPC_URL or --rpc-url"
        yield Finding("chain", "failed", "no RPC endpoint is configured", mend)
        return
    needed = sorted({document.chain_id for document in known.documents})
    chain_ids: list[int | None] = [*needed] or [None]
    for chain_id in chain_ids:
        endpoints = list(_endpoints(known, chain_id))
        if len(endpoints) > 1:
            yield from endpoints
        name = f"chain {chain_id}" if chain_id else "chain"
        connected = guarded(name, partial(_connect, known, chain_id, endpoints))
        yield connected
        if connected.state != "ok":
            continue
        chain = known.chains[chain_id or 0]
        if known.config.batcher:
            yield guarded(f"batcher on {name}", partial(_batcher, known, chain))
        if known.address:
            yield guarded(f"balance on {name}", partial(_balance, known, chain))


def _endpoints(known: Known, chain_id: int | None) -> Iterator[Finding]:
    """Each endpoint asked by itself: one that the others hide would be missed when it is needed."""
    urls = known.config.rpc_urls()
    names = [redacted_url(url) for url in urls]
    names = [
        f"{name} ({number})" if names.count(name) > 1 else name
        for number, name in enumerate(names, 1)
    ]
    found = [_endpoint(known, *pair, chain_id) for pair in zip(urls, names, strict=True)]
    enough = sum(finding.state == "ok" for finding in found) >= known.config.rpc_agreement
    for finding in found:
        # What the others make up for can wait.
        state: State = "failed" if finding.state == "warning" and not enough else finding.state
        yield Finding(finding.check, state, finding.detail, finding.next_step)


def _endpoint(known: Known, url: str, name: str, chain_id: int | None) -> Finding:
    """One endpoint. What may pass by itself is a warning."""
    from relayer.rpc_endpoint import Endpoint
    from relayer.rpc_errors import EndpointFault

    check, endpoint = f"endpoint {name}", Endpoint(url, name)
    try:
        serves = endpoint.chain_id(seconds=ENDPOINT_SECONDS)
        head = endpoint.head(seconds=ENDPOINT_SECONDS)
    except EndpointFault as fault:
        return Finding(
            check, "warning", str(fault), "compare rpcUrl with what the service gave you"
        )
    if chain_id is not None and serves != chain_id:
        mend = "set rpcUrl (or --rpc-url) to endpoints of the right chain"
        return Finding(check, "failed", f"serves chain {serves}, not chain {chain_id}", mend)
    ahead = head.timestamp - known.clock()
    if serves in keys.LOCAL_CHAINS:  # their time is whatever a test has set
        waits = f", {-ahead:.0f} s old: a relayer waits for the next one"
        return Finding(check, "ok", f"block {head.number}{waits if -ahead > LOCAL_SECONDS else ''}")
    known.blocks[name] = ahead
    detail = f"block {head.number}, {max(0, -ahead):.0f} s old"
    if -ahead > HEAD_SECONDS:
        mend = "the endpoint does not follow its chain: use another, or wait until it does"
        return Finding(check, "warning", detail, mend)
    return Finding(check, "ok", detail)


def _connect(known: Known, chain_id: int | None, endpoints: Sequence[Finding]) -> Finding:
    """All endpoints together, as the relayer uses them."""
    if len(endpoints) == 1 and endpoints[0].state == "failed":
        only = endpoints[0]
        place = only.check.removeprefix("endpoint ")
        detail = only.detail if place in only.detail else f"{place}: {only.detail}"
        return Finding(
            f"chain {chain_id}" if chain_id else "chain", "failed", detail, only.next_step
        )
    working, agreement = sum(one.state == "ok" for one in endpoints), known.config.rpc_agreement
    if working < agreement:
        detail = f"{working} of {len(endpoints)} endpoints work, and {agreement} have to agree"
        mend = "mend the endpoints above, add others to rpcUrl, or lower rpcAgreement"
        return Finding(f"chain {chain_id}" if chain_id else "chain", "failed", detail, mend)
    chain = known.session.chain(chain_id)
    if known.address:
        keys.refuse_public_key(known.address, chain.chain_id)
    known.chains[chain_id or 0] = chain
    if len(endpoints) == 1:
        detail = f"{chain.host}, {endpoints[0].detail}"
    else:
        detail = f"{working} of {len(endpoints)} endpoints work, {agreement} have to agree"
    return Finding(f"chain {chain.chain_id}", "ok", detail)


def _batcher(known: Known, chain: Chain) -> Finding:
    name, batcher = f"batcher on chain {chain.chain_id}", known.config.batcher
    if batcher is None:
        raise AssertionError("asked only with a batcher")
    if not chain.has_code(batcher):
        mend = "set batcher to the Batcher of this chain, or leave it out"
        return Finding(name, "failed", f"there is no contract at {batcher}", mend)
    return Finding(name, "ok", batcher)


def _balance(known: Known, chain: Chain) -> Finding:
    """What the key has for gas, and how long it lasts at the pace of the last days."""
    address = known.address
    if address is None:
        raise AssertionError("asked only with a key")
    name, balance = f"balance on chain {chain.chain_id}", chain.balance(address)
    detail = f"{show_amount(balance, 18)} for gas"
    mend = f"send some of the chain's coin to {address}"
    if balance == 0:
        return Finding(name, "failed", detail, mend)
    runway = None
    if known.store is not None:
        expected = expected_gas(d for d in known.documents if d.chain_id == chain.chain_id)
        runway = runway_days(
            balance,
            known.store.transactions,
            address,
            known.clock(),
            expected=expected * gas_price(chain) if expected else 0,
        )
    if runway is None:
        return Finding(name, "ok", detail)
    operations = known.config.operations
    detail += f", which lasts {runway:.{1 if runway < 10 else 0}f} days"
    if runway < operations.runway_critical_days:
        return Finding(name, "failed", detail, mend)
    if runway < operations.runway_warning_days:
        return Finding(name, "warning", detail, mend)
    return Finding(name, "ok", detail)
