"""The relayer's log: one line per event on standard error, with an ``action`` word that does not change between versions.

The words: relayer_started, relayer_stopping, agreement_status, payments_only, window_over, interval_read, reading_failed,
readings_signed, transaction_signed, transaction_mined, transaction_reverted, transaction_refused, fee_raised, fee_capped,
nonce_lost, round_failed, source_failed, sample_skipped.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Literal

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence


def configure(log_format: Literal["auto", "json", "console"], secrets: Sequence[str]) -> None:
    """Set up logging for this process.

    :param log_format: ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
    :param secrets: Texts that must not appear in the log.
    """
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())

    def without_secrets(
        _: Any, __: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {key: _scrubbed(value, secrets) for key, value in event.items()}

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
                structlog.stdlib.ExtraAdder(),
                *last,
            ],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("relayer", "oracles"):
        logging.getLogger(name).setLevel(logging.INFO)


def _scrubbed(value: object, secrets: Sequence[str]) -> object:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
    return value
