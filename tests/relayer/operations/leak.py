"""A process that tries to give its secrets away: in its log, its pages, its metrics and its errors.

``python -m tests.relayer.operations.leak deliberate|honest``: deliberately it shouts every secret wherever it can; honestly it only
does what a relayer does while nothing it needs can be reached, and is given no list of secrets to hide. Prints what a stranger
could read.
"""

import logging
import sys
from dataclasses import dataclass

import requests
import structlog

from relayer import config, logs
from relayer.chain import Chain
from relayer.errors import MakegoodError
from relayer.operations.alerts import Alerts
from relayer.operations.health import Health
from relayer.operations.server import Server
from relayer.operations.webhook import Webhook
from relayer.store import Store

log = structlog.get_logger("relayer.leak")


@dataclass
class Holder:
    url: str


def say(*things):
    sys.stdout.write(" ".join(map(str, things)) + "\n")


def shout(secret, alerts, health):
    log.info(secret, action="x")
    log.info("as a value", action="x", value=secret, inner={"list": [secret], secret: {secret}})
    log.info("as objects", action="x", value=Holder(secret), error=ValueError(secret))
    log.info("as bytes", action="x", value=secret.encode())
    logging.getLogger("urllib3").warning("Retrying after %s", secret)
    try:
        int(f"cannot connect to {secret}")
    except ValueError:
        log.exception("as an exception", action="x")
    alerts.fire("rpc_down", "a", f"no answer from {secret}")
    alerts.fire("rpc_down", "a", f"still no answer from {secret}")  # replaces the message
    alerts.fire("rpc_down", secret, "as a subject")
    health.part("chain", "failed", f"no answer from {secret}")


def refuse(chain_urls, database):
    for reach in (lambda: Chain.connect(chain_urls), lambda: Store(database).bind(1)):
        try:
            reach()
        except MakegoodError as error:
            log.warning("refused", action="x", problem=error.message, hint=error.hint)
            log.exception("refused", action="x")
            say(error, error.hint, repr(error))
        else:
            raise AssertionError("it answered")


def main(deliberate):
    loaded = config.load()
    settings = loaded.configuration
    secrets = settings.secrets() if deliberate else []
    logs.configure("json", secrets)
    webhook = Webhook(settings.operations.webhook.get_secret_value(), {"host": "here"})
    alerts = Alerts(sink=webhook, secrets=secrets)
    health = Health(15, secrets=secrets)
    server = Server("127.0.0.1", 0, health=health, alerts=alerts)
    server.start()
    webhook.start()
    if deliberate:
        for secret in settings.secrets():
            shout(secret, alerts, health)
    alerts.fire("peer_down", "http://b", "no answer")
    refuse(settings.rpc_urls(), settings.database_target())
    webhook.stop(30)
    for page in ("livez", "readyz", "metrics", "alerts"):
        say(requests.get(f"http://127.0.0.1:{server.port}/{page}", timeout=30).text)
    say(loaded.shown(), settings, webhook, alerts, health)
    server.stop(10)
    say("done")


if __name__ == "__main__":
    main(deliberate=sys.argv[1] == "deliberate")
