"""How Azure is reached, and what its refusals mean: credentials, transport, errors."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, Final, Self

import requests
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import (
    ClientSecretCredential,
    DefaultAzureCredential,
    WorkloadIdentityCredential,
)
from azure.monitor.query import LogsQueryClient
from azure.monitor.querymetrics import MetricsClient
from pydantic import AnyHttpUrl, Field, FilePath, model_validator

from oracles.base import Options
from oracles.clients.azure_identity import Identity, Issuers
from oracles.clients.bounded_requests import BoundedAdapter
from oracles.clients.retry_after import retry_after
from oracles.errors import (
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MonitoringError,
    Throttled,
    Unavailable,
)
from oracles.secret import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.core.credentials import TokenCredential
    from pydantic import SecretStr

_QUOTED: Final = 400
"""Characters of an error's text that stand in a message."""
_TOKEN: Final = re.compile(r"(?i)\bbearer\s+\S+|\beyJ[\w-]+\.[\w.-]+")
"""What a server may have repeated of the credentials that it was shown."""
_HTTPS: Final = r"^https://[^\s?#@]+$"


class AzureOptions(Options):
    """How one reporter reaches Azure. Durations are in seconds.

    Without `client_secret` and `federated_token_file` the credentials come from Azure's own chain
    (DefaultAzureCredential): environment, workload identity, managed identity, command line.
    """

    tenant_id: str | None = None
    client_id: str | None = None
    """The application, or the managed identity if there is neither secret nor token file."""
    client_secret: str | None = None
    """A reference: ${AZURE_SECRET} or ${file:/run/secrets/azure}."""
    federated_token_file: FilePath | None = None
    """The token of another identity provider (Kubernetes, for instance), read at each renewal."""
    authority: str | None = Field(default=None, pattern=_HTTPS)
    """Who issues tokens; by default https://login.microsoftonline.com."""
    disable_instance_discovery: bool = False
    """Do not ask Microsoft whether the authority is one of its own: for private clouds."""
    metrics_endpoint: str = Field(
        default="https://{region}.metrics.monitor.azure.com", pattern=_HTTPS
    )
    metrics_audience: str = Field(default="https://metrics.monitor.azure.com", pattern=_HTTPS)
    logs_endpoint: str = Field(default="https://api.loganalytics.io", pattern=_HTTPS)
    logs_audience: str | None = Field(default=None, pattern=_HTTPS)
    """By default the logs' endpoint."""
    ca_file: FilePath | None = None
    """Certification authorities to trust instead of the usual ones."""
    proxy: AnyHttpUrl | None = None
    connect_timeout: float = Field(default=5, gt=0, le=60)
    read_timeout: float = Field(default=30, gt=0, le=300)
    """For the whole of one call, connection included."""
    workers: int = Field(default=5, ge=1, le=32)
    """Calls at the same time at most. Azure runs five log queries of a user at once."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        secret, token = self.client_secret is not None, self.federated_token_file is not None
        if secret and token:
            raise ValueError("give client_secret or federated_token_file, not both")
        if (secret or token) and not (self.tenant_id and self.client_id):
            raise ValueError(
                "client_secret and federated_token_file need tenant_id and client_id beside them"
            )
        return self


class AzureClients:
    """The clients of one reporter, made when they are first needed. Thread-safe."""

    def __init__(self, options: AzureOptions) -> None:
        """Raises BadRequest where a reference to a secret leads nowhere. Connects to nothing."""
        self._options = options
        secret = options.client_secret
        self._secret = None if secret is None else resolve(secret)
        self._lock = threading.Lock()
        self._credential: Any = None
        self._metrics: dict[str, MetricsClient] = {}
        self._logs: LogsQueryClient | None = None

    def metrics(self, region: str) -> MetricsClient:
        """The client for one region, which has an endpoint of its own."""
        with self._lock:
            if region not in self._metrics:
                self._metrics[region] = MetricsClient(
                    self._options.metrics_endpoint.replace("{region}", region),
                    self._identity(),
                    audience=self._options.metrics_audience,
                    **self._manners(),
                )
            return self._metrics[region]

    def logs(self) -> LogsQueryClient:
        """The client for all workspaces."""
        with self._lock:
            if self._logs is None:
                endpoint = self._options.logs_endpoint
                self._logs = LogsQueryClient(
                    self._identity(),
                    endpoint=endpoint,
                    audience=self._options.logs_audience or endpoint,
                    **self._manners(),
                )
            return self._logs

    def error(self, error: Exception) -> MonitoringError:
        """See `translated`; the application's secret is not repeated either."""
        return translated(error, self._secret)

    def quoted(self, message: object) -> str:
        """The beginning of what Azure says about an error, without the credentials it was shown."""
        return _quoted(message, self._secret)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        with self._lock:
            while self._metrics:
                self._metrics.popitem()[1].close()
            if self._logs is not None:
                self._logs.close()
                self._logs = None
            if self._credential is not None:
                self._credential.close()
                self._credential = None

    def _manners(self) -> dict[str, Any]:
        """No retries: whoever asks decides. No redirects: a token must not travel with them."""
        return {
            "transport": self._transport(),
            "retry_total": 0,
            "permit_redirects": False,
        }

    def _identity(self) -> TokenCredential:
        if self._credential is None:
            managed = self._options.client_id is not None
            self._credential = Identity(self._new_identity(), managed=managed)
        credential: TokenCredential = self._credential
        return credential

    def _new_identity(self) -> Any:
        options = self._options
        manners: dict[str, Any] = {"transport": self._transport(Issuers), "retry_total": 0}
        manners["disable_instance_discovery"] = options.disable_instance_discovery
        if options.authority is not None:
            manners["authority"] = options.authority
        application: dict[str, Any] = {
            "tenant_id": options.tenant_id,
            "client_id": options.client_id,
        }
        if self._secret is not None:
            secret = self._secret.get_secret_value()
            return ClientSecretCredential(client_secret=secret, **application, **manners)
        if options.federated_token_file is not None:
            path = str(options.federated_token_file)
            return WorkloadIdentityCredential(token_file_path=path, **application, **manners)
        if options.client_id is not None:
            manners["managed_identity_client_id"] = options.client_id
        if options.tenant_id is not None:
            manners["workload_identity_tenant_id"] = options.tenant_id
        return DefaultAzureCredential(**manners)

    def _transport(self, connections: type[BoundedAdapter] = BoundedAdapter) -> RequestsTransport:
        """Nothing comes from the environment: no proxy, no .netrc, no certificates."""
        options = self._options
        adapter = connections("Azure", options.read_timeout)
        session = requests.Session()
        session.trust_env = False
        session.headers["Accept-Encoding"] = "identity"
        session.mount("https://", adapter)
        session.mount("http://", adapter)  # a managed identity's endpoint on the machine itself
        if options.proxy is not None:
            session.proxies["https"] = str(options.proxy)
        return RequestsTransport(
            session=session,
            connection_timeout=options.connect_timeout,
            read_timeout=options.read_timeout,
            connection_verify=True if options.ca_file is None else str(options.ca_file),
        )


def translated(error: Exception, secret: SecretStr | None = None) -> MonitoringError:
    """The same failure in our words: of AzureError, and of whatever Azure's parsers stumble over.

    Raises nothing, repeats neither a token nor `secret`.
    """
    for cause in _causes(error):
        if isinstance(cause, MonitoringError):
            return cause
        if isinstance(cause, ServiceRequestError | ServiceResponseError):
            return Unavailable(f"Azure does not answer ({_root(cause)})")
    response: Any = error.response if isinstance(error, HttpResponseError) else None
    unreadable = isinstance(error, DecodeError) and (response is None or response.status_code < 400)
    if unreadable or not isinstance(error, AzureError):
        # the messages of parsers quote what they parse; ours must not
        return GarbageAnswer(f"Azure answered something unreadable ({type(error).__name__})")
    text = f"Azure: {_quoted(error.message, secret)}"
    if response is None:
        if isinstance(error, ClientAuthenticationError):
            return AccessRefused(f"{text}; see docs/oracles/azure_monitor.md, Credentials")
        return Unavailable(text)
    return _refused_call(response.status_code, retry_after(response.headers), text)


def _quoted(message: object, secret: SecretStr | None) -> str:
    said = str(message)
    if secret is not None:  # before anything is cut: half a secret is found by no search
        said = said.replace(secret.get_secret_value(), "***")
    return _TOKEN.sub("***", " ".join(said.split()))[:_QUOTED]


def _refused_call(status: int, pause: float | None, text: str) -> MonitoringError:
    text = f"{text} (status {status})"
    if status in (401, 403):
        return AccessRefused(
            f"{text}; the identity needs the role Monitoring Reader on the whole subscription,"
            " or Log Analytics Reader on the workspace"
        )
    # 529 is how the metrics' backend says that it has too much to do
    if status in (429, 529) or (status == 503 and pause is not None):
        return Throttled(text, retry_after=pause)
    if status == 408 or status >= 500:
        return Unavailable(text, retry_after=pause, answered=status not in (408, 503))
    if status >= 400:
        return BadRequest(text)
    return GarbageAnswer(f"{text}; redirects are not followed")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it came from, and so on."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _root(error: BaseException) -> str:
    *_, root = _causes(error)
    return type(root).__name__
