"""What the webhook is told: by a conversation that knows only the time, and over real sockets."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog

from relayer.operations import metrics, webhook
from relayer.operations.alerts import Alert, Alerts
from relayer.operations.webhook import Conversation, Notice, Webhook, payload

RELAYER = {"account": "0x00000000000000000000000000000000000000AA", "chainId": 31337, "host": "h1"}
HOUR = 3_600.0


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


class Receiver:
    """A webhook's other end. ``answers`` are statuses for the first posts; then 200."""

    def __init__(self):
        self.answers = []
        self.got = []
        self.paths = []
        self._arrived = threading.Condition()
        self.hold = threading.Event()
        self.hold.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.hold.wait(60)
                with receiver._arrived:
                    status = receiver.answers.pop(0) if receiver.answers else 200
                    receiver.got.append((status, json.loads(body)))
                    receiver.paths.append(self.path)
                    receiver._arrived.notify_all()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/hush-hush-hush"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def wait(self, count):
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.got) >= count, 60), self.got
            return [(said["name"], said["status"]) for status, said in self.got if status == 200]

    def close(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start():
    hooks = []

    def made(url, clock):
        hook = Webhook(url, RELAYER, clock=clock)
        hook.start()
        hooks.append(hook)
        return hook, Alerts(sink=hook, clock=lambda: 1_750_000_000.0)

    yield made
    for hook in hooks:
        hook.stop(30)


def posts(result):
    return metrics.REGISTRY.get_sample_value("makegood_webhook_posts_total", {"result": result})


def until(condition):
    patience = threading.Event()
    for _ in range(6_000):
        if condition():
            return
        patience.wait(0.01)
    raise AssertionError("in vain")


def alert(name="wallet_empty", subject="0xabc", message="nothing left", since=1_000.0):
    return Alert(name, subject, message, since)


def told(conversation, now):
    """All that is said until ``now``."""
    said = []
    while (planned := conversation.next()) and planned[0] <= now:
        conversation.said(planned[1], now)
        said.append((planned[1].alert.subject, planned[1].status))
    return said


# What is said, and when


def test_beginning_and_end_are_said_once():
    talk = Conversation()
    talk.fired(alert())
    assert told(talk, 1_000) == [("0xabc", "firing")]
    assert told(talk, 2_000) == []
    talk.resolved(alert(), 2_000)
    assert told(talk, 2_059) == []
    assert told(talk, 2_060) == [("0xabc", "resolved")]
    assert talk.next() is None


def test_an_alert_that_lasts_is_said_every_six_hours():
    talk = Conversation()
    talk.fired(alert())
    assert told(talk, 1_000)
    assert told(talk, 1_000 + 6 * HOUR - 1) == []
    assert told(talk, 1_000 + 6 * HOUR) == [("0xabc", "firing")]
    assert told(talk, 1_000 + 7 * HOUR) == []
    assert told(talk, 1_000 + 12 * HOUR) == [("0xabc", "firing")]


def test_an_alert_that_flaps_is_said_once_and_its_end_after_a_minute_of_quiet():
    talk = Conversation()
    said = []
    for second in range(0, 600, 20):
        talk.fired(alert(since=second))
        said += told(talk, second)
        talk.resolved(alert(since=second), second + 10)
        said += told(talk, second + 19)
    assert said == [("0xabc", "firing")]
    assert told(talk, 590 + 59) == []
    assert told(talk, 590 + 60) == [("0xabc", "resolved")]


def test_what_began_while_nobody_listened_is_said_before_its_end():
    talk = Conversation()
    talk.fired(alert())
    talk.resolved(alert(), 1_010)
    assert told(talk, 5_000) == [("0xabc", "firing"), ("0xabc", "resolved")]


def test_what_fires_again_while_its_end_is_on_its_way_is_said_again():
    talk = Conversation()
    talk.fired(alert())
    told(talk, 1_000)
    talk.resolved(alert(), 1_000)
    _, ending = talk.next()
    talk.fired(alert(since=1_070))
    talk.said(ending, 1_071)
    assert told(talk, 1_071) == [("0xabc", "firing")]


def test_subjects_of_one_alert_are_told_apart_oldest_first():
    talk = Conversation()
    talk.fired(alert(subject="b", since=2))
    talk.fired(alert(subject="a", since=1))
    assert told(talk, 2_000) == [("a", "firing"), ("b", "firing")]


def test_a_flood_of_alerts_fills_no_memory():
    talk = Conversation()
    kept = [talk.fired(alert(subject=str(n))) for n in range(webhook.MOST_ALERTS + 5)]
    assert kept.count(False) == 5
    assert len(told(talk, 2_000)) == webhook.MOST_ALERTS
    assert talk.fired(alert(subject="0"))  # a known one is still heard
    talk.resolved(alert(subject="0"), 2_000)
    assert told(talk, 3_000) == [("0", "resolved")]
    assert talk.fired(alert(subject="new"))


def test_the_payload_is_for_programs_and_for_slack():
    said = payload(
        Notice(alert(name="peer_misbehaves", message="<!channel> & co"), "firing"), RELAYER
    )
    assert said == {
        "version": 1,
        "name": "peer_misbehaves",
        "subject": "0xabc",
        "message": "<!channel> & co",
        "severity": "warning",
        "since": 1_000.0,
        "status": "firing",
        "relayer": RELAYER,
        "text": "WARNING peer_misbehaves (0xabc): &lt;!channel&gt; &amp; co\n"
        "relayer 0x00000000000000000000000000000000000000AA, chain 31337, h1",
    }
    assert payload(Notice(alert(), "resolved"), RELAYER)["text"].startswith("RESOLVED wallet_empty")


def test_a_message_of_a_megabyte_is_cut():
    said = payload(Notice(alert(message="x" * 1_000_000), "firing"), RELAYER)
    assert len(json.dumps(said)) < 5_000


# Over the network


def test_an_alert_is_posted_when_it_begins_and_when_it_is_over(receiver, start, clock):
    hook, alerts = start(receiver.url, clock)
    alerts.fire("wallet_empty", "0xabc", "nothing left")
    assert receiver.wait(1) == [("wallet_empty", "firing")]
    assert receiver.got[0][1]["since"] == 1_750_000_000.0
    alerts.fire("wallet_empty", "0xabc", "nothing left")
    alerts.clear("wallet_empty", "0xabc")
    clock.now += 60
    hook.wake()
    assert receiver.wait(2) == [("wallet_empty", "firing"), ("wallet_empty", "resolved")]


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_post_that_fails_in_passing_is_tried_again_after_pauses(receiver, start, clock, status):
    receiver.answers = [status] * 3
    failed = posts("failed") or 0
    hook, alerts = start(receiver.url, clock)
    with structlog.testing.capture_logs() as logs:
        alerts.fire("wallet_empty", "0xabc", "nothing left")
        for attempt in (1, 2, 3):
            receiver.wait(attempt)
            until(lambda attempt=attempt: posts("failed") == failed + attempt)
            clock.now += 2.0 ** (attempt - 1) - 0.1
            hook.wake()
            assert len(receiver.got) == attempt
            clock.now += 0.1
            hook.wake()
        assert receiver.wait(4) == [("wallet_empty", "firing")]
    said = [line for line in logs if line["action"] == "webhook_failed"]
    assert len(said) == 1
    assert said[0]["problem"] == f"HTTP {status}"
    assert "hush" not in str(logs)
    alerts.clear("wallet_empty", "0xabc")


@pytest.mark.parametrize("status", [400, 401, 404, 410, 302])
def test_a_post_that_is_refused_for_good_is_given_up_and_the_next_one_tried(
    receiver, start, clock, status
):
    receiver.answers = [status]
    dropped = posts("dropped") or 0
    hook, alerts = start(receiver.url, clock)
    alerts.fire("wallet_empty", "0xabc", "nothing left")
    until(lambda: posts("dropped") == dropped + 1)
    alerts.fire("clock_wrong", "clock", "ten minutes")
    clock.now += 60
    hook.wake()
    assert receiver.wait(2) == [("clock_wrong", "firing")]
    assert set(receiver.paths) == {"/services/T0/hush-hush-hush"}  # no redirect is followed


def test_a_webhook_that_is_down_for_long_drops_what_it_could_not_say(start, clock):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as nobody:
        port = nobody.server_port
    dropped, failed = posts("dropped") or 0, posts("failed") or 0
    hook, alerts = start(f"http://127.0.0.1:{port}/hush-hush-hush", clock)
    with structlog.testing.capture_logs() as logs:
        alerts.fire("wallet_empty", "0xabc", "nothing left")
        for attempt in range(1, webhook.MOST_ATTEMPTS):
            until(lambda attempt=attempt: (posts("failed") or 0) == failed + attempt)
            clock.now += webhook.LONGEST_PAUSE
            hook.wake()
        until(lambda: posts("dropped") == dropped + 1)
    said = [line for line in logs if line["action"] == "webhook_failed"]
    assert [line["problem"] for line in said] == ["ConnectionError"]
    assert "hush" not in str(logs)


def test_a_webhook_that_hangs_holds_up_nobody(receiver, start, clock):
    receiver.hold.clear()
    _, alerts = start(receiver.url, clock)
    done = threading.Event()

    def work():
        for n in range(50):
            alerts.fire("peer_down", f"peer {n}", "no answer")
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    assert done.wait(60)
    worker.join()
    assert receiver.got == []
    receiver.hold.set()
    assert len(receiver.wait(50)) == 50
    for n in range(50):
        alerts.clear("peer_down", f"peer {n}")


def test_stopping_says_first_what_is_due(receiver, clock):
    hook = Webhook(receiver.url, RELAYER, clock=clock)
    alerts = Alerts(sink=hook)
    for n in range(5):
        alerts.fire("peer_down", f"peer {n}", "no answer")
    hook.start()
    hook.stop(60)
    assert len(receiver.got) == 5
    assert "webhook" not in {thread.name for thread in threading.enumerate()}


def test_stopping_waits_for_no_pause_between_attempts(receiver, start, clock):
    receiver.answers = [503]
    failed = posts("failed") or 0
    hook, alerts = start(receiver.url, clock)
    alerts.fire("wallet_empty", "0xabc", "nothing left")
    until(lambda: posts("failed") == failed + 1)
    hook.stop(60)
    assert "webhook" not in {thread.name for thread in threading.enumerate()}


def test_the_address_is_a_secret_in_every_form(clock):
    hook = Webhook(
        "https://user:word@hooks.example.com/services/T0/hush?token=hush", {}, clock=clock
    )
    assert repr(hook) == "Webhook('https://hooks.example.com/...')"
