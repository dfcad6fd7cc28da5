"""Messages about unknown names."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The rest of a message about an unknown name: what is allowed, and what may have been meant."""
    names = sorted(known)
    near = difflib.get_close_matches(word.lower(), [name.lower() for name in names], n=1)
    meant = next((name for name in names if [name.lower()] == near), None)
    hint = f'; did you mean "{meant}"?' if meant else ""
    return f"allowed: {', '.join(names) or 'nothing'}{hint}"
