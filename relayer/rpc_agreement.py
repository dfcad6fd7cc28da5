"""Reads that decide money: several endpoints are asked about one block, and have to say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from web3 import Web3
from web3.exceptions import Web3Exception
from web3.providers.base import JSONBaseProvider

from relayer.errors import ChainUnavailable, MakegoodError
from relayer.operations import metrics
from relayer.rpc_errors import Action, EndpointFault, Kind, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from web3.types import RPCEndpoint, RPCResponse

    from relayer.operations.alerts import Alerts
    from relayer.rpc import FailoverProvider
    from relayer.rpc_endpoint import Endpoint

T = TypeVar("T")


@dataclass(frozen=True)
class _Vote(Generic[T]):
    """What an endpoint said: a value, or an error that is about the read itself."""

    endpoint: Endpoint
    value: T | None
    error: Exception | None

    def agrees(self, other: _Vote[T]) -> bool:
        if self.error is None or other.error is None:
            return self.error is other.error and self.value == other.value
        return type(self.error) is type(other.error) and str(self.error) == str(other.error)

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


def agreed(
    provider: FailoverProvider,
    read: Callable[[Web3], T],
    count: int,
    *,
    least: int | None = None,
    alerts: Alerts | None = None,
) -> T:
    """What ``count`` endpoints say alike about one block, the newest that all of those asked first have.

    :param read: Reads through the Web3 it is given, and returns something that can be compared. If it raises the same error
        of the contract for enough endpoints, that is what they agree on, and is raised.
    :param least: So many suffice if no more answer, and none of those that do contradicts; by default ``count``.
    :raises ChainUnavailable: Not enough of them agree.
    """
    least = count if least is None else min(least, count)
    provider.watch_heads()
    waiting = iter([endpoint for endpoint in provider.endpoints if not provider.rests(endpoint)])
    asked: list[Endpoint] = []
    block = 0
    while len(asked) < count and (found := provider.next_head(waiting)) is not None:
        endpoint, head = found
        block = min(block, head.number) if asked else head.number
        asked.append(endpoint)
    if len(asked) < least:
        raise ChainUnavailable(
            f"only {len(asked)} of {provider.name} answer now, but {least} have to agree",
            hint="it goes on by itself when they are back; more endpoints make it rarer",
        )
    votes: list[_Vote[T]] = []
    while asked:
        votes += [vote for one in asked if (vote := _vote(provider, one, block, read)) is not None]
        if votes:
            winner = max(votes, key=lambda vote: _agreeing(votes, vote))
            if _agreeing(votes, winner) >= count:
                _note_dissent(votes, winner, alerts)
                return winner.result()
        # Somebody dissents or does not answer: another one is asked in its place.
        asked = _substitute(provider, waiting, block)
    if len(votes) >= least and _agreeing(votes, votes[0]) == len(votes):
        return votes[0].result()
    _note_dissent(votes, _plurality(votes), alerts)
    raise ChainUnavailable(
        f"of {provider.name}, no {count} say the same about block {block}",
        hint="it goes on by itself when they do; the alert rpc_dissent names who differs",
    )


def _substitute(
    provider: FailoverProvider, waiting: Iterator[Endpoint], block: int
) -> list[Endpoint]:
    """The next endpoint that has the block; empty if there is none."""
    while (found := provider.next_head(waiting)) is not None:
        endpoint, head = found
        if head.number >= block:
            return [endpoint]
    return []


def _vote(
    provider: FailoverProvider, endpoint: Endpoint, block: int, read: Callable[[Web3], T]
) -> _Vote[T] | None:
    """What an endpoint says; None if it does not answer."""
    w3 = Web3(_Pinned(provider, endpoint))
    w3.middleware_onion.remove(
        "validation"
    )  # it asks for the chain's id before each call; the provider has checked it
    w3.eth.default_block = cast("Any", block)
    try:
        return _Vote(endpoint, read(w3), None)
    except EndpointFault:
        return None
    except (Web3Exception, MakegoodError, ValueError, LookupError) as error:
        kind = classify(error)
        # What is garbage to the contract's binding, e.g. no code at its address, is an answer to compare.
        if kind.action is Action.NEXT_ENDPOINT and kind is not Kind.GARBAGE:
            metrics.RPC_ERRORS.labels(endpoint.label, kind.value).inc()
            return None
        return _Vote(endpoint, None, error)


def _agreeing(votes: list[_Vote[T]], one: _Vote[T]) -> int:
    return sum(vote.agrees(one) for vote in votes)


def _plurality(votes: list[_Vote[T]]) -> _Vote[T] | None:
    """A vote of the largest group; None if several are as large, so that nobody knows who is wrong."""
    sizes = [_agreeing(votes, vote) for vote in votes]
    largest = [vote for vote, size in zip(votes, sizes, strict=True) if size == max(sizes)]
    alone = all(vote.agrees(largest[0]) for vote in largest)
    return largest[0] if largest and alone else None


def _note_dissent(votes: list[_Vote[T]], winner: _Vote[T] | None, alerts: Alerts | None) -> None:
    """Count whoever differs from the winner; everybody if there is none."""
    for vote in votes:
        label = vote.endpoint.label
        if winner is None or not vote.agrees(winner):
            metrics.RPC_DISSENT.labels(label).inc()
            if alerts is not None:
                said = f"{label} contradicts other endpoints about the same block"
                alerts.fire("rpc_dissent", label, said)
        elif alerts is not None:
            alerts.clear("rpc_dissent", label)


class _Pinned(JSONBaseProvider):
    """One endpoint of several, for a read that must not go elsewhere."""

    def __init__(self, provider: FailoverProvider, endpoint: Endpoint) -> None:
        super().__init__()
        self._provider = provider
        self._endpoint = endpoint

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return self._provider.ask(self._endpoint, method, params)
