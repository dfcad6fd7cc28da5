"""Where the tests' reporters sign, and where their readings are brought to the oracle."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import brownie
from brownie.exceptions import VirtualMachineError
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from relayer.protocol.feed import Feed, parties_hash
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE, pack_readings, unpack_readings
from relayer.protocol.report import ALL_INTERVALS, SignedBatch, batches_as_abi
from relayer.protocol.tally import Exclusion, Tally, Verdict, count
from relayer.protocol.typed_data import Domain, batch_message, exclusion_message, sign
from tests import samples

GOOD, BAD = 1_000_000, 0
CODES = {"g": GOOD, "b": BAD, "?": NO_DATA, "-": NOT_APPLICABLE}

STATES, TALLIES = 0, 1

wallets = cache(samples.reporter_wallets)
PARTIES = (samples.wallet(1), samples.wallet(2))


def codes(letters: str) -> list[int]:
    """Readings as letters: g(ood), b(ad), ? for no data, - for not applicable."""
    return [CODES[letter] for letter in letters]


@cache
def panel(count: int = 3, quorum: int | None = None, tolerance: int = 0, parties=()):
    """A panel; `parties` are the wallets of those who may exclude spans."""
    addresses = [party.address for party in parties]
    return samples.panel(count, quorum, tolerance, parties_hash(addresses))


def packed(readings: str | list[int] | bytes) -> bytes:
    """Letters or numbers as they are signed."""
    if isinstance(readings, str):
        readings = codes(readings)
    return pack_readings(readings) if isinstance(readings, list) else readings


_only_call = ContextVar("_only_call", default=False)


@contextmanager
def refused(error: str, *values: object):
    """What is done inside reverts with exactly this error and these values.

    It is only called, at the time at which it would be sent: brownie needs 0.3 s to trace a transaction that reverts.
    """
    expected = f"{error}: {', '.join(map(_shown, values))}"
    token = _only_call.set(True)
    try:
        yield
    except VirtualMachineError as refusal:
        assert refusal.revert_msg == expected  # noqa: PT017 - brownie.reverts takes patterns only
    else:
        raise AssertionError(f"nothing was refused; expected {expected}")
    finally:
        _only_call.reset(token)


def _shown(value: object) -> str:
    """As brownie writes it."""
    return str(value) if isinstance(value, bytes) else str(value).lower()


class Desk:
    """One feed on one oracle: signs for its reporters, reports, and reads back what the oracle keeps of it."""

    def __init__(self, oracle, feed: Feed, at) -> None:
        self.oracle, self.feed, self._at = oracle, feed, at
        self._time: int | None = None
        self.value: int | None = None  # judged last, as the event told
        self.excluded: list[Exclusion] = []
        self.domain = Domain(brownie.chain.id, oracle.address)
        self.keys = {w.address: w for w in wallets(len(feed.panel.reporters))}

    # Signing

    def sign(
        self,
        reporter: int,
        first: int,
        readings: str | list[int] | bytes,
        *,
        evidence: bytes = samples.NO_EVIDENCE,
        domain: Domain | None = None,
        key=None,
    ) -> SignedBatch:
        readings = packed(readings)
        message = batch_message(domain or self.domain, self.feed.id, first, readings, evidence)
        key = key or self.keys[self.feed.panel.reporters[reporter]]
        return SignedBatch(reporter, first, readings, evidence, sign(key, message))

    def all_sign(self, readings: str | list[int], first: int | None = None) -> list[SignedBatch]:
        """The same readings by a quorum of reporters."""
        first = self.next if first is None else first
        return [self.sign(i, first, readings) for i in range(self.feed.panel.quorum)]

    def each_signs(self, *answers: int | None, first: int | None = None) -> list[SignedBatch]:
        """One interval, one answer per reporter; None is silence."""
        first = self.next if first is None else first
        return [self.sign(i, first, [code]) for i, code in enumerate(answers) if code is not None]

    def sign_exclusion(self, first: int, end: int, *parties, domain: Domain | None = None):
        """The signatures of all parties, or of these, under the exclusion of [first, end)."""
        message = exclusion_message(domain or self.domain, self.feed.id, first, end)
        return [sign(party, message) for party in parties or PARTIES]

    # Reporting

    def settled(self, end: int) -> int:
        """When intervals before `end` can be judged."""
        return self.feed.measurement.readable_at(end - 1)

    def wait(self, time: int) -> None:
        """The next block has this time, or a later one if this is over."""
        self._time = max(time, brownie.chain[-1].timestamp + 1)

    def mine(self, time: int) -> None:
        """A view called after this sees this time, or a later one if this is over."""
        brownie.chain.mine(timestamp=max(time, brownie.chain[-1].timestamp + 1))

    def send(self, batches, sender: int = 5, up_to: int = ALL_INTERVALS):
        """Sends batches as they are given; the sender is nobody in particular."""
        if batches and isinstance(batches[0], SignedBatch):
            batches = batches_as_abi(batches)
        tx = self.do(self.oracle.report, self.feed.as_abi(), up_to, batches, sender=sender)
        if not _only_call.get():
            self.value = judged(tx)[1][-1]
        return tx

    def report(self, *signed: SignedBatch, up_to: int = ALL_INTERVALS):
        """Reports as soon as all of it has settled."""
        self.wait(self.settled(min(up_to, max(batch.end for batch in signed))))
        return self.send(list(signed), up_to=up_to)

    def judge(self, readings: str | list[int]):
        """A quorum reports these readings from the feed's next interval on."""
        return self.report(*self.all_sign(readings))

    def skip(self, up_to: int, sender: int = 5):
        return self.do(self.oracle.skip, self.feed.as_abi(), up_to, sender=sender)

    def exclude(self, first: int, end: int, signatures=None, parties=PARTIES, sender: int = 5):
        """Excludes [first, end) and remembers it; all parties sign unless signatures are given."""
        if signatures is None:
            signatures = self.sign_exclusion(first, end, *parties)
        addresses = [getattr(party, "address", party) for party in parties]
        inputs = (self.feed.as_abi(), first, end, addresses, signatures)
        tx = self.do(self.oracle.exclude, *inputs, sender=sender)
        if not _only_call.get():
            measurement = self.feed.measurement
            begin = measurement.window_start(measurement.window_of(first))
            self.excluded.append(Exclusion(first, end, planned=tx.timestamp >= begin))
        return tx

    def prove(self, reporter: int, interval: int, one: SignedBatch, other: SignedBatch):
        """Holds two statements of a reporter against each other."""
        inputs = (self.feed.as_abi(), reporter, interval, *map(_statement, (one, other)))
        return self.do(self.oracle.proveEquivocation, *inputs)

    def heed(self):
        return self.do(self.oracle.heed, self.feed.as_abi())

    def do(self, function, *inputs, sender: int = 5):
        """Sends a transaction at the time waited for; within `refused` it is only called."""
        time, self._time = self._time, None
        options = {"from": brownie.accounts[sender]}
        if not _only_call.get():
            if time is not None:
                self._at(time)
            return function(*inputs, options)
        if time is not None:
            self.mine(time)
        return function.call(*inputs, options)

    def skippable(self, up_to: int) -> int:
        """When the deadline of all intervals before `up_to` is over (rule 2)."""
        measurement = self.feed.measurement
        return max(measurement.start_of(up_to), self.advanced_at) + measurement.deadline

    def skip_when_due(self, up_to: int):
        self.wait(self.skippable(up_to))
        return self.skip(up_to)

    # Reading back

    @property
    def next(self) -> int:
        return self.oracle.latest(self.feed.id)[0]

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.oracle.latest(self.feed.id)[1])

    @property
    def advanced_at(self) -> int:
        return self.oracle.latest(self.feed.id)[2]

    @property
    def state(self) -> tuple[int, Verdict]:
        """The next interval, and the verdict of the one before."""
        return self.next, self.verdict

    def tally(self, window: int) -> Tally:
        return Tally(*self.oracle.tally(self.feed.ref.as_abi(), window))

    def expected(self, readings: str | list[int], window: int = 0) -> Tally:
        """The tally of a window of which this much is judged."""
        readings = codes(readings) if isinstance(readings, str) else readings
        feed, excluded = self.feed, self.excluded
        return count(readings, feed.measurement, feed.scope, window=window, exclusions=excluded)

    def check(self, history: str | list[int]) -> None:
        """The tallies of all windows, and of two that are not reached, are those of all that was judged so far."""
        begin = self.feed.measurement.window_begin
        windows = range(self.feed.measurement.window_of(len(history)) + 3)
        assert self.next == len(history)
        assert [self.tally(w) for w in windows] == [
            self.expected(history[begin(w) : begin(w + 1)], w) for w in windows
        ]

    def kept(self, windows: int) -> list[bool]:
        """Which of the first windows have left a slot."""
        return [self.tally_slot(w) != 0 for w in range(windows)]

    def state_slot(self) -> int:
        return self._slot(keccak(encode(["bytes32", "uint256"], [self.feed.id, STATES])))

    def tally_slot(self, window: int) -> int:
        outer = keccak(encode(["bytes32", "uint256"], [self.feed.id, TALLIES]))
        return self._slot(keccak(encode(["uint256", "bytes32"], [window, outer])))

    def _slot(self, position: bytes) -> int:
        number = int.from_bytes(position, "big")
        return int.from_bytes(brownie.web3.eth.get_storage_at(self.oracle.address, number), "big")


def judged(tx) -> tuple[int, list[int], set[int], set[int]]:
    """The one event of a report: first interval, judged values, who was heard, who dissented."""
    assert len(tx.events) == 1
    event = tx.events["Judged"]
    return (
        event["first"],
        unpack_readings(bytes(event["values"])),
        members(event["heard"]),
        members(event["dissenters"]),
    )


def _statement(signed):
    """A batch, or what is one already."""
    return signed.as_statement() if isinstance(signed, SignedBatch) else signed


def members(bitmap: int) -> set[int]:
    """The reporters of a bitmap."""
    return {i for i in range(256) if bitmap >> i & 1}
