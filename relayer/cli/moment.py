"""A time on the command line."""

from __future__ import annotations

from datetime import datetime

import click


def moment(text: str) -> int:
    """UNIX seconds of "1798761600" or "2027-01-31T12:00:00Z". Raises a usage error for anything else."""
    if text.isdecimal():
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise click.UsageError(f"{text!r} is no time: write UNIX seconds, or 2027-01-31T12:00:00Z")
    return int(time.timestamp())
