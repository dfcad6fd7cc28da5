"""A document as YAML text that is read back as exactly the same document."""

from __future__ import annotations

import re
from typing import Any

INDENT = 2
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def as_yaml(content: dict[str, Any]) -> str:
    """The text of a mapping of texts, whole numbers, truth values, lists and mappings, as JSON has them."""
    return "\n".join(_lines(content)) + "\n"


def _lines(value: Any) -> list[str]:
    """A value in lines of its own."""
    if isinstance(value, dict) and value:
        lines: list[str] = []
        for key, inner in value.items():
            lines += _entry(f"{_scalar(key)}:", inner, nested=isinstance(inner, dict))
        return lines
    if isinstance(value, list) and value:
        lines = []
        for inner in value:
            first, *rest = _lines(inner)
            lines += [f"- {first}", *(" " * INDENT + line for line in rest)]
        return lines
    return [_scalar(value)]


def _entry(head: str, inner: Any, *, nested: bool) -> list[str]:
    lines = _lines(inner)
    if not isinstance(inner, dict | list) or not inner:
        return [f"{head} {lines[0]}"]
    return [head, *((" " * INDENT if nested else "") + line for line in lines)]


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    # What is not printable may not stand in a YAML file, or not where it would be seen.
    return character if character.isprintable() else f"\\U{ord(character):08X}"
