"""How AWS is reached, and what its refusals mean: credentials, timeouts, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    LoginError,
    NoAuthTokenError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from pydantic import AfterValidator, AnyHttpUrl, Field

from oracles.base import Options
from oracles.clients.deadline import Deadline, watched
from oracles.clients.retry_after import retry_after
from oracles.clients.whole_answer import read_whole
from oracles.errors import (
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MonitoringError,
    Throttled,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudwatch.client import CloudWatchClient

_REFUSED: Final = (
    CredentialRetrievalError,
    LoginError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
_REFUSED_CODES: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
_ECHOING_CODES: Final = frozenset(
    {"IncompleteSignature", "InvalidSignatureException", "SignatureDoesNotMatch"}
)
"""Whose texts repeat the request, with the session token that it carried."""
_THROTTLED_CODES: Final = frozenset(
    {
        "LimitExceeded",
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def _plain_url(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password:
        raise ValueError("credentials do not belong in a URL")
    return url


_Url = Annotated[AnyHttpUrl, AfterValidator(_plain_url)]


class AwsOptions(Options):
    """How one reporter reaches AWS. Credentials come from boto3's standard chain, never from here.

    Durations are in seconds.
    """

    profile: str | None = None
    role_arn: str | None = Field(default=None, pattern=r"^arn:")
    """A role to assume with the credentials of the chain."""
    external_id: str | None = None
    endpoint_url: _Url | None = None
    """Instead of AWS's public endpoint of the region, for instance a VPC endpoint."""
    sts_endpoint_url: _Url | None = None
    connect_timeout: float = Field(default=5, gt=0, le=60)
    read_timeout: float = Field(default=20, gt=0, le=120)
    """For the whole of one attempt, connection included."""
    attempts: int = Field(default=2, ge=1, le=5)
    """Attempts per call, the first included."""


def connect(options: AwsOptions, region: str) -> CloudWatchClient:
    """A client for CloudWatch in one region, with the operator's credentials and timeouts.

    Raises BotoCoreError where the credentials are configured wrongly.
    """
    config = Config(
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        retries={"total_max_attempts": options.attempts, "mode": "standard"},
    )
    session = _session(options, region, config)
    client: CloudWatchClient = boto3.Session(botocore_session=session).client(
        "cloudwatch",
        region_name=region,
        endpoint_url=_text(options.endpoint_url),
        config=config,
    )
    _bound(client, options.read_timeout)
    return client


def _bound(client: Any, seconds: float) -> None:
    """Put a limit on the answers that a client takes. botocore has no public way to do so."""
    endpoint = client._endpoint  # noqa: SLF001
    endpoint.http_session = _Bounded(endpoint.http_session, seconds)


class _Bounded:
    """botocore's HTTP session, except that no answer may be endless."""

    def __init__(self, session: Any, seconds: float) -> None:
        self._session, self._seconds = session, seconds
        self.close = session.close
        # One dictionary for all of the session's pool managers, those of proxies included.
        classes = session._pool_classes_by_scheme  # noqa: SLF001
        classes.update(watched(classes))

    def send(self, request: Any) -> AWSResponse:
        request.stream_output = True  # leaves the reading to us
        with Deadline("AWS", self._seconds):
            said = self._session.send(request)
            body = read_whole("AWS", said.raw)
        return AWSResponse(said.url, said.status_code, said.headers, body)


def _session(options: AwsOptions, region: str, config: Config) -> botocore.session.Session:
    """A session with the credentials of the standard chain, or acting as the role."""
    session = botocore.session.Session(profile=options.profile)
    if options.role_arn is None:
        return session
    source = session.get_credentials()
    if source is None:
        raise NoCredentialsError
    settings = {
        "region_name": region,
        "endpoint_url": _text(options.sts_endpoint_url),
        "config": config,
    }

    def sts(service: str, **credentials: Any) -> Any:
        client = session.create_client(service, **{**credentials, **settings})
        _bound(client, options.read_timeout)
        return client

    extra = {"RoleSessionName": "makegood"}
    if options.external_id:
        extra["ExternalId"] = options.external_id
    fetcher = AssumeRoleCredentialFetcher(sts, source, options.role_arn, extra_args=extra)
    acting = botocore.session.Session(profile=options.profile)
    acting.register_component("credential_provider", CredentialResolver([_Role(fetcher)]))
    return acting


class _Role(CredentialProvider):
    """Credentials of an assumed role, renewed before they expire."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


def _text(url: AnyHttpUrl | None) -> str | None:
    return None if url is None else str(url)


def translated(error: BotoCoreError | ClientError) -> MonitoringError:
    """The same failure in our words."""
    if isinstance(error, ClientError):
        return _refused_call(error)
    text = f"CloudWatch: {error}"
    if isinstance(error, _REFUSED):
        return AccessRefused(f"{text}; credentials come from boto3's standard chain")
    if isinstance(error, HTTPClientError | BotoConnectionError):
        return Unavailable(text)
    if isinstance(error, ParamValidationError):
        return BadRequest(text)
    return Unavailable(text)


def _refused_call(error: ClientError) -> MonitoringError:
    meta: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    code = error.response.get("Error", {}).get("Code", "")
    status = meta.get("HTTPStatusCode", 0)
    text = f"CloudWatch: {error}"
    if code in _ECHOING_CODES:
        text = f"CloudWatch: {error.operation_name} is refused ({code})"
    if code in _THROTTLED_CODES or status == 429:
        return Throttled(text, retry_after=retry_after(meta.get("HTTPHeaders", {})))
    # whatever STS has against us concerns every query, and none of them in particular
    elsewhere = error.operation_name != "GetMetricData" and 400 <= status < 500
    if code in _REFUSED_CODES or status in (401, 403) or elsewhere:
        return AccessRefused(
            f"{text}; check the credentials, their right to cloudwatch:GetMetricData"
            " and this machine's clock"
        )
    if status >= 500:
        answered = status != 503 and error.operation_name == "GetMetricData"  # not STS
        return Unavailable(text, answered=answered)
    if status == 400:
        return BadRequest(text)
    return GarbageAnswer(text)
