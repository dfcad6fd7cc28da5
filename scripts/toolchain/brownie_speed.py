"""Spares the contract tests what brownie does around each request; importing it is enough, before brownie connects.

With all of this tests/contracts/oracle/test_report_judging.py takes 20 s of CPU time instead of 41 s.
"""

import json
import sys
import time
from typing import Any

import requests
import urllib3
from brownie.network.state import Chain
from web3 import HTTPProvider
from web3.types import RPCEndpoint

# 1. For each request `requests` looks for proxies in the whole environment, and before each call and each transaction web3
#    asks for the chain's id.


class _LocalProvider(HTTPProvider):
    """Speaks to a chain on this machine, and remembers its id."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        super().__init__(
            uri,
            options,
            cache_allowed_requests=True,
            cacheable_requests={RPCEndpoint("eth_chainId")},
        )
        self._pool = urllib3.connection_from_url(uri, timeout=options["timeout"], maxsize=4)

    def _make_request(self, method: RPCEndpoint, request_data: bytes) -> bytes:
        if method == "evm_revert":
            self._wait_for_the_pool()
        return self._post(method, request_data)

    def _wait_for_the_pool(self) -> None:
        """Anvil has a receipt a moment before it takes the transaction out of its pool, by sender and nonce.

        After a revert that would take away the next one of the same sender instead, which is never mined then. ganache has no
        such method, and answers without a result.
        """
        asked = self.encode_rpc_request(RPCEndpoint("txpool_status"), [])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = json.loads(self._post(RPCEndpoint("txpool_status"), asked))
            if answer.get("result", {}).get("pending", "0x0") == "0x0":
                break

    def _post(self, method: RPCEndpoint, request_data: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._pool.urlopen("POST", "/", request_data, headers, retries=False)
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(f"{method}: {error}") from error
        if answer.status != requests.codes.ok:
            raise requests.HTTPError(f"{method}: HTTP {answer.status}, {answer.data[:200]!r}")
        return bytes(answer.data)


sys.modules["brownie.network.web3"].HTTPProvider = _LocalProvider  # type: ignore[attr-defined]

# 2. After each transaction the chain is copied, so that the transaction can be undone. No test does that.


def _remember_nothing(self: Any, *transaction: Any) -> None:
    pass


Chain._add_to_undo_buffer = _remember_nothing  # type: ignore[method-assign, assignment]

# 3. Who calls these is looked up in the source files of the whole stack, only to warn.

_rpc = sys.modules["brownie.network.rpc"].Rpc


def _revert(self: Any, snapshot: int) -> None:
    self.backend.revert(snapshot)


_rpc.snapshot = _rpc._snapshot
_rpc.revert = _revert
