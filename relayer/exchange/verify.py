"""Whether a bundle from a peer is what it says: signed by a reporter of a panel that we know, about intervals that are over."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from relayer.protocol.readings import READING_BYTES
from relayer.protocol.typed_data import recover, root_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from relayer.exchange import wire
    from relayer.protocol.feed import Feed, Panel
    from relayer.protocol.report import FeedReadings, SignedBundle
    from relayer.protocol.typed_data import Domain

Kind: TypeAlias = Literal[
    "unreachable",  # no answer
    "status",  # an answer that says that there is none
    "refused",  # it does not believe who we are
    "redirect",
    "garbage",
    "too_large",
    "flood",
    "wrong_chain",
    "wrong_signer",
    "unknown_panel",
    "unknown_feed",
    "order",
    "too_long",
    "future",
    "own_signature",
]

AHEAD: Final = 30
"""How far a peer's view of the chain may be ahead of ours [s]."""
DAY: Final = 86_400

Key: TypeAlias = tuple[str, bytes]
"""A panel at an oracle: the oracle's checksum address, the panel's hash."""


class PeerFault(Exception):
    """A peer did something wrong, or did not answer.

    :param kind: A word of a closed list.
    :param ready_at: When it will not be wrong any more, if that is known [s, UNIX time, the chain's].
    """

    def __init__(self, kind: Kind, message: str, *, ready_at: int | None = None) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.ready_at = ready_at


@dataclass(frozen=True)
class KnownPanel:
    """A panel whose reporters we listen to.

    :param domain: Chain and oracle.
    :param feeds: Those of its feeds that we know, by their ids.
    :param own_index: Our place in the panel; None if we have none.
    :param max_intervals: Most readings of one feed in a bundle.
    :param audience: Checksum addresses that may read its bundles, all reporters among them; None: anyone.
    """

    domain: Domain
    panel: Panel
    panel_hash: bytes
    feeds: Mapping[bytes, Feed] = field(default_factory=dict)
    own_index: int | None = None
    max_intervals: int = 10_000
    audience: frozenset[str] | None = None

    @property
    def key(self) -> Key:
        return self.domain.contract, self.panel_hash

    def known_feeds(self, bundle: SignedBundle) -> Iterator[tuple[Feed, FeedReadings]]:
        """What a bundle says about feeds that we know."""
        for said in bundle.feeds:
            feed = self.feeds.get(said.feed_id)
            if feed is not None:
                yield feed, said

    def settled_at(self, bundle: SignedBundle) -> int:
        """When all intervals of a bundle are over and settled [s, UNIX time]."""
        return max(
            (
                feed.measurement.start_of(end) + feed.measurement.settle_delay
                for feed, said in self.known_feeds(bundle)
                if (end := said.first + len(said.readings) // READING_BYTES) > said.first
            ),
            default=0,
        )

    def is_stale(self, bundle: SignedBundle, chain_now: int) -> bool:
        """Whether it is of no use any more: long since anyone could have recorded all of its intervals as unknown."""
        useful_until = [
            feed.measurement.start_of(said.first + len(said.readings) // READING_BYTES)
            + 2 * feed.measurement.deadline
            + DAY
            for feed, said in self.known_feeds(bundle)
        ]
        return bool(useful_until) and max(useful_until) < chain_now


def check(bundle: wire.Bundle, panels: Mapping[Key, KnownPanel], chain_now: int) -> SignedBundle:
    """What a reporter signed.

    Feeds that we do not know may be among those of the bundle: the signature is for all of them together.

    :param chain_now: The chain's time [s, UNIX time].
    :raises PeerFault: It is not what it says, or we cannot tell.
    """
    known = panels.get((bundle.oracle, bundle.panel))
    _check_chain(bundle, panels, known)
    if known is None:
        raise PeerFault("unknown_panel", f"panel 0x{bundle.panel.hex()} is not known here")
    reporters = known.panel.reporters
    if bundle.reporter >= len(reporters) or reporters[bundle.reporter] != bundle.address:
        raise PeerFault("wrong_signer", f"{bundle.address} is not reporter {bundle.reporter}")
    _check_feeds(bundle, known, panels)
    signed = bundle.signed()
    message = root_message(known.domain, signed.root, signed.evidence)
    if recover(message, signed.signature) != bundle.address:
        raise PeerFault(
            "wrong_signer", f"the signature of bundle {bundle.id} is not its reporter's"
        )
    settled = known.settled_at(signed)
    if settled > chain_now + AHEAD:
        raise PeerFault(
            "future",
            f"bundle {bundle.id} holds an interval that is settled {settled - chain_now} s from now",
            ready_at=settled - AHEAD,
        )
    return signed


def _check_chain(
    bundle: wire.Bundle, panels: Mapping[Key, KnownPanel], known: KnownPanel | None
) -> None:
    chains = {known.domain.chain_id} if known else {p.domain.chain_id for p in panels.values()}
    if chains and bundle.chain_id not in chains:
        raise PeerFault("wrong_chain", f"bundle {bundle.id} is for chain {bundle.chain_id}")


def _check_feeds(bundle: wire.Bundle, known: KnownPanel, panels: Mapping[Key, KnownPanel]) -> None:
    if any(one.feed_id >= other.feed_id for one, other in pairwise(bundle.feeds)):
        raise PeerFault("order", f"the feeds of bundle {bundle.id} do not ascend")
    longest = max(len(feed.readings) for feed in bundle.feeds) // READING_BYTES
    if longest > known.max_intervals:
        raise PeerFault(
            "too_long",
            f"bundle {bundle.id} has {longest} readings of a feed; {known.max_intervals} are allowed",
        )
    # What a private panel's reporter signed must not be passed on as a public panel's.
    strangers = [feed.feed_id for feed in bundle.feeds if feed.feed_id not in known.feeds]
    others = [panel.feeds for panel in panels.values() if panel is not known]
    for feed_id in strangers:
        if any(feed_id in feeds for feeds in others):
            raise PeerFault("unknown_feed", f"feed 0x{feed_id.hex()} is one of another panel")
