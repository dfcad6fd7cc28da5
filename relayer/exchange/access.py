"""Who reads: bundles with private feeds are shown only to those who prove that they are meant.

A reader signs (EIP-191) whom it asks, for what, and when, and sends the signature along::

    Authorization: Makegood address="0x..", time="1790000000", signature="0x.."

The text names the reporter that is asked, not the host that the request was sent to: a server does not know under which
names it is reached, and whoever passes a request on can write any name into it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from eth_account.messages import encode_defunct

from relayer.errors import MakegoodError
from relayer.protocol.typed_data import recover, sign

if TYPE_CHECKING:
    from eth_account.messages import SignableMessage
    from eth_account.signers.base import BaseAccount

TOLERANCE: Final = 15 * 60
"""How far a reader's clock and ours may be apart [s]: clocks are wrong sometimes."""

_HEADER = re.compile(
    r'Makegood address="(?P<address>0x[0-9a-fA-F]{40})", time="(?P<time>[0-9]{1,12})", signature="0x(?P<signature>[0-9a-f]{130})"'
)


class NotProven(MakegoodError):
    """A reader has not shown who it is."""


def authorization(signer: BaseAccount, *, method: str, target: str, server: str, now: float) -> str:
    """The value of the ``Authorization`` header.

    :param target: Path and query as they are sent, e.g. ``/v1/bundles?after=7``.
    :param server: Checksum address of the reporter that is asked. Take it from the panel, not from the server: to one that
        says it is another, the signature for that other is of use.
    :param now: The time [s, UNIX time].
    """
    time = int(now)
    signature = sign(signer, _message(method, target, server, time))
    return f'Makegood address="{signer.address}", time="{time}", signature="0x{signature.hex()}"'


def reader(header: str | None, *, method: str, target: str, server: str, now: float) -> str | None:
    """Checksum address of who asks; None if it does not say.

    :raises NotProven: The header says something that does not hold.
    """
    if header is None:
        return None
    match = _HEADER.fullmatch(header)
    if match is None:
        raise NotProven(
            "the Authorization header cannot be read",
            hint='send Makegood address="0x..", time="<UNIX seconds>", signature="0x..", or no such header for public bundles',
        )
    time = int(match["time"])
    if abs(time - now) > TOLERANCE:
        raise NotProven(
            f"the request was signed at {time}, and here it is {int(now)}: they may be {TOLERANCE} seconds apart",
            hint="set the clock of your machine, and sign each request anew",
        )
    signer = recover(_message(method, target, server, time), bytes.fromhex(match["signature"]))
    if signer is None or signer.lower() != match["address"].lower():
        raise NotProven(
            f"the signature is not one of {match['address']} for this request",
            hint=f"sign for the reporter {server}, {method} and exactly this path and query; see docs/exchange.md",
        )
    return signer


def _message(method: str, target: str, server: str, time: int) -> SignableMessage:
    return encode_defunct(
        text=f"Makegood exchange of signed readings\nreporter: {server}\nrequest: {method} {target}\ntime: {time}"
    )
