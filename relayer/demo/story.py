"""What happens in the demonstration, step by step.

Everything is real: a chain, the contracts, a web server, three relayers in processes of their own. Only time is short: what
an agreement calls a month lasts half a minute.
"""

from __future__ import annotations

import json
import math
import time
from contextlib import ExitStack, suppress
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from eth_utils.hexadecimal import encode_hex

from relayer.chain import Chain
from relayer.demo import narration, stage
from relayer.demo.agreement import FEE, INTERVAL_SECONDS, WINDOW_INTERVALS, sla_document
from relayer.demo.equivocation import sign_again
from relayer.demo.narration import short
from relayer.demo.processes import (
    Process,
    accepts_connections,
    answers_rpc,
    free_ports,
    local_chain,
    python_module,
    stopped_at_the_end,
)
from relayer.demo.record import Equivocation, Judged, News, Payment, Record, Skip
from relayer.demo.relayers import Relayer
from relayer.document import load_document, signatures
from relayer.errors import ChainUnavailable, MakegoodError
from relayer.protocol.readings import MAX_VALUE
from relayer.protocol.report import reporter_index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BERLIN, TOKYO, FRIEND = "Berlin", "Tokyo", "Friend"
"""The reporters. The third is a friend of the provider's, and asks a mirror that always answers."""

# All samples are taken on whole seconds; in between nobody is asked, so nobody sees half of what happens.
OUTAGE_BEGINS = 3.6
OUTAGE_SECONDS = 9.6
LONGEST_OUTAGE = 13.6
"""When the service is stopped [s after the agreement's start], for how long [s], and for how long at most [s]: it is not
restored before the lie was outvoted."""
KILL_AFTER = 4.8
"""When a relayer is killed, if that was asked for [s after the outage began]: once it has seen two bad intervals."""
LEAD_SECONDS = 10
LONGEST_LEAD = 30
"""From writing the document to the agreement's start: time to sign, to open and to start the relayers [s]. If it was not
enough, the outage is put off."""
PATIENCE_SECONDS = 120
"""How long after the end of the window the last payment may take [s]."""
PROOF_SECONDS = 4
"""How long before the end of the window the friend contradicts itself at the latest: a proof takes a while [s]."""
POLL_SECONDS = 0.2


class Demo:
    """One run.

    :param tell: Takes each sentence of the narration.
    :param folder: Where documents, keys, logs and the relayers' databases lie.
    """

    def __init__(
        self, chain_kind: str, folder: Path, tell: Callable[[str], None], *, kill_relayer: bool
    ) -> None:
        self._kind = chain_kind
        self._folder = folder
        self._tell = tell
        self._kill_relayer = kill_relayer
        self._wallets = stage.Wallets.generate(reporters=3)
        self._processes = ExitStack()
        self._lead = float(LEAD_SECONDS)
        self._late = 0
        self._killed = False
        self._failed_at = self._restored_at = 0.0
        self._contradicted = False

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
            self._start_relayers()
            self._sign_and_open()
            self._await_relayers()
            self._watch()
            self._check_play()
            return stage.patiently(self._chain, self._conclude)

    # Setting the stage

    def _start_chain(self) -> None:
        process, self._rpc_url = local_chain(self._kind, self._folder, block_seconds=1)
        self._begin(process, lambda: answers_rpc(self._rpc_url))
        self._chain = Chain.connect(self._rpc_url)
        self._tell(f"A local chain is running ({self._kind}, a block every second).")

    def _deploy(self) -> None:
        began = time.monotonic()
        self._contracts = stage.deploy(self._chain, self._rpc_url, self._folder)
        # A machine that is slow or busy needs longer to start three relayers, too.
        self._lead = min(LONGEST_LEAD, max(LEAD_SECONDS, 1.5 * (time.monotonic() - began)))
        self._tell(
            "Oracle, escrow and a test dollar are deployed, by the project's brownie scripts."
        )

    def _start_service(self) -> None:
        shop, mirror, *self._exchange_ports = free_ports(5)
        self._url, self._mirror_url = f"http://127.0.0.1:{shop}/", f"http://127.0.0.1:{mirror}/"
        self._service = self._web_server("the web service", shop, "service.log")
        mirrored = self._web_server("the mirror", mirror, "mirror.log")
        self._begin(self._service, lambda: accepts_connections(shop))
        self._begin(mirrored, lambda: accepts_connections(mirror))
        self._tell(f"The provider's web service is up at {self._url}.")

    def _web_server(self, name: str, port: int, log: str) -> Process:
        command = python_module("relayer.demo.service", str(port))
        return Process(name, command, self._folder / log)

    def _hand_out_money(self) -> None:
        wallets = self._wallets
        stage.hand_out_money(self._chain, self._contracts, wallets, self._fee)
        self._tell(
            f"Wallets are generated: provider {short(wallets.provider.address)}, consumer "
            f"{short(wallets.consumer.address)} with {FEE} test dollars, and three reporters."
        )

    @cached_property
    def _fee(self) -> int:
        return int(Decimal(FEE).scaleb(self._contracts.decimals))

    # The agreement and those who watch over it

    def _write_document(self) -> None:
        self._relayers = [
            Relayer.of(name, account, url, port, self._folder / name.lower())
            for name, account, url, port in zip(
                (BERLIN, TOKYO, FRIEND),
                self._wallets.reporters,
                (f"{self._url}from-berlin", f"{self._url}from-tokyo", self._mirror_url),
                self._exchange_ports,
                strict=True,
            )
        ]
        self._berlin, _, self._friend = self._relayers
        path = self._folder / "agreement.yaml"
        # JSON is YAML, too.
        path.write_text(json.dumps(self._agreement(int(time.time() + self._lead)), indent=2))
        self._document = load_document(path)
        self._feed = self._document.levels[0].feed
        self._places = {
            relayer.name: reporter_index(self._feed.panel, relayer.address) or 0
            for relayer in self._relayers
        }
        self._tell(
            f"The SLA: {FEE} test dollars for {WINDOW_INTERVALS * INTERVAL_SECONDS} seconds (a short month). "
            f"Every {INTERVAL_SECONDS} seconds the service must answer all requests. Below 99 % availability the "
            "consumer gets 10 % back, from 2 bad intervals on 40 %."
        )
        self._tell(
            f"Three reporters, of whom two must agree: {BERLIN} and {TOKYO} ask the service. {FRIEND} is the "
            "provider's friend and asks a mirror that always says ok."
        )

    def _agreement(self, start: int) -> dict[str, Any]:
        contracts = self._contracts
        return sla_document(
            parties={
                "provider": self._wallets.provider.address,
                "consumer": self._wallets.consumer.address,
            },
            reporters={relayer.address: relayer.url for relayer in self._relayers},
            settlement={
                "chainId": self._chain.chain_id,
                "oracle": contracts.oracle.address,
                "escrow": contracts.escrow.address,
                "token": contracts.token.address,
                "decimals": contracts.decimals,
            },
            url=self._url,
            start=start,
        )

    def _start_relayers(self) -> None:
        for relayer in self._relayers:
            others = [other for other in self._relayers if other is not relayer]
            relayer.configure(rpc_url=self._rpc_url, agreement=self._document.path, peers=others)
            self._processes.enter_context(stopped_at_the_end(relayer.process))
            relayer.process.start()
        self._processes.callback(self._ask_relayers_to_end)

    def _ask_relayers_to_end(self) -> None:
        """All at once, so that they do not end one after the other."""
        for relayer in self._relayers:
            relayer.process.ask_to_end()

    def _sign_and_open(self) -> None:
        document, wallets = self._document, self._wallets
        signatures.sign_as(document, "provider", wallets.provider)
        signed = signatures.sign_as(document, "consumer", wallets.consumer)
        assert signed.provider is not None  # noqa: S101 - just signed
        assert signed.consumer is not None  # noqa: S101
        call = self._contracts.escrow.open(document.terms, signed.provider, signed.consumer)
        receipt = stage.send(self._chain, call, wallets.consumer)
        self._record = Record(self._chain, self._contracts, receipt["blockNumber"])
        self._tell(
            f"Both have signed; the agreement {short(encode_hex(document.agreement_id))} is open and the escrow "
            f"holds the fee (transaction {short(encode_hex(receipt['transactionHash']))})."
        )

    def _await_relayers(self) -> None:
        for relayer in self._relayers:
            relayer.process.wait_until(relayer.works)
        pids = ", ".join(f"{relayer.name} {relayer.process.pid}" for relayer in self._relayers)
        self._tell(f"Each reporter's relayer works, as a process of its own ({pids}).")
        late = max(0.0, time.time() - self._document.terms.start)
        self._late = math.ceil(late / INTERVAL_SECONDS) * INTERVAL_SECONDS

    # The play

    def _watch(self) -> None:
        """From the start to the last payment: stop the service, start it again, tell what the chain says."""
        terms, record = self._document.terms, self._record
        give_up = terms.window_start(1) + PATIENCE_SECONDS
        while record.closed is None:
            now = time.time()
            self._fail_and_restore(now)
            self._keep_relayers_running(now)
            # A chain that is too busy to answer is asked again in the next round.
            with suppress(ChainUnavailable):
                for item in record.news():
                    self._tell_news(item)
            self._contradict_once()
            if now > give_up:
                raise MakegoodError(
                    f"nothing was closed for {PATIENCE_SECONDS} s after the end of the window",
                    hint=f"{BERLIN}'s last words: {self._berlin.process.last_words()}",
                )
            time.sleep(POLL_SECONDS)

    def _fail_and_restore(self, now: float) -> None:
        begins = self._document.terms.start + OUTAGE_BEGINS + self._late
        if not self._failed_at and now >= begins:
            self._service.kill()
            self._failed_at = time.time()
            self._tell("The web service FAILS.")
        if not self._failed_at or self._restored_at or now < begins + OUTAGE_SECONDS:
            return
        between_samples = 0.2 <= now % 1 <= 0.6
        if (between_samples and self._lies()) or now >= begins + LONGEST_OUTAGE:
            self._service.start()
            self._restored_at = time.time()
            self._tell(
                f"The web service is back, after {self._restored_at - self._failed_at:.0f} s."
            )

    def _keep_relayers_running(self, now: float) -> None:
        """Kill one, if that was asked for; start each again, whoever killed it."""
        due = self._failed_at and now > self._failed_at + KILL_AFTER
        if self._kill_relayer and due and not self._killed:
            self._killed = True
            self._berlin.process.kill()
        for relayer in self._relayers:
            if not relayer.process.running():
                self._tell(
                    f"{relayer.name}'s relayer was KILLED. It is started again, and goes on from its database."
                )
                relayer.process.start()

    def _lies(self) -> list[tuple[Judged, int]]:
        """Where the friend was outvoted: the report, and the interval."""
        place = self._places[FRIEND]
        return [
            (judged, interval)
            for judged in self._record.judged
            for interval, loser in judged.outvoted()
            if loser == place and judged.codes[interval] <= MAX_VALUE
        ]

    def _contradict_once(self) -> None:
        """Have the friend sign another answer, once the outage is judged."""
        lies = self._lies()
        if self._contradicted or not self._restored_at or not lies:
            return
        # A web server takes up to a second to start.
        terms = self._document.terms
        over = (self._restored_at + 1 - terms.start) // INTERVAL_SECONDS
        if (
            self._record.next_interval <= over
            and time.time() < terms.window_start(1) - PROOF_SECONDS
        ):
            return
        judged, interval = lies[0]
        sign_again(
            self._friend.database,
            self._friend.account,
            self._document.domains.oracle,
            feed_id=self._feed.id,
            reporter=self._places[FRIEND],
            interval=interval,
            code=judged.codes[interval],
        )
        self._contradicted = True
        self._tell(
            f"{FRIEND} sees that it has lost, and signs interval {interval} once more, now as "
            f"{narration.value(judged.codes[interval])}."
        )

    def _tell_news(self, item: News) -> None:
        amount = self._document.amount
        match item:
            case Judged():
                self._tell(narration.judged(item, self._places))
            case Skip():
                self._tell(f"Recorded as unknown: intervals {item.first} to {item.end - 1}.")
            case Equivocation():
                self._tell(
                    f"PROVEN on chain: {FRIEND} signed {narration.value(item.first)} and "
                    f"{narration.value(item.second)} for interval {item.interval} ({short(item.transaction)}). "
                    "From now on its readings do not count."
                )
            case Payment() if item is self._record.closed:
                self._tell(
                    f"The window is over. The provider gets the rest, {amount(item.amount)} "
                    f"({short(item.transaction)})."
                )
            case Payment():
                self._tell(
                    f"A credit of {item.credit / 100:g} % is certain. The consumer is PAID {amount(item.amount)}, "
                    f"{item.time - self._failed_at:.1f} s after the failure ({short(item.transaction)})."
                )

    # The end

    def _conclude(self) -> dict[str, Any]:
        """Compare what the chain says at the end, and return it as data."""
        token, escrow, wallets = self._contracts.token, self._contracts.escrow, self._wallets
        deposited = self._document.terms.fee_per_window * self._document.terms.prepaid_windows
        paid_consumer = token.balance(wallets.consumer.address)
        paid_provider = token.balance(wallets.provider.address)
        held = token.balance(escrow.address)
        owed = escrow.held(token.address)
        result = {
            "chain": self._kind,
            "chain_id": self._chain.chain_id,
            "agreement": encode_hex(self._document.agreement_id),
            "promised": {
                "availability_ppm": self._feed.measurement.threshold,
                "fee": deposited,
            },
            "deposited": deposited,
            "paid_consumer": paid_consumer,
            "paid_provider": paid_provider,
            "held": held,
            **self._judgement(),
            **self._reporters(),
            "outage_seconds": round(self._restored_at - self._failed_at, 1),
            "relayer_killed": self._killed,
            "transactions": self._record.transactions(),
        }
        amount = self._document.amount
        self._tell(
            f"deposited {amount(deposited)} = consumer {amount(paid_consumer)} + provider {amount(paid_provider)} "
            f"+ held {amount(held)}"
        )
        if deposited != paid_consumer + paid_provider + held or owed != held:
            raise MakegoodError("the sums do not agree: this is a bug in makegood")
        return result

    def _check_play(self) -> None:
        """Whether all has happened that should have."""
        record = self._record
        for happened, missing in (
            (record.payments, "the service failed, but nothing was paid"),
            (self._lies(), f"{FRIEND} lied, but was not outvoted"),
            (record.equivocation, f"{FRIEND} signed two answers, but that was not proven"),
        ):
            if not happened:
                raise MakegoodError(f"{missing}: this is a bug in makegood")

    def _judgement(self) -> dict[str, Any]:
        tally = self._contracts.oracle.tally(self._feed.ref, 0)
        assert self._record.closed is not None  # noqa: S101 - the play ends with it
        payments = self._record.payments
        return {
            "intervals": tally.judged,
            "bad_intervals": tally.bad,
            "unknown_intervals": tally.unknown,
            "longest_run": tally.longest_run,
            "credit_bps": self._record.closed.credit,
            "judged": [number for judged in self._record.judged for number in judged.codes],
            "seconds_from_failure_to_payment": round(payments[0].time - self._failed_at, 1),
            "payment_transaction": payments[0].transaction,
        }

    def _reporters(self) -> dict[str, Any]:
        """Who they are, what was outvoted, and what was proven."""
        ignored = self._contracts.oracle.ignored(self._feed.panel)
        proof = self._record.equivocation
        return {
            "reporters": [
                {
                    "name": relayer.name,
                    "address": relayer.address,
                    "watches": relayer.url,
                    "ignored": bool(ignored >> self._places[relayer.name] & 1),
                }
                for relayer in self._relayers
            ],
            "dissents": [
                {
                    "reporter": self._friend.address,
                    "interval": interval,
                    "said": judged.said[self._places[FRIEND]][interval],
                    "judged": judged.codes[interval],
                    "transaction": judged.transaction,
                }
                for judged, interval in self._lies()
            ],
            "equivocation": proof._asdict() if proof else None,
        }

    def _begin(self, process: Process, ready: Callable[[], bool]) -> None:
        self._processes.enter_context(stopped_at_the_end(process))
        process.start()
        process.wait_until(ready)
