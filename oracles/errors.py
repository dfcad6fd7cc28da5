"""What can go wrong between a question and a reading.

::

    MonitoringError
    ├── Unavailable      no answer: timeout, broken connection, 5xx    retry soon
    ├── Throttled        asked too often                               retry after a while
    ├── GarbageAnswer    an answer that means nothing                  retry, tell the operator
    ├── AccessRefused    credentials missing, wrong or too weak        the operator must act
    └── BadRequest       the question itself is wrong                  change the configuration
        ├── UnknownService   no adapter of that name
        └── MissingExtra     the adapter's optional dependency is not installed

An error is never a reading. "No data" and "the service is down" are *answers* (see
`oracles.base`); everything here says that the monitoring service failed to answer, and must end
in another attempt or in a person's hands, never in a signed value.
"""

from __future__ import annotations

from typing import ClassVar


class MonitoringError(Exception):
    """The monitoring service gave no usable answer.

    `retryable` tells whether waiting alone can help. `retry_after` is the pause in seconds that
    the monitoring service asked for, or None when it named none.
    Messages never contain a credential.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(MonitoringError):
    """The monitoring service did not answer (timeout, broken connection, internal error).

    `answered` tells that it said so itself, by an internal error, and `hung` that it said nothing in
    time: one of several questions that were asked together may have brought it about.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        answered: bool = False,
        hung: bool = False,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.answered = answered
        self.hung = hung


class Throttled(MonitoringError):
    """The monitoring service answers, but not to us and not now."""


class GarbageAnswer(MonitoringError):
    """The answer cannot be a measurement: wrong shape, not a number, out of range.

    `evidence` is that of the answer, if there was one that could be kept: whoever rereads it finds
    the same. It stands in no message.
    """

    evidence: bytes | None = None


class AccessRefused(MonitoringError):
    """Credentials are missing, wrong or too weak: waiting does not help, the operator must act."""

    retryable = False


class BadRequest(MonitoringError):
    """The question cannot be asked as configured: waiting does not help."""

    retryable = False


class UnknownService(BadRequest):
    """No adapter has this name."""


class MissingExtra(BadRequest):
    """The adapter needs a package that is not installed."""
