"""A bound for the HTTP answers that vendors' client libraries read: a largest size.

The libraries hold whatever comes in memory.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import urllib3

from oracles.errors import GarbageAnswer, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST: Final = 33_554_432
"""Bytes of an answer: 32 MiB, several times what 500 series of a day come to."""
_CHUNK: Final = 65_536


class WholeAnswer(io.BytesIO):
    """A body that has been read. Stands in for the `raw` of a response of urllib3."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """What is left of the body."""
        yield self.read()


def read_whole(name: str, raw: urllib3.BaseHTTPResponse) -> WholeAnswer:
    """The body of a response. `name` begins the message of errors.

    How long it may take is for a Deadline around this to say. Raises GarbageAnswer if it is larger
    than LARGEST or compressed (what is compressed has no size that could be limited), Unavailable
    if the connection breaks.
    """
    try:
        return WholeAnswer(_read(name, raw))
    except Exception:
        raw.close()
        raise


def _read(name: str, raw: urllib3.BaseHTTPResponse) -> bytes:
    if raw.headers.get("Content-Encoding", "identity") != "identity":
        raise GarbageAnswer(f"{name} compressed an answer, which was not asked for")
    body = bytearray()
    try:
        while chunk := raw.read1(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > LARGEST:
                raise GarbageAnswer(f"{name}: the answer is larger than {LARGEST} bytes")
    except (OSError, urllib3.exceptions.HTTPError) as error:
        raise Unavailable(f"{name}: the answer broke off ({type(error).__name__})") from None
    if raw.length_remaining:  # botocore has urllib3 overlook it
        raise Unavailable(f"{name}: the answer broke off, {raw.length_remaining} bytes early")
    return bytes(body)
