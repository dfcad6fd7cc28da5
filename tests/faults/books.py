"""What must be true after every fault: money is conserved, every interval is judged once, and no reading is invented."""

from __future__ import annotations

import time

from relayer.bindings import WINDOW_STATUS
from relayer.protocol.readings import MAX_VALUE, NO_DATA, unpack_readings

LATE = 6
"""A sample may begin 2 s late and take 4 s: within this after its interval the service was asked for it [s]."""


def check(agreement):
    """Looks at one block; relayers may go on meanwhile."""
    block = agreement.site.w3.eth.block_number
    _money_is_conserved(agreement, block)
    found = judged(agreement.site.oracle, agreement.feeds, 0, block)
    for feed, path in zip(agreement.feeds, agreement.paths, strict=True):
        _judged_once(agreement.site.oracle, feed, found[feed.id], block)
        _nothing_invented(agreement.site.shop, feed, path, found[feed.id])
    [panel] = {feed.panel for feed in agreement.feeds}
    assert agreement.site.oracle.ignored(panel) == 0, "a reporter contradicted itself"


def judged(oracle, feeds, first_block=0, last_block="latest"):
    """Of each feed what was judged, by interval: from the events, each as often as there was one."""
    found = {feed.id: {} for feed in feeds}

    def note(feed, first, codes):
        if feed in found:
            for interval, code in enumerate(codes, first):
                found[feed].setdefault(interval, []).append(code)

    # Most events on this chain are about other feeds, and reading one takes long.
    logs = oracle.contract.w3.eth.get_logs(
        {"address": oracle.address, "fromBlock": first_block, "toBlock": last_block}
    )
    ours = [
        log for log in logs if any(id_ in b"".join((*log["topics"], log["data"])) for id_ in found)
    ]
    read = {event.topic: event for event in (e() for e in oracle.contract.events)}
    for log in ours:
        event = read[f"0x{log['topics'][0].hex()}"]
        values = event.process_log(log)["args"]
        if event.event_name == "Judged":
            note(values["feedId"], values["first"], unpack_readings(values["values"]))
        elif event.event_name == "Skipped":
            unknown = [NO_DATA] * (values["upTo"] - values["first"])
            note(values["feedId"], values["first"], unknown)
        elif event.event_name == "JudgedMany":
            rest = bytes(values["values"])
            for feed in values["feedIds"]:
                first, many = int.from_bytes(rest[:4], "big"), int.from_bytes(rest[4:6], "big")
                note(feed, first, unpack_readings(rest[6 : 6 + 4 * many]))
                rest = rest[6 + 4 * many :]
    return found


def _money_is_conserved(agreement, block):
    """What was paid in is with the parties or in the escrow, and each got what its windows say."""
    escrow, terms = agreement.site.escrow, agreement.document.terms
    balance = agreement.token.contract.functions.balanceOf
    consumer, provider, held = (
        balance(account).call(block_identifier=block)
        for account in (terms.consumer, terms.provider, escrow.address)
    )
    assert consumer + provider + held == agreement.deposit
    window_of = escrow.contract.functions.windowOf
    to_consumer = to_provider = 0
    for window in range(terms.windows):
        status, paid = window_of(agreement.document.agreement_id, window).call(
            block_identifier=block
        )
        to_consumer += paid
        if WINDOW_STATUS[status] == "closed":
            to_provider += terms.fee_per_window - paid
        if terms.window_start(window) > time.time():
            break
    assert (consumer, provider) == (to_consumer, to_provider)


def _judged_once(oracle, feed, found, block):
    following = oracle.contract.functions.latest(feed.id).call(block_identifier=block)[0]
    assert sorted(found) == list(range(following))
    again = {interval: codes for interval, codes in found.items() if len(codes) != 1}
    assert not again, "judged more than once"


def _nothing_invented(shop, feed, path, found):
    measurement = feed.measurement
    for interval, [code] in found.items():
        start = measurement.start_of(interval)
        said = shop.said(path, start, start + measurement.interval + LATE)
        about = f"interval {interval} of {path} was judged {code}, and the service said {said}"
        if code <= MAX_VALUE:
            assert said, about  # nobody asked it: nobody can know
            assert code == 0 or True in said, about
            assert code == 1_000_000 or False in said, about
        else:
            assert code == NO_DATA, about
