"""How long a key's coins last: by what it spent, or, while that shows nothing yet, by what its agreements will ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relayer.errors import ChainUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relayer.chain import Chain
    from relayer.document import Document
    from relayer.store.transactions import Transactions

PACE_DAYS: Final = 7
_DAY: Final = 86_400
_MONTH: Final = 28 * _DAY

# As if nothing went together with anything else, and no other reporter took a turn: from `make gas`, rounded up [gas].
_REPORT: Final = 60_000
_SETTLE_AND_CLOSE: Final = 175_000


def expected_gas(documents: Iterable[Document]) -> float:
    """What agreements ask of a relayer that does everything alone [gas per day]: rather too much than too little."""
    documents = tuple(documents)
    feeds = {level.feed.id: level.feed.measurement for each in documents for level in each.levels}
    reports = sum(_DAY / max(each.interval, each.cadence) for each in feeds.values())
    windows = sum(
        _DAY / (each.levels[0].feed.measurement.window_seconds or _MONTH) for each in documents
    )
    return reports * _REPORT + windows * _SETTLE_AND_CLOSE


def gas_price(chain: Chain) -> int:
    """What is offered for gas now [wei].

    :raises ChainUnavailable: The chain does not answer.
    """
    try:
        return chain.fees().max_fee
    except ChainUnavailable:
        if chain.max_fee_per_gas is None:
            raise
        return (
            chain.max_fee_per_gas
        )  # gas costs more than that now, or this is what it would cost at worst


def runway_days(
    balance: int, transactions: Transactions, address: str, now: float, *, expected: float
) -> float | None:
    """How long ``balance`` [wei] lasts at the pace of the last week [days].

    :param expected: The pace while nothing shows it: before anything was spent, and within the first day at least [wei per day].
    :returns: None if nothing was spent and nothing is expected, unless there is nothing left.
    """
    began = transactions.first_at(address)
    used = 0.0 if began is None else (now - began) / _DAY
    spent = transactions.spent_since(address, now - PACE_DAYS * _DAY)
    pace = spent / min(PACE_DAYS, max(1, used))
    if used < 1 or not spent:
        pace = max(pace, expected)
    if not balance:
        return 0.0
    return balance / pace if pace else None
