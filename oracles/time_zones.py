"""The time zones of the IANA database, as the package `tzdata` has them.

Not those of the machine: reporters have to read the same, and what a machine knows depends on its
updates and on its environment (`PYTHONTZPATH`).
"""

from __future__ import annotations

import functools
from importlib import resources
from zoneinfo import ZoneInfo


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split())


@functools.lru_cache(maxsize=64)
def time_zone(name: str) -> ZoneInfo:
    """The zone of a name: Europe/Berlin. Raises ValueError if there is none."""
    if name not in _names():
        raise ValueError(f"no time zone of the IANA database: {name!r}")
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
