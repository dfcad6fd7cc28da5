"""Alerts: what an operator has to know now, said once when it begins and once when it is over."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, Protocol

import structlog

from relayer.logs import scrubbed
from relayer.operations import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

log = structlog.get_logger(__name__)

Severity = Literal["info", "warning", "critical"]

SEVERITIES: Final[Mapping[str, Severity]] = {
    # critical: money or the relayer's word is at stake, act now
    "balance_critical": "critical",
    "chain_stalled": "critical",
    "clock_wrong": "critical",
    "lease_lost": "critical",
    "own_equivocation": "critical",
    "own_signature_unknown": "critical",
    "report_late": "critical",
    "rpc_all_down": "critical",
    "rpc_wrong_chain": "critical",
    "store_unavailable": "critical",
    "wallet_empty": "critical",
    # warning: the relayer goes on, but something it leans on does not; look today
    "balance_low": "warning",
    "call_fails": "warning",
    "equivocation": "warning",
    "fee_capped": "warning",
    "peer_down": "warning",
    "peer_misbehaves": "warning",
    "round_failed": "warning",
    "rpc_dissent": "warning",
    "source_failing": "warning",
    # info: others do its work meanwhile
    "rpc_down": "info",
}
"""All alerts there are. docs/operations.md says of each what it means and what to do."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that is wrong.

    :param name: The kind of trouble, a stable word, e.g. ``balance_low``.
    :param subject: What it is about: a peer, an endpoint, a feed.
    :param since: When it began [s, UNIX time].
    """

    name: str
    subject: str
    message: str
    since: float

    @property
    def severity(self) -> Severity:
        return SEVERITIES.get(self.name, "warning")


class Sink(Protocol):
    """Where alerts are told to people. Neither call may wait for anything, or raise."""

    def fired(self, alert: Alert) -> None: ...

    def resolved(self, alert: Alert) -> None: ...


class Alerts:
    """The alerts of a process. Safe to use from several threads.

    :param sink: Hears of each alert when it begins and when it is over.
    :param secrets: Texts that must not appear in a message.
    """

    def __init__(
        self,
        *,
        sink: Sink | None = None,
        secrets: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sink = sink
        self._secrets = tuple(secrets)
        self._clock = clock
        self._lock = threading.Lock()
        self._firing: dict[tuple[str, str], Alert] = {}

    def fire(self, name: str, subject: str, message: str) -> None:
        """Something is wrong. Said once, however often it is found; the newest message stands."""
        subject, message = (scrubbed(text, self._secrets) for text in (subject, message))
        with self._lock:
            known = self._firing.get((name, subject))
            if known is not None:
                self._firing[name, subject] = replace(known, message=message)
                return
            alert = self._firing[name, subject] = Alert(name, subject, message, self._clock())
            metrics.ALERTS.labels(name).inc()
            if self._sink:  # under the lock: beginning and end reach it in their order
                self._sink.fired(alert)
        log.warning(
            "alert",
            action="alert_fired",
            alert=name,
            severity=alert.severity,
            subject=subject,
            problem=message,
        )

    def clear(self, name: str, subject: str) -> None:
        """It is over. Nothing happens if it never was."""
        subject = scrubbed(subject, self._secrets)
        with self._lock:
            alert = self._firing.pop((name, subject), None)
            if alert is None:
                return
            metrics.ALERTS.labels(name).dec()
            if self._sink:
                self._sink.resolved(alert)
        log.info("alert over", action="alert_cleared", alert=name, subject=subject)

    def firing(self) -> list[Alert]:
        """Oldest first."""
        with self._lock:
            return sorted(self._firing.values(), key=lambda alert: alert.since)
