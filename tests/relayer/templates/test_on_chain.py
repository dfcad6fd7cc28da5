"""The golden cases on a chain: whole months of readings, signed, judged by the real oracle, paid by the real escrow.

Each template has two agreements over February, March and April, so months of 28, 31 and 30 days, with a golden case each. Which ones differs from template
to template, so that all limits are met from both sides.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from web3 import HTTPProvider, Web3

from relayer.bindings import Escrow, Oracle, Token
from relayer.protocol.readings import NOT_APPLICABLE
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.relayer import world
from tests.relayer.templates import agreements
from tests.relayer.templates.golden_minutes import MINUTES
from tests.relayer.templates.golden_rates import RATES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

LARGEST_TRANSACTION = 1 << 24
"""[gas] (EIP-7825)"""
BATCH, BATCH_OF_AVERAGES = 24_000, 6_000
"""Intervals in one report: averages cost 2,300 gas for each, the others 300."""
MONTHS = (28, 31, 30)
WINDOWS = len(MONTHS)
STOPPED = ("azure-vm-zones", "azure-vm-single-premium")
"""Where the customer has stopped all machines: minutes of the first are no available minutes, those of the second are."""


class Chain:
    """One chain with one oracle, one escrow and one token, for all templates."""

    def __init__(self, rpc_url):
        # A provider that waits: a report of thousands of intervals takes a while on a busy machine.
        self.w3 = Web3(HTTPProvider(rpc_url, request_kwargs={"timeout": 120}))
        self.rich = self.w3.eth.accounts[0]
        self.oracle = Oracle(self.w3, world.deploy(self.w3, "MonitoringOracle", self.rich))
        self.escrow = Escrow(self.w3, world.deploy(self.w3, "SLAEscrow", self.rich))
        self.token = Token(self.w3, world.deploy(self.w3, "TestDollar", self.rich))
        self.domains = [Domain(self.w3.eth.chain_id, a.address) for a in (self.oracle, self.escrow)]
        self.most_gas = 0
        now = datetime.fromtimestamp(self.w3.eth.get_block("latest")["timestamp"], UTC)
        self.year = now.year + 1
        if self.year % 4 == 0:
            self.year += 1  # February is to have 28 days

    def send(self, call, sender=None, gas=LARGEST_TRANSACTION):
        """One transaction, mined at once."""
        sent = call.transact({"from": sender or self.rich, "gas": gas})
        receipt = self.w3.eth.wait_for_transaction_receipt(sent)
        assert receipt["status"] == 1, f"reverted after {receipt['gasUsed']:,} gas"
        self.most_gas = max(self.most_gas, receipt["gasUsed"])

    def open(self, name, folder, windows=WINDOWS):
        """The template's agreement, signed by both, all windows paid for."""
        folder.mkdir(exist_ok=True)
        document = agreements.document_of(
            name,
            folder,
            year=self.year,
            month=2,
            windows=windows,
            chain_id=self.w3.eth.chain_id,
            escrow=self.escrow.address,
            oracle=self.oracle.address,
            token=self.token.address,
        )
        terms, consumer = document.terms, document.terms.consumer
        self.send(self.token.mint(consumer, windows * terms.fee_per_window))
        self.send(self.token.approve(self.escrow.address, 1 << 255), consumer)
        signed = samples.signatures(self.domains[1], terms)
        self.send(self.escrow.open(terms, *signed), consumer)
        if windows > 1:
            self.send(self.escrow.fund(terms, 1, windows - 1), consumer)
        return document

    def report(self, document, codes):
        """Everything that the reporter has read, in as few transactions as are allowed."""
        feed = document.levels[0].feed
        most = BATCH_OF_AVERAGES if feed.scope.has_range else BATCH
        for first in range(0, len(codes), most):
            batch = samples.signed_batch(
                self.domains[0], feed, 0, first, codes[first : first + most]
            )
            self.send(self.oracle.report(feed, [batch]))
        assert self.oracle.next_interval(feed.id) == len(codes)

    def warp(self, to):
        for method, parameters in (("evm_setNextBlockTimestamp", [to]), ("evm_mine", [])):
            answer = self.w3.provider.make_request(method, parameters)
            assert "error" not in answer, answer

    def paid(self, document, codes):
        """What the consumer gets for each window, once all is reported and closed."""
        self.report(document, codes)
        for window in range(document.terms.windows):
            self.send(self.escrow.close(document.terms, window))
        found = [
            self.escrow.window(document.agreement_id, window)
            for window in range(document.terms.windows)
        ]
        assert {status for status, _ in found} == {"closed"}
        return [amount for _, amount in found]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    with world.running_chain(folder) as rpc_url:
        yield Chain(rpc_url)


def case_of(cases, number, days):
    """One of the template's cases for such a month; another one for each template and month."""
    of_days = [case for case in cases if case.days == days]
    return of_days[number % len(of_days)]


def test_the_contracts_pay_what_the_vendors_formulas_pay(chain, tmp_path):
    golden = {**MINUTES, **RATES}
    chosen = {
        (name, turn): [
            case_of(cases, number + place + 3 * turn, days) for place, days in enumerate(MONTHS)
        ]
        for number, (name, cases) in enumerate(golden.items())
        for turn in (0, 1)
    }
    documents = {(name, turn): chain.open(name, tmp_path / str(turn)) for name, turn in chosen}
    hour = chain.open("aws-ec2-instance-hour", tmp_path)
    stopped = {name: chain.open(name, tmp_path / "stopped", 1) for name in STOPPED}
    every = [*documents.values(), hour, *stopped.values()]
    chain.warp(max(d.terms.window_start(d.terms.windows) for d in every) + 86_400)
    provider, consumer = hour.terms.provider, hour.terms.consumer
    wrong, credits_paid = [], 0
    for name, document in documents.items():
        codes = [code for case in chosen[name] for code in agreements.codes_of(case, document)]
        for case, paid in zip(chosen[name], chain.paid(document, codes), strict=True):
            credits_paid += paid
            if paid != agreements.UNITS * case.credit // 100:
                wrong.append((name, case, paid))
    assert not wrong
    # More than six minutes of an hour, and not one less.
    hours = [[0] * bad + [1_000_000] * (60 - bad) for bad in (6, 7, 60)]
    free = chain.paid(hour, [code for one in hours for code in one])
    assert free == [0, agreements.UNITS, agreements.UNITS]
    # Of February's 40,320 minutes the machines ran 13,440, of which 2 are 0.0149 %: too much only if the rest does not count.
    codes = [NOT_APPLICABLE] * 26_880 + [1_000_000] * 13_438 + [0] * 2
    stops = [chain.paid(stopped[name], codes) for name in STOPPED]
    assert stops == [[agreements.UNITS // 10], [0]]

    held = chain.escrow.held(chain.token.address)
    assert held == 0
    credits_paid += sum(free) + sum(map(sum, stops))
    fees = agreements.UNITS * sum(document.terms.windows for document in every)
    assert chain.token.balance(consumer) == credits_paid
    assert chain.token.balance(provider) == fees - credits_paid
    assert chain.most_gas < LARGEST_TRANSACTION
    tried = {case.credit for cases in chosen.values() for case in cases}
    assert tried == {0, 10, 25, 30, 50, 100}
