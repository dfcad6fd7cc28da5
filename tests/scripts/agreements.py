"""A signed SLA document over contracts that a test has deployed."""

from datetime import UTC, datetime

from relayer.document import load_document, signatures
from scripts import deploy
from tests import samples

PROVIDER = samples.wallet(1).address
CONSUMER = samples.wallet(2).address
HOUR = 3_600

_DOCUMENT = """\
apiVersion: makegood/v1
kind: SLA
metadata:
  name: shop-api
spec:
  parties: {{provider: "{provider}", consumer: "{consumer}"}}
  settlement:
    chainId: {chain_id}
    escrow: "{deployment.escrow}"
    oracle: "{deployment.oracle}"
    token: "{deployment.token}"
    decimals: 6
  money: {{feePerWindow: "100.00"}}
  term:
    start: {start:%Y-%m-%dT%H:%M:%SZ}
    openBy: {start:%Y-%m-%dT%H:%M:%SZ}
    window: 1h
    windows: 5
    prepaidWindows: 1
  levels:
    - name: availability
      indicator:
        dataSource: {{type: http_probe, spec: {{url: https://api.example.com/health}}}}
        metric: availability
      objective: {{op: gte, value: 99%}}
      interval: 60s
      reporters: {{keys: ["{reporter}"], quorum: 1, tolerance: 0}}
      settleDelay: 30s
      reportEvery: 10m
      reportDeadline: 2h
      tiers:
        - {{availabilityBelow: 99%, credit: 10%}}
  credits: {{combine: worst, cap: 100%}}
  unknown: {{countAs: excluded, maxShare: 100%, credit: 0%}}
  salt: "0x{salt}"
"""


def signed_document(path, chain, deployment):
    """Written to `path`, its signatures beside it."""
    start = datetime.fromtimestamp(chain.now() // HOUR * HOUR + 2 * HOUR, UTC)
    path.write_text(
        _DOCUMENT.format(
            provider=PROVIDER,
            consumer=CONSUMER,
            chain_id=chain.chain_id,
            deployment=deployment,
            start=start,
            reporter=samples.reporter_wallets(1)[0].address,
            salt="5a" * 32,
        )
    )
    document = load_document(path, adapters=False)
    signatures.sign_as(document, "provider", samples.wallet(1))
    signatures.sign_as(document, "consumer", samples.wallet(2))
    return document


def consumer_account(chain, environment):
    """The consumer's account, which later entry points use as well."""
    environment.setenv("MAKEGOOD_ACCOUNT", "test:2")
    return deploy.choose_account(chain)
