"""What the chain says about the agreement, event by event, as soon as it is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from eth_utils.hexadecimal import encode_hex

from relayer.protocol.readings import NO_DATA, unpack_readings

if TYPE_CHECKING:
    from web3.contract.contract import ContractEvent
    from web3.types import EventData, LogReceipt

    from relayer.chain import Chain
    from relayer.demo.stage import Contracts

_PURPOSES = {
    "Judged": "report",
    "Skipped": "skip",
    "Settled": "settle",
    "Closed": "close",
    "Equivocated": "prove",
}


@dataclass(frozen=True)
class Judged:
    """A report that the oracle has taken.

    :param codes: What was judged, by interval.
    :param said: What each reporter signed, by its place in the panel and the interval, as far as the report holds it.
    :param dissenters: Places of those that said something else than what was judged.
    """

    codes: dict[int, int]
    said: dict[int, dict[int, int]]
    dissenters: tuple[int, ...]
    transaction: str

    def outvoted(self) -> list[tuple[int, int]]:
        """Interval and place of each value that others have outvoted. Who has no data says nothing wrong."""
        return [
            (interval, place)
            for interval, code in self.codes.items()
            for place in self.dissenters
            if self.said.get(place, {}).get(interval, code) not in (code, NO_DATA)
        ]


class Equivocation(NamedTuple):
    """A proof that a reporter signed two answers for one interval.

    :param reporter: Its account.
    """

    reporter: str
    interval: int
    first: int
    second: int
    transaction: str


class Payment(NamedTuple):
    """Money that left the escrow.

    :param credit: Certain so far [bps].
    :param time: Of the block [s, UNIX time].
    """

    credit: int
    amount: int
    time: float
    transaction: str


class Skip(NamedTuple):
    """Intervals [first, end) that nobody could judge."""

    first: int
    end: int


News: TypeAlias = "Judged | Skip | Equivocation | Payment"


@dataclass
class Record:
    """All that has happened so far."""

    chain: Chain
    contracts: Contracts
    first_block: int
    judged: list[Judged] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    closed: Payment | None = None
    equivocation: Equivocation | None = None

    def __post_init__(self) -> None:
        oracle, escrow = (
            self.contracts.oracle.contract.events,
            self.contracts.escrow.contract.events,
        )
        kinds = (oracle.Judged, oracle.Skipped, oracle.Equivocated, escrow.Settled, escrow.Closed)
        self._kinds: dict[str, ContractEvent] = {kind().topic: kind() for kind in kinds}
        self._next_block = self.first_block
        self._purposes: dict[str, str] = {}

    @property
    def next_interval(self) -> int:
        """The first interval that is not judged."""
        return max((max(judged.codes) + 1 for judged in self.judged), default=0)

    def transactions(self) -> list[dict[str, Any]]:
        """What the relayers sent, in order."""
        listed = []
        for tx_hash, purpose in self._purposes.items():
            with self.chain.errors():
                receipt = self.chain.w3.eth.get_transaction_receipt(tx_hash)  # type: ignore[arg-type]
            listed.append(
                {
                    "purpose": purpose,
                    "hash": tx_hash,
                    "block": receipt["blockNumber"],
                    "gas_used": receipt["gasUsed"],
                }
            )
        return listed

    def news(self) -> list[News]:
        """What has happened since the last call, in order. The payment that closes the window is in ``closed``, too."""
        with self.chain.errors():
            head = self.chain.w3.eth.block_number
            if head < self._next_block:
                return []
            logs = self.chain.w3.eth.get_logs(
                {
                    "address": [self.contracts.oracle.address, self.contracts.escrow.address],
                    "fromBlock": self._next_block,
                    "toBlock": head,
                }
            )
            # All is read before any of it is noted: a chain may be too busy to answer in between.
            read = [(entry, self._read(entry)) for log in logs if (entry := self._decoded(log))]
        self._next_block = head + 1
        return [item for entry, item in read if self._note(entry, item)]

    def _decoded(self, log: LogReceipt) -> EventData | None:
        kind = self._kinds.get(encode_hex(log["topics"][0]))
        return kind.process_log(log) if kind is not None else None

    def _read(self, entry: EventData) -> News:
        values, transaction = entry["args"], encode_hex(entry["transactionHash"])
        match entry["event"]:
            case "Judged":
                return self._judged(entry, transaction)
            case "Skipped":
                return Skip(values["first"], values["upTo"])
            case "Equivocated":
                answers = (values["one"], values["other"])
                return Equivocation(values["reporter"], values["interval"], *answers, transaction)
            case "Settled":
                return self._payment(entry, values["amount"])
            case _:
                return self._payment(entry, values["toProvider"])

    def _note(self, entry: EventData, item: News) -> bool:
        """Returns whether it is new."""
        # `close` settles first: the last name given is the call's.
        self._purposes[encode_hex(entry["transactionHash"])] = _PURPOSES[entry["event"]]
        match item:
            case Judged():
                self.judged.append(item)
            case Equivocation():
                if self.equivocation is not None:
                    return False  # two relayers have brought the same proof
                self.equivocation = item
            case Payment() if entry["event"] == "Settled":
                self.payments.append(item)
            case Payment():
                self.closed = item
        return True

    def _judged(self, entry: EventData, transaction: str) -> Judged:
        """The event, and from the transaction who said what."""
        values = entry["args"]
        codes = dict(enumerate(unpack_readings(values["values"]), values["first"]))
        sent = self.chain.w3.eth.get_transaction(entry["transactionHash"])
        _, arguments = self.contracts.oracle.contract.decode_function_input(sent["input"])
        said: dict[int, dict[int, int]] = {}
        for batch in arguments["batches"]:
            readings = dict(enumerate(unpack_readings(batch["readings"]), batch["first"]))
            for endorsement in batch["endorsements"]:
                said[endorsement["reporter"]] = readings
        bits = values["dissenters"]
        dissenters = tuple(place for place in range(bits.bit_length()) if bits >> place & 1)
        return Judged(codes, said, dissenters, transaction)

    def _payment(self, entry: EventData, amount: int) -> Payment:
        block = self.chain.w3.eth.get_block(entry["blockNumber"])
        transaction = encode_hex(entry["transactionHash"])
        return Payment(entry["args"]["credit"], amount, float(block["timestamp"]), transaction)
