"""Our own probe: requests a URL several times per interval and judges the answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, AnyHttpUrl, Field, FilePath

from oracles.errors import BadRequest
from oracles.probing.deadline import Failed
from oracles.probing.deadline_http import Exchange, Origin, origin
from oracles.probing.probe import Number, Probe, ProbeOptions, ProbeSpec, Sample
from oracles.probing.tls import trusting, verifying
from oracles.secret import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping


_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def _plain_url(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password:
        raise ValueError("credentials do not belong in a URL that both parties sign")
    if url.fragment:
        raise ValueError("a fragment is never sent to a server")
    return url


_Status = Annotated[int, Field(ge=100, le=599)]


class HttpProbeSpec(ProbeSpec):
    """What is requested, and which answer counts as up. See docs/oracles/http_probe.md."""

    url: Annotated[AnyHttpUrl, AfterValidator(_plain_url)]
    method: Literal["GET", "HEAD"] = "GET"
    expect_status: Literal["2xx"] | tuple[_Status, ...] = Field(default="2xx", min_length=1)
    expect_body: str | None = Field(default=None, min_length=1)
    """Text (as UTF-8) that must stand in the first `max_bytes` of the body."""
    max_bytes: int = Field(default=65_536, ge=0, le=1_048_576)
    """Bytes of the body that are read at most."""
    verify_tls: bool = True
    max_redirects: int = Field(default=0, ge=0, le=10)

    def public(self) -> Mapping[str, object]:
        """The specification, with the URL's query string left out: a token may hide in it."""
        url = urlsplit(str(self.url))
        bare = urlunsplit(url._replace(query="..." if url.query else ""))
        return {**super().public(), "url": bare}


class HttpProbeOptions(ProbeOptions):
    """What the operator of one reporter adds."""

    headers: dict[AnyHttpUrl, dict[str, str]] = Field(default={})
    """Per origin, because a token for one provider must not reach another:
    {"https://api.example.com": {"Authorization": "Bearer ${API_TOKEN}"}}."""
    ca_file: FilePath | None = None
    """Certification authorities to trust instead of the usual ones."""


@dataclass(frozen=True)
class HttpSample(Sample):
    """`status` is that of the last answer, if there was one."""

    status: Number | None = None


class HttpProbe(Probe[HttpProbeSpec, HttpProbeOptions, HttpSample]):
    """Up: a complete answer of an expected status and body, within the timeout."""

    name = "http_probe"
    Spec = HttpProbeSpec
    Options = HttpProbeOptions
    Sample = HttpSample

    def _prepare(self) -> None:
        super()._prepare()
        self._headers = _resolved(self._options.headers)
        self._verifying = verifying(self._options.ca_file)
        self._trusting = trusting()

    def _measure(self, spec: HttpProbeSpec) -> Mapping[str, int]:
        exchange = Exchange(
            method=spec.method,
            timeout=float(spec.timeout),
            max_bytes=spec.max_bytes,
            max_redirects=spec.max_redirects,
            tls=self._verifying if spec.verify_tls else self._trusting,
            headers=self._headers,
            border=self._border,
        )
        answer = exchange.fetch(str(spec.url))
        if not _expected(spec, answer.status):
            raise Failed("status", status=answer.status)
        if spec.expect_body is not None and spec.expect_body.encode() not in answer.body:
            raise Failed("body", status=answer.status)
        return {"status": answer.status}


def _expected(spec: HttpProbeSpec, status: int) -> bool:
    if spec.expect_status == "2xx":
        return 200 <= status <= 299
    return status in spec.expect_status


def _resolved(
    headers: Mapping[AnyHttpUrl, Mapping[str, str]],
) -> dict[Origin, dict[str, str]]:
    """Headers by origin with their secrets filled in. Raises BadRequest without naming a value."""
    filled: dict[Origin, dict[str, str]] = {}
    for url, named in headers.items():
        parts = urlsplit(str(url))
        if parts.path.strip("/") or parts.query or parts.username:
            raise BadRequest("headers are given per origin: scheme, host and port only")
        for name, template in named.items():
            value = resolve(template).get_secret_value()
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise BadRequest(f"the header {name!r} or its value cannot be sent")
            filled.setdefault(origin(parts), {})[name] = value
    return filled
