"""Texts of others on a terminal: what would move the cursor, colour or reorder what stands there is shown, not done."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

_UNUSUAL: Final = re.compile(r"[^\n\t -~]")


def printable(text: str) -> str:
    r"""The text with an escape in place of each character that is not printable.

    That is: controls (but not \n and \t), what changes the direction of writing, and what nobody sees. The escapes are those of JSON, so JSON stays the same value.
    """
    return _UNUSUAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    visible = character.isprintable() or unicodedata.category(character) == "Zs"
    return character if visible else json.dumps(character)[1:-1]
