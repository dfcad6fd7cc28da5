"""Our own probe: TLS handshakes several times per interval, and how long the certificate lasts."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from cryptography import x509
from pydantic import FilePath

from oracles.probing.address import Host, Port
from oracles.probing.deadline import Failed, Reason, connect, left, reason_of
from oracles.probing.probe import Number, Probe, ProbeOptions, ProbeSpec, Sample
from oracles.probing.tls import trusting, verifying
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oracles.base import Query

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

_REASONS: Final[Mapping[int, Reason]] = {
    9: "not_yet_valid",
    10: "expired",
    62: "name",
    64: "name",  # of an IP address
}
"""OpenSSL's codes (X509_V_ERR_*); every other one is about the chain."""


class TlsProbeSpec(ProbeSpec):
    """With whom to shake hands, and how. See docs/oracles/tls_probe.md."""

    host: Host
    port: Port = 443
    server_name: Host | None = None
    """The name that is asked for (SNI) and must stand in the certificate; by default `host`."""
    min_version: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that counts as up."""


class TlsProbeOptions(ProbeOptions):
    """What the operator of one reporter adds."""

    ca_file: FilePath | None = None
    """Certification authorities to trust instead of the usual ones."""


@dataclass(frozen=True)
class TlsSample(Sample):
    """`not_after` is the last UNIX second of the server's certificate, if it showed one."""

    not_after: Number | None = None


class TlsProbe(Probe[TlsProbeSpec, TlsProbeOptions, TlsSample]):
    """Up: a handshake with a certificate that verifies (chain, name, time), within the timeout."""

    name = "tls_probe"
    METRICS: ClassVar[Mapping[str, Metric]] = {**Probe.METRICS, "validity": METRICS["validity"]}
    Spec = TlsProbeSpec
    Options = TlsProbeOptions
    Sample = TlsSample

    def _prepare(self) -> None:
        super()._prepare()
        ca_file = self._options.ca_file
        self._verifying = {v: _from(v, verifying(ca_file)) for v in _VERSIONS}
        self._trusting = {v: _from(v, trusting()) for v in _VERSIONS}

    def _measure(self, spec: TlsProbeSpec) -> Mapping[str, int]:
        deadline = time.monotonic() + float(spec.timeout)
        try:
            return {"not_after": self._not_after(spec, self._verifying, deadline)}
        except ssl.SSLCertVerificationError as error:
            reason = _REASONS.get(error.verify_code, "chain")
        except OSError as error:
            raise Failed(reason_of(error)) from error
        # OpenSSL does not show what it refused: look again, without judging.
        try:
            seen = {"not_after": self._not_after(spec, self._trusting, deadline)}
        except (Failed, OSError):
            seen = {}
        raise Failed(reason, **seen)

    def _not_after(
        self, spec: TlsProbeSpec, contexts: Mapping[str, ssl.SSLContext], deadline: float
    ) -> int:
        """Shake hands; returns when the certificate expires [UNIX s]. Raises OSError, Failed."""
        context, name = contexts[spec.min_version], spec.server_name or spec.host
        with connect(spec.host, spec.port, deadline, self._border) as raw:
            raw.settimeout(left(deadline))  # of the whole handshake
            with context.wrap_socket(raw, server_hostname=name) as stream:
                shown = stream.getpeercert(binary_form=True)
        try:
            moment = x509.load_der_x509_certificate(shown or b"").not_valid_after_utc
        except ValueError:
            raise Failed("protocol") from None
        return max(0, int(moment.timestamp()))

    @classmethod
    def _amount(cls, query: Query[TlsProbeSpec], counted: Sequence[TlsSample]) -> Fraction | None:
        if query.metric.name != "validity":
            return super()._amount(query, counted)
        spans = [one.not_after - one.at for one in counted if one.not_after is not None]
        if len(spans) < query.spec.needed:
            return None
        # "99991231235959Z" stands for "never" in certificates: the longest time that there is
        return Fraction(min(max(0, min(spans)), query.metric.largest))


def _from(version: str, context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = _VERSIONS[version]
    return context
