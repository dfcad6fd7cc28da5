"""How one operator reaches the servers that documents name: credentials, certificates, proxies."""

from __future__ import annotations

import base64
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, FilePath, SecretStr

from oracles.base import Clock, Options
from oracles.border import EVERYWHERE, AllowedNetworks, Border
from oracles.clients.http_api import MIB, BaseUrl, HttpApi, secret_headers
from oracles.errors import BadRequest
from oracles.secret import resolve

if TYPE_CHECKING:
    from collections.abc import Collection


class Access(BaseModel):
    """How to reach one server, and as whom."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    address: BaseUrl | None = None
    """Where this operator reaches it, if not where the document says (a tunnel, say)."""
    username: str | None = Field(default=None, pattern=r"^[^:]+$")
    password: str | None = None
    """A reference, for basic authentication: "${PASSWORD}"."""
    headers: dict[str, str] = Field(default={})
    """Whose values are references: {"Authorization": "Bearer ${TOKEN}"}."""
    ca_file: FilePath | None = None
    """Certification authorities to trust instead of the usual ones."""
    proxy: AnyHttpUrl | None = None

    def secrets(self) -> dict[str, SecretStr]:
        """The headers to send, filled in. Raises BadRequest when a reference leads nowhere."""
        filled = secret_headers(self.headers)
        if (self.username is None) != (self.password is None):
            raise BadRequest("username and password are given together, or not at all")
        if self.username is not None and self.password is not None:
            if any(name.lower() == "authorization" for name in filled):
                raise BadRequest("give a password or an Authorization header, not both")
            pair = f"{self.username}:{resolve(self.password).get_secret_value()}"
            filled["Authorization"] = SecretStr(f"Basic {base64.b64encode(pair.encode()).decode()}")
        return filled


class HttpOptions(Options):
    """What the operator of one reporter adds. Durations are in seconds."""

    access: dict[AnyHttpUrl, Access] = Field(default={})
    """By origin, because a token for one server must not reach another:
    {"https://prometheus.example.com": {"headers": {"Authorization": "Bearer ${TOKEN}"}}}."""
    allowed_networks: AllowedNetworks = ()
    """What documents may have this machine ask inside its own network: by default nothing. What
    `address` and `proxy` name needs no leave."""
    connect_timeout: float = Field(default=5, gt=0, le=60)
    timeout: float = Field(default=20, gt=0, le=300)
    """For one whole call."""
    max_bytes: int = Field(default=8 * MIB, ge=1_024, le=32 * MIB)
    """The largest answer."""
    workers: int = Field(default=8, ge=1, le=64)
    """Calls at the same time at most."""


class Servers:
    """The servers that one adapter talks to, by origin, each with its connections."""

    def __init__(
        self, name: str, options: HttpOptions, clock: Clock, *, troubles: Collection[int] = ()
    ) -> None:
        """Raises BadRequest when a reference leads nowhere or a secret would travel in clear."""
        self._name, self._options, self._clock = name, options, clock
        self._troubles = troubles
        self._border = Border(name, options.allowed_networks)
        self._lock = threading.Lock()
        self._apis: dict[str, HttpApi] = {}
        for url, access in options.access.items():
            parts = urlsplit(str(url))
            if parts.path.strip("/") or parts.query or parts.username:
                raise BadRequest("access is given per origin: scheme, host and port only")
            self._apis[_origin(str(url))] = self._api(str(access.address or url), access)

    def at(self, url: str) -> HttpApi:
        """The server of an http or https URL, to be asked for the URL's path."""
        origin = _origin(url)
        with self._lock:
            if origin not in self._apis:
                self._apis[origin] = self._api(origin, Access())
            return self._apis[origin]

    def close(self) -> None:
        with self._lock:
            for api in self._apis.values():
                api.close()

    def _api(self, base_url: str, access: Access) -> HttpApi:
        options = self._options
        return HttpApi(
            self._name,
            base_url,
            secrets=access.secrets(),
            ca_file=access.ca_file,
            proxy=access.proxy,
            connect_timeout=options.connect_timeout,
            timeout=options.timeout,
            max_bytes=options.max_bytes,
            connections=options.workers,
            troubles=self._troubles,
            clock=self._clock,
            border=self._border if access.address is None else EVERYWHERE,
        )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
