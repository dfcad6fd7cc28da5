"""What happens in the demonstration, step by step.

Everything is real: a chain, the contracts, a web server, a relayer in a process of its own. Only time is short: what an
agreement calls a month lasts half a minute.
"""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from eth_account import Account
from eth_utils.hexadecimal import encode_hex

from relayer.bindings import Escrow, Oracle, Token
from relayer.chain import Chain
from relayer.demo.agreement import FEE, INTERVAL_SECONDS, WINDOW_INTERVALS, sla_document
from relayer.demo.processes import (
    MNEMONIC,
    Process,
    accepts_connections,
    answers_rpc,
    environment,
    free_port,
    local_chain,
    python_module,
    stopped_at_the_end,
)
from relayer.document import load_document, signatures
from relayer.errors import MakegoodError
from relayer.protocol.readings import MAX_VALUE, unpack_readings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress
    from web3.types import EventData, TxReceipt

OUTAGE_BEGINS = 5
OUTAGE_SECONDS = 9
"""When the service is stopped, and for how long [s after the agreement's start]."""
LEAD_SECONDS = 10
"""From writing the document to the agreement's start: time to sign, to open and to start the relayer [s]."""
KILL_AFTER = 3
"""When the relayer is killed, if that was asked for [s after the outage began]."""
PATIENCE_SECONDS = 60
"""How long after the end of the window the last payment may take [s]."""
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Wallets:
    """Fresh keys, made for this run alone."""

    provider: LocalAccount
    consumer: LocalAccount
    reporter: LocalAccount

    @classmethod
    def generate(cls) -> Wallets:
        return cls(Account.create(), Account.create(), Account.create())


class Demo:
    """One run.

    :param tell: Takes each sentence of the narration.
    :param folder: Where documents, keys, logs and the relayer's database lie.
    """

    def __init__(
        self, chain_kind: str, folder: Path, tell: Callable[[str], None], *, kill_relayer: bool
    ) -> None:
        self._kind = chain_kind
        self._folder = folder
        self._tell = tell
        self._kill_relayer = kill_relayer
        self._wallets = Wallets.generate()
        self._killed = False
        self._processes = ExitStack()

    def run(self) -> dict[str, Any]:
        """Play it. Every process that was started is stopped, whatever happens.

        :returns: What happened, as data.
        """
        with self._processes:
            self._start_chain()
            self._deploy()
            self._start_service()
            self._hand_out_money()
            self._write_document()
            self._start_relayer()
            self._sign_and_open()
            self._await_relayer()
            self._watch()
            return self._conclude()

    # Setting the stage

    def _start_chain(self) -> None:
        process, self._rpc_url = local_chain(self._kind, self._folder, block_seconds=1)
        self._begin(process, lambda: answers_rpc(self._rpc_url))
        self._chain = Chain.connect(self._rpc_url)
        self._tell(f"A local chain is running ({self._kind}, a block every second).")

    def _deploy(self) -> None:
        """In a process of its own, because brownie is not part of the relayer."""
        deployments = self._folder / "deployments"
        run = subprocess.run(  # noqa: S603 - a command of our own
            python_module("scripts.local", self._rpc_url),
            env={**environment(self._folder), "MAKEGOOD_DEPLOYMENTS": str(deployments)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise MakegoodError(f"the contracts could not be deployed: {run.stderr.strip()[-500:]}")
        recorded = json.loads((deployments / f"{self._chain.chain_id}.json").read_text())
        addresses = {name: entry["address"] for name, entry in recorded["contracts"].items()}
        self._oracle = Oracle(self._chain.w3, addresses["MonitoringOracle"])
        self._escrow = Escrow(self._chain.w3, addresses["SLAEscrow"])
        self._token = Token(self._chain.w3, addresses["TestDollar"])
        self._tell(
            "Oracle, escrow and a test dollar are deployed, by the project's brownie scripts."
        )

    def _start_service(self) -> None:
        self._service_port = free_port()
        self._service = Process(
            "the web service",
            python_module("relayer.demo.service", str(self._service_port)),
            self._folder / "service.log",
        )
        self._begin(self._service, lambda: accepts_connections(self._service_port))
        self._tell(f"The provider's web service is up at {self._url}.")

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._service_port}/"

    def _hand_out_money(self) -> None:
        """Coins for gas to those who send transactions, and the fee to the consumer, from the chain's rich test account."""
        Account.enable_unaudited_hdwallet_features()
        rich: LocalAccount = Account.from_mnemonic(MNEMONIC)
        eth = self._chain.w3.eth
        nonce = self._chain.nonce(rich.address)
        fees = self._chain.fees()
        hashes = []
        mint = self._token.mint(self._wallets.consumer.address, self._fee)
        calls: list[tuple[ChecksumAddress, int, str]] = [
            (wallet.address, 10**18, "0x")
            for wallet in (self._wallets.consumer, self._wallets.reporter)
        ]
        calls.append((self._token.address, 0, str(mint._encode_transaction_data())))  # noqa: SLF001
        for to, value, data in calls:
            transaction: dict[str, Any] = {
                "type": 2,
                "chainId": self._chain.chain_id,
                "nonce": nonce,
                "to": to,
                "value": value,
                "data": data,
                "gas": 100_000,
                "maxFeePerGas": fees.max_fee,
                "maxPriorityFeePerGas": fees.priority_fee,
            }
            signed = rich.sign_transaction(transaction)
            with self._chain.errors():
                hashes.append(eth.send_raw_transaction(signed.raw_transaction))
            nonce += 1
        with self._chain.errors():
            for tx_hash in hashes:
                eth.wait_for_transaction_receipt(tx_hash, timeout=30, poll_latency=POLL_SECONDS)
        self._chain.send(
            self._token.approve(self._escrow.address, self._fee), self._wallets.consumer
        )
        self._tell(
            f"Three wallets are generated. Provider {_short(self._wallets.provider.address)}, consumer "
            f"{_short(self._wallets.consumer.address)} with {FEE} test dollars, reporter "
            f"{_short(self._wallets.reporter.address)}."
        )

    @cached_property
    def _fee(self) -> int:
        return int(Decimal(FEE).scaleb(self._token.decimals()))

    # The agreement

    def _write_document(self) -> None:
        start = int(time.time()) + LEAD_SECONDS
        path = self._folder / "agreement.yaml"
        # JSON is YAML, too.
        path.write_text(json.dumps(self._agreement(start), indent=2))
        self._document = load_document(path)
        self._tell(
            f"The SLA: {FEE} test dollars for {WINDOW_INTERVALS * INTERVAL_SECONDS} seconds (a short month). "
            f"Every {INTERVAL_SECONDS} seconds the service must answer all requests. Below 99 % availability the "
            "consumer gets 10 % back, from 2 bad intervals on 40 %."
        )

    def _sign_and_open(self) -> None:
        signatures.sign_as(self._document, "provider", self._wallets.provider)
        signed = signatures.sign_as(self._document, "consumer", self._wallets.consumer)
        assert signed.provider is not None  # noqa: S101 - just signed
        assert signed.consumer is not None  # noqa: S101
        receipt = self._chain.send(
            self._escrow.open(self._document.terms, signed.provider, signed.consumer),
            self._wallets.consumer,
        )
        self._first_block = receipt["blockNumber"]
        self._tell(
            f"Both have signed; the agreement {_short(encode_hex(self._document.agreement_id))} is open and the escrow "
            f"holds the fee (transaction {_hash(receipt)})."
        )

    def _agreement(self, start: int) -> dict[str, Any]:
        return sla_document(
            parties={
                "provider": self._wallets.provider.address,
                "consumer": self._wallets.consumer.address,
            },
            reporter=self._wallets.reporter.address,
            settlement={
                "chainId": self._chain.chain_id,
                "oracle": self._oracle.address,
                "escrow": self._escrow.address,
                "token": self._token.address,
                "decimals": self._token.decimals(),
            },
            url=self._url,
            start=start,
        )

    # The play

    def _start_relayer(self) -> None:
        key = self._folder / "reporter.key"
        key.touch(mode=0o600)
        key.write_text(encode_hex(self._wallets.reporter.key))
        config = self._folder / "makegood.yaml"
        config.write_text(
            json.dumps(
                {
                    "rpcUrl": self._rpc_url,
                    "database": str(self._folder / "relayer.sqlite"),
                    "key": {"file": str(key)},
                    "agreements": [str(self._document.path)],
                    "pollSeconds": 0.5,
                    "logFormat": "json",
                },
                indent=2,
            )
        )
        self._relayer = Process(
            "the relayer",
            python_module("relayer.cli", "relayer", "run", "--config", str(config)),
            self._folder / "relayer.log",
        )
        self._processes.enter_context(stopped_at_the_end(self._relayer))
        self._relayer.start()

    def _await_relayer(self) -> None:
        self._relayer.wait_until(
            lambda: "relayer_started" in self._relayer.log.read_text(encoding="utf-8")
        )
        self._tell(
            f"The relayer watches the service, as a process of its own ({self._relayer.pid})."
        )

    def _watch(self) -> None:
        """From the start to the last payment: stop the service, start it again, tell what the chain says."""
        terms = self._document.terms
        self._failed_at = self._restored_at = 0.0
        self._seen: set[tuple[bytes, int]] = set()
        self._payments: list[EventData] = []
        self._closed: EventData | None = None
        give_up = terms.window_start(1) + PATIENCE_SECONDS
        while self._closed is None:
            now = time.time()
            elapsed = now - terms.start
            if not self._failed_at and elapsed >= OUTAGE_BEGINS:
                self._service.kill()
                self._failed_at = time.time()
                self._tell("The web service FAILS.")
            if (
                self._failed_at
                and not self._restored_at
                and elapsed >= OUTAGE_BEGINS + OUTAGE_SECONDS
            ):
                self._service.start()
                self._restored_at = time.time()
                self._tell(
                    f"The web service is back, after {self._restored_at - self._failed_at:.0f} s."
                )
            self._keep_relayer_running(now)
            self._tell_events()
            if now > give_up:
                raise MakegoodError(
                    f"nothing was closed for {PATIENCE_SECONDS} s after the end of the window",
                    hint=f"the relayer's last words: {self._relayer.last_words()}",
                )
            time.sleep(POLL_SECONDS)

    def _keep_relayer_running(self, now: float) -> None:
        """Kill the relayer, if that was asked for; start it again, whoever killed it."""
        if (
            self._kill_relayer
            and not self._killed
            and self._failed_at
            and now > self._failed_at + KILL_AFTER
        ):
            self._killed = True
            self._relayer.kill()
        if not self._relayer.running():
            self._tell(
                "The relayer was killed. It is started again, and goes on from its database."
            )
            self._relayer.start()

    def _tell_events(self) -> None:
        oracle, escrow = self._oracle.contract.events, self._escrow.contract.events
        for event in (oracle.Judged, oracle.Skipped, escrow.Settled, escrow.Closed):
            with self._chain.errors():
                found = event.get_logs(from_block=self._first_block)
            for entry in found:
                key = (bytes(entry["transactionHash"]), entry["logIndex"])
                if key not in self._seen:
                    self._seen.add(key)
                    self._tell_event(entry)

    def _tell_event(self, entry: EventData) -> None:
        values, transaction = entry["args"], _short(encode_hex(entry["transactionHash"]))
        match entry["event"]:
            case "Judged":
                self._tell(
                    f"Judged on chain: {_in_words(values['first'], values['values'])} ({transaction})."
                )
            case "Skipped":
                self._tell(
                    f"Recorded as unknown: intervals {values['first']} to {values['upTo'] - 1}."
                )
            case "Settled":
                self._payments.append(entry)
                waited = self._time_of(entry) - self._failed_at
                self._tell(
                    f"A credit of {values['credit'] / 100:g} % is certain. The consumer is PAID "
                    f"{self._document.amount(values['amount'])}, {waited:.1f} s after the failure ({transaction})."
                )
            case "Closed":
                self._closed = entry
                self._tell(
                    f"The window is over. The provider gets the rest, "
                    f"{self._document.amount(values['toProvider'])} ({transaction})."
                )

    # The end

    def _conclude(self) -> dict[str, Any]:
        """Compare what the chain says at the end, and return it as data."""
        assert self._closed is not None  # noqa: S101 - the play ends with it
        token, wallets = self._token, self._wallets
        level = self._document.levels[0]
        tally = self._oracle.tally(level.feed.ref, 0)
        deposited = self._document.terms.fee_per_window * self._document.terms.prepaid_windows
        paid_consumer = token.balance(wallets.consumer.address)
        paid_provider = token.balance(wallets.provider.address)
        held = token.balance(self._escrow.address)
        amount = self._document.amount
        self._tell(
            f"deposited {amount(deposited)} = consumer {amount(paid_consumer)} + provider {amount(paid_provider)} "
            f"+ held {amount(held)}"
        )
        if (
            deposited != paid_consumer + paid_provider + held
            or self._escrow.held(token.address) != held
        ):
            raise MakegoodError("the sums do not agree: this is a bug in makegood")
        if not self._payments:
            raise MakegoodError(
                "the service failed, but nothing was paid: this is a bug in makegood"
            )
        return {
            "chain": self._kind,
            "chain_id": self._chain.chain_id,
            "agreement": encode_hex(self._document.agreement_id),
            "promised": {"availability_ppm": level.feed.measurement.threshold, "fee": deposited},
            "deposited": deposited,
            "paid_consumer": paid_consumer,
            "paid_provider": paid_provider,
            "held": held,
            "intervals": tally.judged,
            "bad_intervals": tally.bad,
            "unknown_intervals": tally.unknown,
            "longest_run": tally.longest_run,
            "credit_bps": self._closed["args"]["credit"],
            "outage_seconds": round(self._restored_at - self._failed_at, 1),
            "seconds_from_failure_to_payment": round(
                self._time_of(self._payments[0]) - self._failed_at, 1
            ),
            "payment_transaction": encode_hex(self._payments[0]["transactionHash"]),
            "relayer_killed": self._killed,
            "transactions": self._transactions(),
        }

    def _transactions(self) -> list[dict[str, Any]]:
        """What the relayer sent, in order."""
        names = {"Judged": "report", "Skipped": "skip", "Settled": "settle", "Closed": "close"}
        oracle, escrow = self._oracle.contract.events, self._escrow.contract.events
        purposes: dict[str, str] = {}
        for event in (oracle.Judged, oracle.Skipped, escrow.Settled, escrow.Closed):
            for entry in event.get_logs(from_block=self._first_block):
                # `close` settles first: the last name given is the call's.
                purposes[encode_hex(entry["transactionHash"])] = names[entry["event"]]
        listed = []
        for tx_hash, purpose in purposes.items():
            with self._chain.errors():
                receipt = self._chain.w3.eth.get_transaction_receipt(tx_hash)  # type: ignore[arg-type]
            listed.append(
                {
                    "purpose": purpose,
                    "hash": tx_hash,
                    "block": receipt["blockNumber"],
                    "gas_used": receipt["gasUsed"],
                }
            )
        return sorted(listed, key=lambda transaction: int(transaction["block"]))

    def _time_of(self, entry: EventData) -> float:
        with self._chain.errors():
            return float(self._chain.w3.eth.get_block(entry["blockNumber"])["timestamp"])

    def _begin(self, process: Process, ready: Callable[[], bool]) -> None:
        self._processes.enter_context(stopped_at_the_end(process))
        process.start()
        process.wait_until(ready)


def _in_words(first: int, packed: bytes) -> str:
    """Judged values, for people: "interval 3: 100 %, interval 4: 0 %"."""

    def shown(code: int) -> str:
        return f"{code / 10_000:g} %" if code <= MAX_VALUE else "no data"

    runs: list[tuple[int, int, str]] = []
    for number, code in enumerate(unpack_readings(packed), first):
        if runs and runs[-1][2] == shown(code):
            runs[-1] = (runs[-1][0], number, shown(code))
        else:
            runs.append((number, number, shown(code)))
    return ", ".join(
        f"interval {a}: {value}" if a == b else f"intervals {a} to {b}: {value}"
        for a, b, value in runs
    )


def _short(hexadecimal: str) -> str:
    return f"{hexadecimal[:10]}…{hexadecimal[-4:]}"


def _hash(receipt: TxReceipt) -> str:
    return _short(encode_hex(receipt["transactionHash"]))
