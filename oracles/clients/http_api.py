"""JSON over HTTP for adapters: one deadline a call, a largest answer, and our own five errors.

Nothing comes from the environment: no proxy, netrc, cookie or certificate that the operator's
options do not name. Redirects are not followed, because a credential must not travel with them.
There are no retries: the relayer decides on these.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import ipaddress
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, Self, TypeVar
from urllib.parse import urlencode, urlsplit

import certifi
import urllib3
from pydantic import AfterValidator, AnyHttpUrl, SecretStr

from oracles.border import EVERYWHERE, Border
from oracles.clients.deadline import Deadline, watched
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
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from urllib3.response import BaseHTTPResponse

MIB: Final = 1_048_576
_CHUNK: Final = 65_536
_QUOTED: Final = 300
"""Characters of an error's text that stand in a message."""
_READ_OF_ERROR: Final = 4 * _QUOTED
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")

_AskedT = TypeVar("_AskedT")
_AnswerT = TypeVar("_AnswerT")


def _plain(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password:
        raise ValueError("credentials do not belong in a URL: give them as references")
    if url.query or url.fragment:
        raise ValueError("give the address up to its path: no '?', no '#'")
    return url


BaseUrl = Annotated[AnyHttpUrl, AfterValidator(_plain)]
"""For options: where a service answers, with a path prefix if it has one."""


def secret_headers(templates: Mapping[str, str]) -> dict[str, SecretStr]:
    """Headers whose values refer to secrets ("Bearer ${TOKEN}"), filled in. Raises BadRequest."""
    filled = {name: resolve(template) for name, template in templates.items()}
    for name, value in filled.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(
            value.get_secret_value()
        ):
            raise BadRequest(f"the header {name!r} or its value cannot be sent")
    return filled


def answers(
    ask: Callable[[_AskedT], _AnswerT], asked: Sequence[_AskedT], workers: int
) -> list[_AnswerT | MonitoringError]:
    """`ask` of each, `workers` at the same time at most; a MonitoringError stands in its place."""

    def one(item: _AskedT) -> _AnswerT | MonitoringError:
        try:
            return ask(item)
        except MonitoringError as error:
            return error

    if len(asked) <= 1:
        return [one(item) for item in asked]
    with ThreadPoolExecutor(min(workers, len(asked)), "oracles") as pool:
        return list(pool.map(one, asked))


class HttpApi:
    """One service's JSON API below `base_url`. May be used from several threads.

    `name` begins every message. `headers` are sent as they are; `secrets` are headers too, which
    stand in no message and go over TLS or to this machine only. `timeout` is in seconds and covers
    a whole call, less the look-up of the host's name; `connect_timeout` covers the connection to
    one address. `max_bytes` is the largest answer. `connections` bounds those that are open at the same time. `troubles` are statuses below
    500 by which this service means that it cannot answer now. `border` is for a `base_url` that a
    document names: what it does not let pass is refused.
    """

    def __init__(
        self,
        name: str,
        base_url: AnyHttpUrl | str,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Mapping[str, SecretStr] | None = None,
        ca_file: Path | None = None,
        proxy: AnyHttpUrl | str | None = None,
        connect_timeout: float = 5,
        timeout: float = 20,
        max_bytes: int = 16 * MIB,
        connections: int = 8,
        troubles: Collection[int] = (),
        clock: Callable[[], float] = time.time,
        border: Border = EVERYWHERE,
    ) -> None:
        """Raises BadRequest when a secret would travel in clear. Connects to nothing."""
        self._base = str(base_url).rstrip("/")
        parts = urlsplit(self._base)
        self._where = f"{name}: {parts.netloc}"
        filled = {key: value.get_secret_value() for key, value in (secrets or {}).items()}
        self._hidden = sorted({w for s in filled.values() for w in _words(s)}, key=len)[::-1]
        if filled and parts.scheme != "https" and not _loopback(parts.hostname or ""):
            raise BadRequest(
                f"{self._where}: secrets are not sent over plain http; use https"
                " (plain http is allowed to this machine only)"
            )
        self._headers = {
            "User-Agent": "makegood",
            "Accept": "application/json",
            # What is compressed has no size that could be limited before it is unpacked.
            "Accept-Encoding": "identity",
            **(headers or {}),
            **filled,
        }
        self._connect_timeout, self._timeout = connect_timeout, timeout
        self._max_bytes = max_bytes
        self._troubles = {408, *troubles}
        self._clock = clock
        shared: dict[str, Any] = {
            "maxsize": connections,
            "block": True,
            "ca_certs": str(ca_file or certifi.where()),
        }
        self._pools = (
            urllib3.ProxyManager(str(proxy), **shared) if proxy else urllib3.PoolManager(**shared)
        )
        # A proxy is the operator's own, and what lies behind it is for the proxy to refuse.
        self._pools.pool_classes_by_scheme = watched(
            self._pools.pool_classes_by_scheme, EVERYWHERE if proxy else border
        )

    def get_json(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """What GET answers. `path` begins with "/" and is encoded already; `params` are not.

        `headers` are sent beside those of the constructor.

        Raises MonitoringError, and nothing else: AccessRefused for 401, 403 and 407, Throttled for
        429 and for 503 with Retry-After, Unavailable for 5xx, 408 and everything below HTTP,
        BadRequest for the rest of 4xx, GarbageAnswer for what is too large or not JSON.
        """
        return self.ask("GET", path, params=params, headers=headers)

    def post_json(
        self,
        path: str,
        body: Any,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """What POST of a JSON document answers. See `get_json`."""
        content, kind = json.dumps(body, allow_nan=False).encode(), "application/json"
        return self.ask("POST", path, params=params, content=content, kind=kind, headers=headers)

    def post_form(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Any:
        """What POST of a form answers. See `get_json`."""
        content, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
        return self.ask("POST", path, content=content, kind=kind, headers=headers)

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        kind: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Any method, and any content of the type `kind`. See `get_json`."""
        query = f"?{urlencode(params)}" if params else ""
        sent = {**self._headers, **({"Content-Type": kind} if kind else {}), **(headers or {})}
        try:
            with Deadline(self._where, self._timeout):
                body = self._exchange(method, self._base + path + query, content, sent)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            # The kind only: a message of a library may quote what it was working on.
            raise Unavailable(f"{self._where} does not answer ({_cause(error)})") from None
        try:
            return json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise GarbageAnswer(f"{self._where} answered something else than JSON") from None

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._pools.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._where}>"

    def _exchange(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        response = self._pools.request(
            method,
            url,
            body=content,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=self._connect_timeout, read=self._timeout),
        )
        with contextlib.closing(response):
            if not 200 <= response.status <= 299:
                self._fail(response, _start(response))
            return self._whole(response)

    def _whole(self, response: BaseHTTPResponse) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise GarbageAnswer(f"{self._where} compressed an answer, which was not asked for")
        body = bytearray()
        while chunk := response.read(_CHUNK):
            body += chunk
            if len(body) > self._max_bytes:
                raise GarbageAnswer(
                    f"{self._where}: the answer is larger than {self._max_bytes} bytes"
                )
        return bytes(body)

    def _fail(self, response: BaseHTTPResponse, start: bytes) -> NoReturn:
        status = response.status
        said = f"{self._where} answered {status}{self._quoted(start)}"
        pause = retry_after(response.headers, self._clock())
        if status in (401, 403, 407):
            raise AccessRefused(f"{said}: check the credentials and what they may read")
        if status == 429 or (status == 503 and pause is not None):
            raise Throttled(said, retry_after=pause)
        if status in self._troubles or status >= 500:
            raise Unavailable(said, retry_after=pause)
        if status >= 400:
            raise BadRequest(said)
        raise GarbageAnswer(f"{said}; redirects are not followed: give the final address")

    def _quoted(self, start: bytes) -> str:
        """The beginning of an error's text, without a secret that the service may have repeated."""
        text = _reason(start.decode(errors="replace"))
        for word in self._hidden:
            text = text.replace(word, "***")
        if len(start) == _READ_OF_ERROR and self._hidden:  # the cut may go through a secret
            text = text[: -len(self._hidden[0])]
        line = "".join(sign if sign.isprintable() else " " for sign in text)
        line = " ".join(line.split())[:_QUOTED]
        return f" ({line})" if line and not line.startswith("<") else ""


# --- Small things ----------------------------------------------------------------------------


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _words(secret: str) -> Iterator[str]:
    """What must not be repeated of a header's value: of "Basic dTpw" also "u", ":" and "p" decoded."""
    yield from (secret, *(word for word in secret.split()[1:]))
    if secret.startswith("Basic "):
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            password = base64.b64decode(secret[6:]).decode().partition(":")[2]
            yield from [password] if password else []


def _start(response: BaseHTTPResponse) -> bytes:
    """The first bytes of an error's text; that there is one is no condition."""
    with contextlib.suppress(OSError, urllib3.exceptions.HTTPError):
        return response.read(_READ_OF_ERROR)
    return b""


def _reason(text: str) -> str:
    """The sentence in what services wrap their errors in, if it is found easily."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return text
    while isinstance(said, dict) and (inner := said.get("error") or said.get("message")):
        said = inner
    return said if isinstance(said, str) else text


def _cause(error: BaseException) -> str:
    """The name of what went wrong at the bottom: SSLCertVerificationError, not MaxRetryError."""
    causes: Iterable[BaseException | None] = (error.__cause__, error.__context__)
    inner = next((cause for cause in causes if cause is not None), None)
    return type(error).__name__ if inner is None else _cause(inner)


def _no_number(constant: str) -> NoReturn:
    raise ValueError(constant)
