"""Alerts to people: each is posted as JSON to a webhook when it begins, every six hours while it lasts, and when it is over.

A thread of its own does it, from a list of what has still to be said. Nobody waits for it, and nothing depends on it: a webhook
that does not answer is a number in the metrics and one line in the log.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import requests
import structlog

from relayer.operations import metrics
from relayer.redaction import redacted_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from relayer.operations.alerts import Alert

log = structlog.get_logger(__name__)

VERSION: Final = 1
REPEAT_SECONDS: Final = 6 * 3_600.0
QUIET_SECONDS: Final = 60.0
"""An alert is called over when it has been quiet for this long: one that comes and goes is said once, not each time."""
MOST_ALERTS: Final = 1_000
"""So many are kept in mind. Further ones are dropped and counted; they are in the log all the same."""
MOST_ATTEMPTS: Final = 10
LONGEST_PAUSE: Final = 300.0
"""Attempts follow each other after 1, 2, 4, ... seconds, at most this."""
LONGEST_MESSAGE: Final = 2_000

_TIMEOUT: Final = (5, 10)
"""To connect, and between two pieces of the answer [s]."""
_PASSING: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be said about an alert."""

    alert: Alert
    status: Literal["firing", "resolved"]


@dataclass(slots=True)
class _Told:
    """What the webhook has heard of an alert."""

    alert: Alert
    said_at: float | None = None  # when its beginning was posted last
    over_at: float | None = None  # when it was over; None while it lasts


class Conversation:
    """What has to be said, and when. Knows the time and no network. Not safe to use from several threads."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], _Told] = {}

    def fired(self, alert: Alert) -> bool:
        """Returns False if there are too many alerts to keep this one in mind."""
        key = (alert.name, alert.subject)
        if told := self._told.get(key):
            told.alert, told.over_at = alert, None
            return True
        if len(self._told) >= MOST_ALERTS:
            return False
        self._told[key] = _Told(alert)
        return True

    def resolved(self, alert: Alert, now: float) -> None:
        if told := self._told.get((alert.name, alert.subject)):
            told.over_at = now

    def next(self) -> tuple[float, Notice] | None:
        """What is said next, and when it is time [s]; None if there is nothing to say."""
        planned = [self._plan(told) for told in self._told.values()]
        return min(planned, key=lambda plan: (plan[0], plan[1].alert.since), default=None)

    def said(self, notice: Notice, now: float) -> None:
        """A notice was posted, or given up."""
        key = (notice.alert.name, notice.alert.subject)
        told = self._told.get(key)
        if told is None:
            return
        if notice.status == "firing":
            told.said_at = now
        elif told.over_at is None:  # it fired again while its end was being said
            told.said_at = None
        else:
            del self._told[key]

    @staticmethod
    def _plan(told: _Told) -> tuple[float, Notice]:
        if told.said_at is None:  # its beginning is said even if it is over by now
            return 0.0, Notice(told.alert, "firing")
        if told.over_at is None:
            return told.said_at + REPEAT_SECONDS, Notice(told.alert, "firing")
        return told.over_at + QUIET_SECONDS, Notice(told.alert, "resolved")


class Webhook:
    """A :class:`~relayer.operations.alerts.Sink` that posts.

    :param url: Where to, ``http://`` or ``https://``. A secret: who knows it can post, too.
    :param relayer: Who speaks: ``account``, ``chainId`` and ``host``.
    :param clock: Measures pauses [s]. Not the time of day, which may be set by hours.
    """

    def __init__(
        self, url: str, relayer: Mapping[str, Any], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._relayer = dict(relayer)
        self._clock = clock
        self._changed = threading.Condition()
        self._conversation = Conversation()
        self._failures = 0
        self._not_before = 0.0
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    def __repr__(self) -> str:
        return f"Webhook({redacted_url(self._url)!r})"

    def fired(self, alert: Alert) -> None:
        with self._changed:
            kept = self._conversation.fired(alert)
            self._changed.notify_all()
        if not kept:
            metrics.WEBHOOK.labels("dropped").inc()

    def resolved(self, alert: Alert) -> None:
        with self._changed:
            self._conversation.resolved(alert, self._clock())
            self._changed.notify_all()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Say what is due now, if that takes no longer than ``timeout`` seconds, and end the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def wake(self) -> None:
        """Look at the clock again. For whoever sets it."""
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        while (notice := self._due()) is not None:
            problem, again = self._post(notice)
            with self._changed:
                self._note(notice, problem, again)

    def _due(self) -> Notice | None:
        """Wait until something has to be said; None if the thread has to end."""
        with self._changed:
            while True:
                planned = self._conversation.next()
                now = self._clock()
                if planned is not None:
                    at, notice = max(planned[0], self._not_before), planned[1]
                    if at <= now:
                        return notice
                if self._stopped:
                    return None
                self._changed.wait(None if planned is None else min(at - now, REPEAT_SECONDS))

    def _post(self, notice: Notice) -> tuple[str, bool]:
        """Returns what went wrong, empty if nothing did, and whether another attempt may help."""
        try:
            answer = requests.post(
                self._url,
                json=payload(notice, self._relayer),
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:  # its text holds the URL
            return type(error).__name__, True
        with closing(answer):
            if 200 <= answer.status_code < 300:
                return "", False
            passing = answer.status_code >= 500 or answer.status_code in _PASSING
            return f"HTTP {answer.status_code}", passing

    def _note(self, notice: Notice, problem: str, again: bool) -> None:  # noqa: FBT001
        now = self._clock()
        if not problem:
            metrics.WEBHOOK.labels("sent").inc()
            self._failures, self._not_before = 0, 0.0
            self._conversation.said(notice, now)
            return
        self._failures += 1
        if self._failures == 1:  # said once, however long it lasts
            log.warning(
                "webhook failed",
                action="webhook_failed",
                webhook=redacted_url(self._url),
                problem=problem,
            )
        if again and self._failures % MOST_ATTEMPTS:
            metrics.WEBHOOK.labels("failed").inc()
        else:
            metrics.WEBHOOK.labels("dropped").inc()
            self._conversation.said(notice, now)
        self._not_before = now + min(LONGEST_PAUSE, 2.0 ** min(self._failures - 1, 10))


def payload(notice: Notice, relayer: Mapping[str, Any]) -> dict[str, Any]:
    """What is posted. ``text`` is what Slack and Mattermost show; programs read the other fields.

    ``since`` is when the alert began [s, UNIX time].
    """
    alert = notice.alert
    message = alert.message[:LONGEST_MESSAGE]
    if notice.status == "firing":
        said = f"{alert.severity.upper()} {alert.name} ({alert.subject}): {message}"
    else:
        said = f"RESOLVED {alert.name} ({alert.subject})"
    text = f"{said}\nrelayer {relayer.get('account')}, chain {relayer.get('chainId')}, {relayer.get('host')}"
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(plain, escaped)  # <!channel> from a peer's mouth calls nobody
    return {
        "version": VERSION,
        "name": alert.name,
        "subject": alert.subject,
        "message": message,
        "severity": alert.severity,
        "since": alert.since,
        "status": notice.status,
        "relayer": dict(relayer),
        "text": text,
    }
