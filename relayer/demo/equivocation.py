"""What a liar does who sees that it has lost: sign another answer, as if it had never said the first."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from relayer.protocol.readings import pack_readings, unpack_readings
from relayer.protocol.report import FeedReadings, SignedBundle
from relayer.protocol.typed_data import root_message, sign
from relayer.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from eth_account.signers.base import BaseAccount

    from relayer.protocol.typed_data import Domain


def sign_again(
    database: Path,
    account: BaseAccount,
    domain: Domain,
    *,
    feed_id: bytes,
    reporter: int,
    interval: int,
    code: int,
) -> None:
    """Put a second answer for an interval into a relayer's database, from where the relayer shows it to all others.

    :param database: The relayer's.
    :param account: Its key.
    :param reporter: Its place in the panel.
    :param interval: One that it has signed.
    :param code: What it says of it now.
    """
    store = Store(database)
    try:
        signed = store.bundles.containing(feed_id, interval, reporter)[0]
        [said] = signed.signed.feeds
        codes = unpack_readings(said.readings)
        codes[interval - said.first] = code
        other = FeedReadings(feed_id, said.first, pack_readings(codes))
        evidence = bytes(32)
        signature = sign(account, root_message(domain, other.leaf, evidence))
        bundle = SignedBundle(reporter, (other,), evidence, signature)
        store.bundles.save(replace(signed, id=None, signed=bundle, signed_at=time.time()))
    finally:
        store.close()
