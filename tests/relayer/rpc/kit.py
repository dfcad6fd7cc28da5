"""What the tests of endpoints ask of a chain, and see of its proxies."""

from __future__ import annotations

from relayer.chain import Sent
from relayer.operations import metrics
from relayer.rpc_endpoint import Endpoint
from tests import samples

RICH = samples.wallet(0)


def label(proxy):
    return f"{proxy.host}/..."


def count(metric, *labels):
    return metric.labels(*labels)._value.get()


def errors(proxy, kind):
    return count(metrics.RPC_ERRORS, label(proxy), kind)


def firing(alerts):
    return {(alert.name, alert.subject) for alert in alerts.firing()}


def direct(anvil_url, method, *params):
    answer = Endpoint(anvil_url).make_request(method, list(params))
    assert "error" not in answer, answer
    return answer["result"]


def mine(anvil_url, blocks, seconds):
    direct(anvil_url, "anvil_mine", hex(blocks), hex(seconds))


def signed_payment(chain, value=1, **changes):
    transaction = {
        "type": 2,
        "chainId": chain.chain_id,
        "to": samples.wallet(90).address,
        "nonce": chain.nonce(RICH.address),
        "data": b"",
        "value": value,
        "gas": 21_000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 10**9,
    }
    return RICH.sign_transaction(transaction | changes)


def pay(chain, value=1):
    """A payment that is mined, which happens a moment after it is accepted."""
    payment = signed_payment(chain, value)
    assert chain.broadcast(bytes(payment.raw_transaction)) is Sent.ACCEPTED
    mined(chain, payment)
    return payment


def mined(chain, payment):
    receipt = chain.w3.eth.wait_for_transaction_receipt(payment.hash, timeout=60)
    assert receipt["status"] == 1
