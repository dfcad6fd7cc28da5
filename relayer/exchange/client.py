"""One question to a peer. Whatever the peer does, within ten seconds there is an answer or a :class:`.verify.PeerFault`."""

from __future__ import annotations

import ssl
import zlib
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import certifi
from pydantic import BaseModel
from pydantic_core import from_json

from oracles.probing.deadline_http import Exchange, Failed, origin
from relayer import __version__
from relayer.exchange import access, wire
from relayer.exchange.verify import PeerFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from eth_account.signers.base import BaseAccount

    from oracles.probing.deadline_http import Answer
    from relayer.exchange.verify import Kind

SECONDS: Final = 10.0
"""For the whole exchange, from the name's look-up to the last byte: one that drips gets no more than one that hangs."""
PAGE: Final = 100
"""Bundles asked for at once."""

_SIGNATURE_SECONDS: Final = 300
"""How long a signed request is used again. A key in a KMS is slow and costs money for each signature."""
_GZIP: Final = b"\x1f\x8b"
_ANY_GZIP: Final = 31  # zlib's wbits for gzip with the largest window
_REDIRECTS: Final = range(300, 400)
_TEXT: Final = 200


class _Error(BaseModel):
    message: str


class _ErrorAnswer(BaseModel):
    error: _Error


class Client:
    """Asks one peer.

    :param address: The peer's account, by which its server knows that a signed request is meant for it.
    :param url: Where it is reached, e.g. ``https://relayer.example``.
    :param signer: Proves who we are where that is needed; None: only public bundles are seen.
    """

    def __init__(
        self, address: str, url: str, *, signer: BaseAccount | None, clock: Callable[[], float]
    ) -> None:
        self._address = address
        self._url = url.rstrip("/")
        self._signer = signer
        self._clock = clock
        self._signed: tuple[str, float, str] | None = None
        self._origin = origin(urlsplit(self._url))
        self._tls = ssl.create_default_context()
        self._tls.load_verify_locations(certifi.where())

    def page(self, after: int, *, signed_by: str, private: bool) -> tuple[wire.Page, int]:
        """What the peer has after id ``after`` that ``signed_by`` signed, and how many bytes it took.

        :param private: Whether to say who we are, to see what not everybody may.
        :raises PeerFault: There is no such answer.
        """
        target = f"/v1/bundles?after={after}&limit={PAGE}&address={signed_by}"
        answer = self._ask(target, self._authorization(target) if private else None)
        body = _unpacked(answer.body)
        try:
            page = wire.read_page(body)
        except ValueError as error:
            raise PeerFault("garbage", f"its answer cannot be used: {error}") from None
        return page, len(body)

    def _authorization(self, target: str) -> str | None:
        if self._signer is None:
            return None
        now = self._clock()
        if self._signed is not None:
            known, since, header = self._signed
            if known == target and 0 <= now - since < _SIGNATURE_SECONDS:
                return header
        header = access.authorization(
            self._signer, method="GET", target=target, server=self._address, now=now
        )
        self._signed = (target, now, header)
        return header

    def _ask(self, target: str, authorization: str | None) -> Answer:
        headers = {
            "User-Agent": f"makegood/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        if authorization:
            headers["Authorization"] = authorization
        exchange = Exchange(
            method="GET",
            timeout=SECONDS,
            max_bytes=wire.MAX_BYTES + 1,
            max_redirects=0,
            tls=self._tls,
            headers={self._origin: headers},
        )
        try:
            answer = exchange.fetch(self._url + target)
        except Failed as failed:
            raise PeerFault("unreachable", f"no answer ({failed.reason})") from failed
        if answer.status in _REDIRECTS:
            raise PeerFault("redirect", f"it answers with a redirect (HTTP {answer.status})")
        if answer.status != 200:
            self._signed = None
            kind: Kind = "refused" if answer.status == 401 else "status"
            raise PeerFault(kind, f"HTTP {answer.status}{_reason(answer.body)}")
        return answer


def _unpacked(body: bytes) -> bytes:
    """The body, uncompressed if it was compressed. Raises PeerFault if it is too long or damaged."""
    if body.startswith(_GZIP):  # which no JSON does
        inflater = zlib.decompressobj(wbits=_ANY_GZIP)
        try:
            body = inflater.decompress(body, wire.MAX_BYTES + 1)
        except zlib.error:
            raise PeerFault("garbage", "its answer cannot be uncompressed") from None
    if len(body) > wire.MAX_BYTES:
        raise PeerFault("too_large", f"its answer has more than {wire.MAX_BYTES} bytes")
    return body


def _reason(body: bytes) -> str:
    """What an error answer of a relayer says, as far as it is fit for a log."""
    try:
        said = _ErrorAnswer.model_validate(from_json(_unpacked(body[:10_000]))).error.message
    except (ValueError, PeerFault):
        return ""
    return ": " + "".join(letter for letter in said[:_TEXT] if letter.isprintable())
