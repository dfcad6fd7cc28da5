"""What an operator's credentials are for: which questions of documents this machine asks at all."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def permits(only: Sequence[Mapping[str, Any]], spec: Mapping[str, Any]) -> bool:
    """Whether a specification, as JSON, is like one of the patterns.

    It is if it has each field of the pattern, and there the same value; `*` in a text stands for
    any characters, and fields within fields are compared likewise.
    """
    return any(_is_like(pattern, spec) for pattern in only)


def _is_like(pattern: object, value: object) -> bool:
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            name in value and _is_like(below, value[name]) for name, below in pattern.items()
        )
    if isinstance(pattern, str) and isinstance(value, str):
        # of the signs that the library knows, only the star is one here
        return fnmatchcase(value, pattern.replace("[", "[[]").replace("?", "[?]"))
    return type(pattern) is type(value) and pattern == value
