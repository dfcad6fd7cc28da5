"""What can happen to agreements: each call is made, and the Python twin predicts whether it is accepted."""

from dataclasses import replace

import brownie
from eth_utils.crypto import keccak

from relayer.protocol.readings import NO_DATA, pack_readings
from relayer.protocol.report import ALL_INTERVALS, SignedBatch, batches_as_abi
from relayer.protocol.terms import Combination, Level, Measure, Termination, Tier, UnknownPolicy
from relayer.protocol.typed_data import (
    Domain,
    batch_message,
    digest,
    sign,
    termination_message,
    terms_message,
)
from tests import samples
from tests.contracts.escrow.model import CONSUMER, PROVIDER, Agreement, Chain, Model
from tests.contracts.escrow.world import CODES, FUNDED, NONE, attempt

WINDOWS = 6
INTERVALS = 4
MOST_AGREEMENTS = 7
SETTLED = "0x" + keccak(text="Settled(bytes32,uint256,uint256,uint256)").hex()
# What three reporters answer for an interval; any two may be heard unless all three must be. "d": all disagree.
ANSWERS = {letter: (code,) * 3 for letter, code in CODES.items()} | {"d": (1, 2, 3)}
JUDGED = CODES | {"d": NO_DATA}
# Where parties are paid: themselves, or an address that they name.
ACCOUNTS = {PROVIDER: 1, CONSUMER: 2, "till": 6, "purse": 7}
OTHER = {PROVIDER: "till", CONSUMER: "purse"}
PARTIES = (PROVIDER, CONSUMER)


class Calls:
    """Three agreements over two feeds, all of which use one of them, in a token that can refuse to deliver."""

    def __init__(self, escrow, oracle, token, at):
        # `self` is the machine's class here: a bare function would become its method.
        self.at = staticmethod(at)
        self.escrow, self.oracle, self.token = escrow, oracle, token
        self.accounts = {name: brownie.accounts[i] for name, i in ACCOUNTS.items()}
        self.payer, self.stranger, self.skimmer = (brownie.accounts[i] for i in (4, 3, 8))
        self.keys = {w.address: w for w in samples.reporter_wallets()}
        self.signers = samples.wallet(1), samples.wallet(2)
        token.mint(self.payer, 2**200, {"from": self.payer})
        token.approve(escrow, 2**256 - 1, {"from": self.payer})
        self.funds = token.balanceOf(self.payer)

    def setup(self):
        self.now = brownie.chain[-1].timestamp
        start = (self.now // 3_600 + 2) * 3_600
        times = {"settle_delay": 30, "deadline": 600, "cadence": 60}
        fine = samples.feed(start, interval=900, window_intervals=INTERVALS, **times)
        coarse = samples.feed(start - 3_600, interval=1_800, window_intervals=2, **times)
        self.feeds = fine, coarse
        tiers = (
            Tier(Measure.AVAILABILITY_BELOW, 800_000, 1_500),
            Tier(Measure.BAD_INTERVALS_AT_LEAST, 2, 2_500),
            Tier(Measure.BAD_RUN_AT_LEAST, 2, 6_000),
        )
        common = {
            "token": self.token.address,
            "oracle": self.oracle.address,
            "start": start,
            "open_by": start - 600,
            "windows": WINDOWS,
            "unknown_limit": 400_000,
        }
        bonded = {"bond": samples.FEE // 2, "credit_cap": 25_000, "prepaid_windows": 0}
        agreements = [
            self._signed(
                (fine,),
                levels=(Level(fine.ref, tiers, 700, remove_not_applicable=True),),
                unknown_credit=1_000,
                prepaid_windows=2,
                breaches_to_end=1,
                **common,
            ),
            self._signed(
                (fine, coarse),
                levels=(Level(fine.ref, tiers), Level(coarse.ref, tiers[:2], 333)),
                combination=Combination.SUM,
                credit_cap=9_000,
                unknown_policy=UnknownPolicy.BAD,
                fee_per_window=7_777_777,
                notice_period=1_800,
                **common,
            ),
            self._signed(
                (fine,),
                levels=(Level(fine.ref, tiers, 7_000),),
                breaches_to_end=2,
                notice_period=1,
                **common,
                **bonded,
            ),
        ]
        self.model = Model(agreements, self.feeds)
        self.donated = self.salts = 0
        self.touched = agreements[0], 0

    def _domain(self):
        return Domain(brownie.chain.id, self.escrow.address)

    def _sign(self, message):
        return tuple(sign(key, message) for key in self.signers)

    def _agreement(self, terms, feeds, chain=None):
        message = terms_message(self._domain(), terms)
        id_ = digest(message)
        return Agreement(terms, feeds, id_, self._sign(message), chain or Chain(id_))

    def _signed(self, feeds, **changes):
        return self._agreement(samples.terms(*feeds, **changes), feeds)

    def _send(self, expected, sender, method, *args):
        """One transaction, one second later; the model says whether it is accepted."""
        self.now += 1
        self.at(self.now)
        receipt = attempt(sender, method._address, method.encode_input(*args))
        assert (receipt is not None) == expected
        return receipt

    def _ahead(self, agreement):
        """The first window that has not begun, mostly."""
        return agreement.window_from(self.now + 2)

    # BEGIN AND END

    def _open(self, agreement):
        possible = self.model.can_open(agreement, self.now + 1)
        args = agreement.terms.as_abi(), *agreement.signatures
        if self._send(possible, self.payer, self.escrow.open, *args):
            self.model.open(agreement)

    def _revoke(self, agreement, party):
        """I10: of what is not open yet; what is goes on."""
        self._send(True, self.accounts[party], self.escrow.revoke, agreement.id)
        agreement.revoked = True

    def _fund(self, agreement, first, count):
        possible = self.model.can_fund(agreement, first, count, self.now + 1)
        args = agreement.terms.as_abi(), first, count
        if self._send(possible, self.payer, self.escrow.fund, *args):
            self.model.fund(agreement, first, count)

    def _amend(self, current, window, dearer):
        if len(self.model.agreements) == MOST_AGREEMENTS:
            return
        self.salts += 1
        begin = current.terms.window_start(window)
        terms = replace(
            current.terms,
            previous=current.id,
            start=begin,
            open_by=begin,
            prepaid_windows=0,
            fee_per_window=current.terms.fee_per_window + dearer,
            unknown_policy=UnknownPolicy(self.salts % 3),
            salt=self.salts.to_bytes(32, "big"),
        )
        next_ = self._agreement(terms, current.feeds, current.chain)
        possible = self.model.can_amend(current, next_, self.now + 1)
        args = current.terms.as_abi(), terms.as_abi(), *next_.signatures
        if self._send(possible, self.stranger, self.escrow.amend, *args):
            self.model.amend(current, next_)

    def _terminate(self, agreement, window, thirds):
        left = sum(map(agreement.left, agreement.funded(window)))
        # Now and then more than there is.
        to_provider = left * (thirds - 1) // 3 if thirds < 3 else left + 1 - window
        to_provider = max(0, to_provider)
        termination = Termination(agreement.id, window, to_provider, self.now + 1)
        signed = self._sign(termination_message(self._domain(), termination))
        possible = self.model.can_terminate(agreement, window, to_provider)
        args = agreement.terms.as_abi(), termination.as_abi(), *signed
        if self._send(possible, self.stranger, self.escrow.terminate, *args):
            self.model.terminate(agreement, window, to_provider)

    def _end_for_breaches(self, agreement):
        breached = [n for n, window in enumerate(agreement.windows) if window.paid]
        needed = agreement.terms.breaches_to_end
        end = self._ahead(agreement)
        possible = needed != 0 and len(breached) >= needed and end < agreement.end
        args = agreement.terms.as_abi(), breached
        if self._send(possible, self.accounts[CONSUMER], self.escrow.endForBreaches, *args):
            self.model.end(agreement, end)

    def _end_by_notice(self, agreement, party):
        notice = agreement.terms.notice_period
        end = agreement.window_from(self.now + 1 + notice)
        possible = notice != 0 and end < agreement.end
        args = (agreement.terms.as_abi(),)
        if self._send(possible, self.accounts[party], self.escrow.endByNotice, *args):
            self.model.end(agreement, end)

    # BOND

    def _post(self, agreement, amount):
        possible = agreement.status != NONE and agreement.terms.bond != 0
        args = agreement.terms.as_abi(), amount
        if self._send(possible, self.payer, self.escrow.postBond, *args):
            self.model.post_bond(agreement.chain, amount)

    def _release(self, agreement):
        possible = self.model.can_release(agreement, self.now + 1)
        args = (agreement.terms.as_abi(),)
        if self._send(possible, self.stranger, self.escrow.releaseBond, *args):
            self.model.release_bond(agreement.chain)

    # REPORTS

    def _report(self, feed, answers):
        codes = self.model.codes[feed.id]
        first = len(codes)
        self.now = max(self.now, feed.measurement.readable_at(first + len(answers) - 1) - 1)
        domain = Domain(brownie.chain.id, self.oracle.address)
        batches = []
        for reporter in range(3 if "d" in answers else 2):
            readings = pack_readings([ANSWERS[letter][reporter] for letter in answers])
            message = batch_message(domain, feed.id, first, readings, bytes(32))
            signature = sign(self.keys[feed.panel.reporters[reporter]], message)
            batches.append(SignedBatch(reporter, first, readings, bytes(32), signature))
        args = feed.as_abi(), ALL_INTERVALS, batches_as_abi(batches)
        self._send(True, self.stranger, self.oracle.report, *args)
        codes += [JUDGED[letter] for letter in answers]

    def _skip(self, feed, count):
        codes = self.model.codes[feed.id]
        up_to = len(codes) + count
        # Since the last advance, which is not later than now.
        self.now = max(self.now, feed.measurement.start_of(up_to)) + feed.measurement.deadline
        self._send(True, self.stranger, self.oracle.skip, feed.as_abi(), up_to)
        codes += [NO_DATA] * count

    # PAYMENTS

    def _noted(self, agreement, number, due, receipt):
        """The event says what was paid."""
        logs = [log for log in receipt["logs"] if log["topics"][0] == SETTLED]
        assert len(logs) == bool(due.amount)
        for log in logs:
            assert log["topics"][1] == "0x" + agreement.id.hex()
            agreement.windows[number].settled += int(log["data"][-64:], 16)

    def _settle(self, agreement, number):
        possible = agreement.windows[number].status == FUNDED
        args = agreement.terms.as_abi(), number
        if receipt := self._send(possible, self.stranger, self.escrow.settle, *args):
            self._noted(agreement, number, self.model.settle(agreement, number, self.now), receipt)

    def _close(self, agreement, number):
        window, terms = agreement.windows[number], agreement.terms
        _, complete = self.model.credit(agreement, number, self.now + 1)
        possible = window.status == FUNDED and complete
        args = terms.as_abi(), number
        if receipt := self._send(possible, self.stranger, self.escrow.close, *args):
            due = self.model.close(agreement, number, self.now)
            self._noted(agreement, number, due, receipt)
            # I4; without a bond nothing is ever missing
            whole = terms.fee_of(number) * window.largest_credit // 10_000
            assert window.settled == window.paid == whole - due.missing
            assert terms.bond or due.missing == 0

    def _set_payout(self, party):
        payouts = self.model.payouts
        payouts[party] = OTHER[party] if payouts[party] == party else party
        address = self.accounts[payouts[party]].address
        self._send(True, self.accounts[party], self.escrow.setPayout, address)

    def _withdraw(self, party):
        """To the party itself, wherever its payments go."""
        possible = self.model.withheld[party] > 0 and party not in self.model.denied
        args = self.token.address, self.accounts[party].address
        if self._send(possible, self.accounts[party], self.escrow.withdraw, *args):
            self.model.deliver(party, party)

    def _redeliver(self, party):
        account = self.model.payouts[party]
        possible = self.model.withheld[party] > 0 and account not in self.model.denied
        args = self.token.address, self.accounts[party].address
        if self._send(possible, self.stranger, self.escrow.redeliver, *args):
            self.model.deliver(party, account)

    def _donate(self, amount):
        donor = brownie.accounts[5]
        self._send(True, donor, self.token.mint, donor.address, amount)
        self._send(True, donor, self.token.transfer, self.escrow.address, amount)
        self.donated += amount

    def _skim(self):
        args = self.token.address, self.skimmer.address
        self._send(True, self.stranger, self.escrow.skim, *args)
        self.donated = 0

    def _deny(self, account, denied):
        args = self.accounts[account].address, denied
        self._send(True, self.stranger, self.token.setDenied, *args)
        (self.model.denied.add if denied else self.model.denied.discard)(account)
