"""The relayer's log: one line per event on standard error, with an ``action`` word that does not change between versions.

The words: agreement_ends, agreement_status, alert_cleared, alert_fired, broadcast_refused, call_failed,
chain_went_back, clock_unproven, equivocation_found, evidence_unreadable, exchange_failed, exchange_started, fee_raised,
feed_taken_back, inside_refused, interval_read,
job_failed, job_freed, job_handed_back, jobs_queued_again, lease_lost, lease_unconfirmed, nonce_lost, part_failed,
payments_only, peer_fault, peer_restarted, peer_unknown, pull_failed, reading_failed, readings_signed, relayer_parked,
relayer_started, relayer_stopping, round_failed, sample_dropped, sample_lost, sample_skipped, source_failed,
transaction_final, transaction_mined, transaction_refused, transaction_reorganised, transaction_reverted,
transaction_sent, transaction_signed, transaction_superseded, webhook_failed, window_over, worker_disconnected,
worker_setback, worker_started, worker_stopped.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Literal

import structlog

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def configure(log_format: Literal["auto", "json", "console"], secrets: Sequence[str]) -> None:
    """Set up logging for this process.

    :param log_format: ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
    :param secrets: Texts that must not appear in the log.
    """
    # Within lists and objects a text stands as Python writes it, with its escapes.
    hidden = {form for secret in secrets for form in (secret, repr(secret)[1:-1])}
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())

    def without_secrets(
        _: Any, __: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {key: _without(value, hidden) for key, value in event.items()}

    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        without_secrets,
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # The adapters log with the standard library; their lines look the same.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *last,
            ],
            # Here, and not among the processors: what is extra is gone once their own data are removed.
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("relayer", "oracles"):
        logging.getLogger(name).setLevel(logging.INFO)


def scrubbed(text: str, secrets: Collection[str]) -> str:
    """A text without these texts: the last line of defence, after :mod:`relayer.redaction`."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):  # a URL before its parts
        text = text.replace(secret, "***")
    return text


def _without(value: object, secrets: Collection[str]) -> object:
    shown = value if isinstance(value, str) else repr(value)  # as the renderers would show it
    clean = scrubbed(shown, secrets)
    return value if clean == shown else clean
