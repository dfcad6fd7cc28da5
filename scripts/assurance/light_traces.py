"""Makes brownie ask anvil for what a transaction returned, or why it was reverted, and not for all its steps.

By itself it fetches each step with all memory, for every refusal and every return value: most of the time of a test. Import it
where nothing needs the steps (coverage, `call_trace()`, the source of an error in messages).
"""

from typing import Any

import brownie
from brownie.network import transaction
from web3.types import RPCEndpoint

METHOD = RPCEndpoint("debug_traceTransaction")


def _get_outcome(self: Any) -> None:
    if self._raw_trace is not None:
        return
    self._raw_trace = self._trace = []
    options = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
    answer = brownie.web3.provider.make_request(METHOD, [self.txid, options])
    output = answer["result"].get("output", "0x")
    if self.status:
        if output != "0x":
            self._confirmed_return_value(output)
        return
    self._revert_msg = ""
    if output != "0x":
        self._reverted_return_value(output)
    self._dev_revert_msg = self._dev_revert_msg or ""


transaction.TransactionReceipt._get_trace = _get_outcome  # type: ignore[method-assign]  # noqa: SLF001
