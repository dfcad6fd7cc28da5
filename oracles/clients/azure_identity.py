"""Tokens of Azure: trouble on the way to one is told apart from a refusal of one.

azure-identity makes one error of all that its chain of credentials tried, and keeps no cause. So
what the connections to those who issue tokens meet is written down while a token is asked for.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import ClientAuthenticationError

from oracles.clients.bounded_requests import BoundedAdapter
from oracles.clients.retry_after import retry_after
from oracles.errors import MonitoringError, Throttled, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_METADATA: Final = "169.254.169.254"
"""Where a virtual machine finds its identity, if it has one: on other machines nobody answers."""
_GONE: Final = 410
"""How that service says that it is being updated."""

_met: ContextVar[list[tuple[str, MonitoringError]] | None] = ContextVar("met", default=None)
"""The hosts that were in trouble while this thread asks for a token, and the trouble."""


class Issuers(BoundedAdapter):
    """Connections to those who issue tokens: one in trouble refuses nobody."""

    def send(self, request: Any, *args: Any, **settings: Any) -> requests.Response:
        """Like that of BoundedAdapter, and raises MonitoringError for 410, 429 and 5xx."""
        host = urlsplit(str(request.url)).hostname or ""
        try:
            response = super().send(request, *args, **settings)
            self._check(host, response)
        except MonitoringError as error:
            _note(host, error)
            raise
        except requests.RequestException as error:
            text = f"Azure: {host}, which issues tokens, does not answer ({type(error).__name__})"
            _note(host, Unavailable(text))
            raise
        return response

    @staticmethod
    def _check(host: str, response: requests.Response) -> None:
        status, pause = response.status_code, retry_after(response.headers)
        text = f"Azure: {host}, which issues tokens, is in trouble (status {status})"
        if status == 429 or (status == 503 and pause is not None):
            raise Throttled(text, retry_after=pause)
        if status == _GONE or status >= 500:
            raise Unavailable(text, retry_after=pause)


class Identity:
    """A credential of azure-identity that raises MonitoringError where there was trouble.

    `managed` says that there ought to be a managed identity: that nobody answers for it is trouble
    then, and otherwise how a machine outside of Azure looks. (A chain that gave a token before asks
    the same credential again, and keeps the cause of its errors.)
    """

    def __init__(self, credential: Any, *, managed: bool) -> None:
        self._credential = credential
        self._managed = managed

    def get_token(self, *scopes: str, **more: Any) -> Any:
        """See azure.core.credentials.TokenCredential."""
        return self._asked(self._credential.get_token, *scopes, **more)

    def get_token_info(self, *scopes: str, **more: Any) -> Any:
        """See azure.core.credentials.SupportsTokenInfo."""
        return self._asked(self._credential.get_token_info, *scopes, **more)

    def close(self) -> None:
        self._credential.close()

    def _asked(self, ask: Callable[..., Any], *scopes: str, **more: Any) -> Any:
        met: list[tuple[str, MonitoringError]] = []
        token = _met.set(met)
        try:
            return ask(*scopes, **more)
        except ClientAuthenticationError as error:
            troubles = [one for host, one in met if self._managed or host != _METADATA]
            if not troubles:
                raise
            raise troubles[-1] from error
        finally:
            _met.reset(token)


def _note(host: str, error: MonitoringError) -> None:
    met = _met.get()
    if met is not None:
        met.append((host, error))
