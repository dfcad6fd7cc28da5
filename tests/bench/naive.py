"""Against the loop that a user would write: read, sign, one transaction per reading, wait for the receipt.

Same chain, same readings: 1,000 feeds of which an hour of one-minute readings is to be reported. The user's loop is timed over
a sample of them, since all 60,000 would take it hours.
"""

from __future__ import annotations

import time

from relayer.protocol.readings import pack_readings
from relayer.protocol.report import SignedBatch
from relayer.protocol.typed_data import Domain, batch_message, sign
from tests.bench.fleet import KEY, fleet, say
from tests.bench.goals import at_least

FEEDS = 1_000
MINUTES = 60
SAMPLE = 100


def measure(feeds: int = FEEDS) -> dict[str, object]:
    with fleet(feeds, cadence=MINUTES * 60) as made:
        w3 = made.chain.w3
        say(f"reading {MINUTES} minutes of {feeds} feeds")
        for _ in range(MINUTES):
            made.now += 60
            made.source.step()
        made.rpc("evm_setNextBlockTimestamp", int(made.now))
        made.rpc("evm_mine")
        block = w3.eth.block_number
        say("the relayer reports them")
        begun = time.monotonic()
        made.drain()
        seconds = time.monotonic() - begun
        gas = transactions = 0
        for number in range(block + 1, w3.eth.block_number + 1):
            mined = w3.eth.get_block(number)
            gas += mined["gasUsed"]
            transactions += len(mined["transactions"])
        readings = sum(made.oracle.next_interval(feed.id) for feed in made.feeds)
        assert readings == feeds * MINUTES, f"{readings} of {feeds * MINUTES} readings reported"
        ours = {
            "readings": readings,
            "transactions": transactions,
            "readings_per_second": readings / seconds,
            "gas_per_reading": gas / readings,
        }
        say("the user's loop")
        theirs = _loop(made)
    faster = round(ours["readings_per_second"] / theirs["readings_per_second"], 1)
    cheaper = round(theirs["gas_per_reading"] / ours["gas_per_reading"], 1)
    return {
        "feeds": feeds,
        "relayer": _rounded(ours),
        "loop": _rounded(theirs),
        "goals": {
            "times_the_readings_per_second": at_least(faster, 50),
            "gas_ratio": at_least(cheaper, 20),
        },
    }


def _loop(made) -> dict[str, float]:
    """One reading after the other, each of another feed, from where the relayer left them."""
    w3, domain = made.chain.w3, Domain(made.chain.chain_id, made.oracle.address)
    # Blocks that came meanwhile have the time of day.
    made.now = max(made.now + 60, w3.eth.get_block("latest")["timestamp"] + 1)
    made.rpc("evm_setNextBlockTimestamp", int(made.now))
    made.rpc("evm_mine")
    gas = 0
    begun = time.monotonic()
    for feed in made.feeds[:SAMPLE]:
        readings = pack_readings([1_000_000])
        message = batch_message(domain, feed.id, MINUTES, readings, bytes(32))
        batch = SignedBatch(0, MINUTES, readings, bytes(32), sign(KEY, message))
        call = made.oracle.report(feed, [batch])
        transaction = call.build_transaction(
            {"from": KEY.address, "nonce": w3.eth.get_transaction_count(KEY.address)}
        )
        signed = KEY.sign_transaction(transaction)
        receipt = w3.eth.wait_for_transaction_receipt(
            w3.eth.send_raw_transaction(signed.raw_transaction)
        )
        assert receipt["status"] == 1
        gas += receipt["gasUsed"]
    seconds = time.monotonic() - begun
    return {
        "readings": SAMPLE,
        "transactions": SAMPLE,
        "readings_per_second": SAMPLE / seconds,
        "gas_per_reading": gas / SAMPLE,
    }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}
