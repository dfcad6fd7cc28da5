"""One RPC endpoint: a question, and an answer that makes sense or an :class:`~relayer.rpc_errors.EndpointFault`.

What comes back from the network is believed only if it is JSON, answers this question, and has the form that the method's
answers have. Nothing here remembers or retries; :mod:`relayer.rpc` does that.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import requests
import urllib3
from eth_utils.crypto import keccak
from web3 import Web3
from web3.providers.base import JSONBaseProvider

from relayer.redaction import redacted_url
from relayer.rpc_errors import EndpointFault, Kind, classify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web3.types import RPCEndpoint, RPCResponse

REQUEST_SECONDS = 10
"""How long a question may take in all, from the connection to the last byte of the answer."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024

_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_BYTES: Final = re.compile(r"0x([0-9a-fA-F]{2})*")
_QUANTITIES: Final = frozenset(
    {
        "eth_blockNumber",
        "eth_chainId",
        "eth_estimateGas",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getTransactionCount",
        "eth_maxPriorityFeePerGas",
    }
)
_DATA: Final = frozenset({"eth_call", "eth_getCode", "eth_getStorageAt"})
_BLOCKS: Final = frozenset({"eth_getBlockByNumber", "eth_getBlockByHash"})
_RECEIPT: Final = ("transactionHash", "blockHash", "blockNumber", "status", "gasUsed")


@dataclass(frozen=True, slots=True)
class Head:
    """A block.

    :param number: Its height.
    :param hash: 32 bytes.
    :param timestamp: When it was made [s, UNIX time].
    """

    number: int
    hash: bytes
    timestamp: int


class Endpoint(JSONBaseProvider):
    """An RPC service at an address. May be used from several threads.

    :param label: How it is called in messages and metrics; nothing secret.
    """

    def __init__(self, url: str, label: str | None = None) -> None:
        super().__init__()
        self.label = label or redacted_url(url)
        self._url = url
        self._secrets = _secrets(url)
        self._session = requests.Session()

    def __repr__(self) -> str:
        return f"Endpoint({self.label})"

    def make_request(
        self, method: RPCEndpoint, params: Any, *, seconds: float | None = None
    ) -> RPCResponse:
        """Its answer: a result of the right form, or an error that is about the request.

        :param seconds: The time it has; :data:`REQUEST_SECONDS` if not given.
        :raises EndpointFault: No answer, no sense in it, or an error that is about the endpoint.
        """
        number = next(self.request_counter)
        question = {"jsonrpc": "2.0", "id": number, "method": method, "params": params or []}
        status, body = self._post(Web3.to_json(question).encode(), seconds or REQUEST_SECONDS)
        try:
            answer = json.loads(body)
        except ValueError:  # also of characters that are none
            answer = None
        failed = status != HTTPStatus.OK
        if not isinstance(answer, dict) or (failed and not isinstance(answer.get("error"), dict)):
            if failed:
                kind = (
                    Kind.RATE_LIMITED if status == HTTPStatus.TOO_MANY_REQUESTS else Kind.HTTP_ERROR
                )
                raise EndpointFault(kind, f"{self.label} refused the request: HTTP {status}")
            raise self._garbage("no JSON object")
        if isinstance(answer.get("error"), dict):
            return self._refusal(answer, number, status)
        if answer.get("jsonrpc") != "2.0" or answer.get("id") != number:
            raise self._garbage("an answer to another question")
        if "result" not in answer:
            raise self._garbage("neither a result nor an error")
        if problem := _problem(method, params or [], answer["result"]):
            raise self._garbage(f"{method} gave {problem}")
        return cast("RPCResponse", {"jsonrpc": "2.0", "id": number, "result": answer["result"]})

    def chain_id(self, *, seconds: float | None = None) -> int:
        """Which chain it serves. Raises EndpointFault."""
        return int(self._result("eth_chainId", [], seconds), 16)

    def head(self, *, seconds: float | None = None) -> Head:
        """Its newest block. Raises EndpointFault."""
        return as_head(self._result("eth_getBlockByNumber", ["latest", False], seconds))

    def _result(self, method: str, params: Sequence[Any], seconds: float | None) -> Any:
        answer = self.make_request(cast("RPCEndpoint", method), params, seconds=seconds)
        if "error" in answer:
            error = cast("dict[str, Any]", answer["error"])
            raise EndpointFault(classify(error), f"{self.label} answered: {error['message']}")
        return answer["result"]

    def _post(self, body: bytes, seconds: float) -> tuple[int, bytes]:
        deadline = time.monotonic() + seconds
        try:
            with self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=seconds,
                stream=True,
                allow_redirects=False,
            ) as response:
                return response.status_code, self._body(response, deadline)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            kind, said = Kind.TIMEOUT, f"no answer from {self.label} within {seconds:g} s"
        except requests.ConnectionError:
            kind, said = Kind.CONNECTION, f"no answer from {self.label}"
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            kind = Kind.GARBAGE
            said = f"{self.label} gave no sensible answer: {type(error).__name__}"
        # Here and not above, where it would drag along the cause: its words contain the whole address, with the key in it.
        raise EndpointFault(kind, said)

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        # One read of the socket at a time: an endpoint that sends a byte now and then would else never be late.
        while chunk := response.raw.read1(65_536, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                raise requests.Timeout
            if len(body) > MAX_ANSWER_BYTES:
                raise self._garbage(f"more than {MAX_ANSWER_BYTES} bytes")
        return bytes(body)

    def _refusal(self, answer: dict[str, Any], number: int, status: int) -> RPCResponse:
        error = answer["error"]
        if answer.get("id") not in (number, None):
            raise self._garbage("an answer to another question")
        if not isinstance(error.get("message"), str) or not isinstance(error.get("code"), int):
            raise self._garbage("an error without code or message")
        error = {**error, "message": self._without_secrets(error["message"])}
        kind = classify(error)
        if kind is Kind.OTHER and status == HTTPStatus.TOO_MANY_REQUESTS:
            kind = Kind.RATE_LIMITED
        elif kind is Kind.OTHER and status != HTTPStatus.OK:
            kind = Kind.HTTP_ERROR
        if kind.blames_endpoint:
            raise EndpointFault(kind, f"{self.label} answered: {error['message']}")
        return cast("RPCResponse", {"jsonrpc": "2.0", "id": number, "error": error})

    def _garbage(self, what: str) -> EndpointFault:
        said = f"{self.label} gave no sensible answer: {what}"
        return EndpointFault(Kind.GARBAGE, self._without_secrets(said))

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def as_head(block: dict[str, Any]) -> Head:
    """From a block as JSON-RPC shows it."""
    return Head(
        int(block["number"], 16), bytes.fromhex(block["hash"][2:]), int(block["timestamp"], 16)
    )


def _secrets(url: str) -> tuple[str, ...]:
    """Parts of an address in which keys hide, the longest first."""
    parts = urlsplit(url)
    hidden = [parts.password or "", parts.username or "", *re.split(r"[&=]", parts.query)]
    hidden += parts.path.split("/")
    return tuple(sorted({part for part in hidden if len(part) >= 8}, key=len, reverse=True))


def _problem(method: str, params: Sequence[Any], result: Any) -> str | None:
    """What is wrong with the form of a result; None if nothing is."""
    if method in _QUANTITIES:
        good = isinstance(result, str) and _QUANTITY.fullmatch(result) is not None
        return None if good else "no number"
    if method in _DATA:
        good = isinstance(result, str) and _BYTES.fullmatch(result) is not None
        return None if good else "no bytes"
    if method in _BLOCKS:
        tag = params[0] if params else None
        return _block_problem(tag, result)
    if method == "eth_getTransactionReceipt":
        return _receipt_problem(params, result)
    if method == "eth_sendRawTransaction":
        sent = keccak(hexstr=params[0]).hex()
        good = isinstance(result, str) and result.lower() == f"0x{sent}"
        return None if good else "the hash of another transaction"
    return None


def _block_problem(tag: object, result: Any) -> str | None:
    if result is None:  # a block that is not there; the newest always is
        return "no block" if tag == "latest" else None
    good = (
        isinstance(result, dict)
        and all(_is_quantity(result.get(name)) for name in ("number", "timestamp"))
        and _is_hash(result.get("hash"))
    )
    return None if good or tag == "pending" else "no block"


def _receipt_problem(params: Sequence[Any], result: Any) -> str | None:
    if result is None:
        return None
    if not isinstance(result, dict) or any(result.get(name) is None for name in _RECEIPT):
        return "no receipt"
    asked = str(params[0]).lower() if params else ""
    return None if str(result["transactionHash"]).lower() == asked else "another receipt"


def _is_quantity(value: object) -> bool:
    return isinstance(value, str) and _QUANTITY.fullmatch(value) is not None


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 66 and _BYTES.fullmatch(value) is not None
