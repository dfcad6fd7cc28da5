"""The soak: three relayers, 200 feeds, half an hour of real time, random faults; then the books are checked.

Prints one JSON object: what was done, what was found. Exits with 1 if money is missing, an interval was judged more or less
often than once, or a verdict contradicts what the service was.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from relayer.chain import Chain
from relayer.demo.processes import answers_rpc, local_chain, stopped_at_the_end
from relayer.demo.stage import COIN, Gift, Wallets, deploy, give, send
from relayer.document import load_document, signatures
from relayer.protocol.readings import MAX_VALUE, NO_DATA, unpack_readings
from relayer.protocol.tally import Verdict, verdict_at
from tests.postgres import running_postgres
from tests.soak.network import (
    INTERVAL,
    LEVELS,
    WINDOW_INTERVALS,
    Relayer,
    document,
    relayers,
)
from tests.soak.service import Services
from tests.soak.trouble import Trouble

LEAD_SECONDS = 240
PATIENCE_SECONDS = 900


def say(text: str) -> None:
    sys.stderr.write(f"soak {datetime.now(UTC):%H:%M:%S}: {text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=30, help="a multiple of 10")
    parser.add_argument("--feeds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep logs and databases here")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        found = soak(stack, folder, options)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0 if found["ok"] else 1


def soak(stack: ExitStack, folder: Path, options: argparse.Namespace) -> dict[str, object]:
    process, rpc_url = local_chain("anvil", folder, block_seconds=2)
    stack.enter_context(stopped_at_the_end(process))
    process.start()
    process.wait_until(lambda: answers_rpc(rpc_url))
    chain = Chain.connect(rpc_url)
    contracts = deploy(chain, rpc_url, folder)
    wallets = Wallets.generate(3)
    count = -(-options.feeds // LEVELS)
    windows = max(1, options.minutes // WINDOW_INTERVALS)
    fee = 100 * 10**contracts.decimals * windows
    give(
        chain,
        [
            *(Gift(each.address, COIN) for each in (wallets.consumer, *wallets.reporters)),
            Gift(
                contracts.token.address,
                data=str(
                    contracts.token.mint(
                        wallets.consumer.address, fee * count
                    )._encode_transaction_data()
                ),
            ),
        ],
    )
    send(chain, contracts.token.approve(contracts.escrow.address, fee * count), wallets.consumer)
    services = Services(count * LEVELS)
    stack.callback(services.close)
    postgres = stack.enter_context(running_postgres())
    network = relayers(
        sorted(wallets.reporters, key=lambda wallet: int(wallet.address, 16)),
        rpc_url,
        folder,
        [None, postgres.new_database(), None],
    )
    for relayer in network:
        for proxy in relayer.proxies:
            stack.callback(proxy.close)

    start = int(time.time()) // 60 * 60 + LEAD_SECONDS
    say(f"opening {count} agreements; they start at {datetime.fromtimestamp(start, UTC):%H:%M:%S}")
    documents = []
    for number in range(count):
        path = folder / f"soak-{number}.yaml"
        path.write_text(
            json.dumps(
                document(
                    number,
                    parties={
                        "provider": wallets.provider.address,
                        "consumer": wallets.consumer.address,
                    },
                    reporters=[relayer.account.address for relayer in network],
                    settlement={
                        "chainId": chain.chain_id,
                        "oracle": contracts.oracle.address,
                        "escrow": contracts.escrow.address,
                        "token": contracts.token.address,
                        "decimals": contracts.decimals,
                    },
                    urls=[services.url(number * LEVELS + place) for place in range(LEVELS)],
                    start=start,
                    windows=windows,
                )
            )
        )
        loaded = load_document(path)
        signatures.sign_as(loaded, "provider", wallets.provider)
        signed = signatures.sign_as(loaded, "consumer", wallets.consumer)
        send(
            chain,
            contracts.escrow.open(loaded.terms, signed.provider, signed.consumer),
            wallets.consumer,
        )
        documents.append(loaded)
    if time.time() > start:
        raise SystemExit("soak: this machine is too slow to open the agreements in time")
    for relayer in network:
        relayer.configure([loaded.path for loaded in documents], network, None)
        stack.enter_context(stopped_at_the_end(relayer.process))
        relayer.process.start()
    trouble = Trouble(options.seed, rpc_url, network, postgres)
    say("trouble begins")
    trouble.start()
    run(options.seed, start + windows * WINDOW_INTERVALS * INTERVAL, services, network)
    trouble.stop()
    say("trouble ends; waiting for the last payments")
    memory = {relayer.name: relayer.memory_mib() for relayer in network}
    waited = wait_until_closed(contracts, documents, windows, network)
    say("checking the books")
    found = check(chain, contracts, documents, services, wallets, fee * count)
    return {
        "feeds": count * LEVELS,
        "minutes": windows * WINDOW_INTERVALS,
        "seed": options.seed,
        "faults": trouble.counts,
        "restarts": sum(relayer.restarts for relayer in network),
        "restarts_by_supervision": sum(relayer.supervised for relayer in network),
        "seconds_until_all_was_paid": waited,
        "memory_mib": memory,
        "log": {relayer.name: relayer.log_words() for relayer in network},
        **found,
    }


def run(seed: int, end: float, services: Services, network: list[Relayer]) -> None:
    """Services fail and come back, a few at a time, until the agreements are over."""
    chance = random.Random(seed)
    down: dict[int, float] = {}
    while (now := time.time()) < end:
        for number in [number for number, until in down.items() if now >= until]:
            services.mend(number)
            del down[number]
        if chance.random() < 0.2:
            number = chance.randrange(len(services._outages))
            services.fail(number)
            down[number] = now + chance.uniform(30, 300)
        supervise(network)
        time.sleep(1)
    for number in down:
        services.mend(number)


def supervise(network: list[Relayer]) -> None:
    """As systemd does it (``Restart=always``): one that could not start, or ended by itself, is started again."""
    for relayer in network:
        if not relayer.process.running() and not relayer.down:
            relayer.process.start()
            relayer.supervised += 1


def wait_until_closed(contracts, documents, windows: int, network: list[Relayer]) -> float:
    begun = time.monotonic()
    left = [(loaded, window) for loaded in documents for window in range(windows)]
    while left and time.monotonic() - begun < PATIENCE_SECONDS:
        left = [
            (loaded, window)
            for loaded, window in left
            if contracts.escrow.window(loaded.agreement_id, window)[0] != "closed"
        ]
        supervise(network)
        time.sleep(5)
    return round(time.monotonic() - begun, 1)


def check(chain, contracts, documents, services, wallets, deposited: int) -> dict[str, object]:
    """The four invariants, from the chain alone."""
    token, escrow = contracts.token, contracts.escrow
    consumer, provider = (
        token.balance(wallet.address) for wallet in (wallets.consumer, wallets.provider)
    )
    held = escrow.held(token.address)
    levels = [level for loaded in documents for level in loaded.levels]
    judged = verdicts(contracts.oracle, [level.feed.id for level in levels])
    total = documents[0].terms.windows * WINDOW_INTERVALS
    wrong = invented = unknown = bad = 0
    for number, level in enumerate(levels):
        codes = judged[level.feed.id]
        wrong += sum(1 for interval in range(total) if len(codes.get(interval, [])) != 1)
        for interval, said in codes.items():
            code = said[0]
            start = level.feed.measurement.start_of(interval)
            truth = services.truth(number, start, start + INTERVAL)
            unknown += code == NO_DATA
            is_bad = (
                code <= MAX_VALUE
                and verdict_at(interval, code, level.feed.measurement, level.feed.scope)
                is Verdict.BAD
            )
            bad += is_bad
            if truth is not None and code <= MAX_VALUE and is_bad is truth:
                invented += 1
    open_windows = sum(
        escrow.window(loaded.agreement_id, window)[0] != "closed"
        for loaded in documents
        for window in range(loaded.terms.windows)
    )
    missing = deposited - consumer - provider - held
    return {
        "ok": not (missing or wrong or invented or open_windows or held),
        "deposited": deposited,
        "paid_consumer": consumer,
        "paid_provider": provider,
        "held": held,
        "missing": missing,
        "windows_not_closed": open_windows,
        "intervals": total * len(levels),
        "intervals_not_judged_once": wrong,
        "verdicts_against_the_truth": invented,
        "bad_intervals": bad,
        "unknown_intervals": unknown,
        "ignored_reporters": contracts.oracle.ignored(levels[0].feed.panel),
    }


def verdicts(oracle, feeds: list[bytes]) -> dict[bytes, dict[int, list[int]]]:
    """What was judged of each feed, by interval: from the events, each as often as it was."""
    found: dict[bytes, dict[int, list[int]]] = {feed: {} for feed in feeds}

    def note(feed: bytes, first: int, codes: list[int]) -> None:
        for interval, code in enumerate(codes, first):
            found[feed].setdefault(interval, []).append(code)

    events = oracle.contract.events
    for entry in events.Judged.get_logs(from_block=0):
        values = entry["args"]
        note(values["feedId"], values["first"], unpack_readings(values["values"]))
    for entry in events.JudgedMany.get_logs(from_block=0):
        rest = bytes(entry["args"]["values"])
        for feed in entry["args"]["feedIds"]:
            first, count = int.from_bytes(rest[:4], "big"), int.from_bytes(rest[4:6], "big")
            note(feed, first, unpack_readings(rest[6 : 6 + 4 * count]))
            rest = rest[6 + 4 * count :]
    for entry in events.Skipped.get_logs(from_block=0):
        values = entry["args"]
        note(values["feedId"], values["first"], [NO_DATA] * (values["upTo"] - values["first"]))
    return found


if __name__ == "__main__":
    sys.exit(main())
