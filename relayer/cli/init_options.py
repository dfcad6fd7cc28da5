"""What is given to `makegood sla init`, read as the document will be: all that is wrong is told before anything is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from relayer.document import quantities
from relayer.document.model import Name
from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from relayer.templates import Filling, Template

_USER_INFO = re.compile(r"://[^/?#\s]*@")
_NAME: TypeAdapter[str] = TypeAdapter(Name)


def check(filling: Filling) -> None:
    """Raises ConfigurationError with one line for each option that no document could have."""
    problems = list(_problems(filling))
    if problems:
        raise ConfigurationError("\n".join(problems), hint="nothing was written")


def parameters(template: Template, texts: Sequence[str]) -> dict[str, str]:
    """The values of ``--set``, by name."""
    known = ", ".join(template.parameters)
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if _USER_INFO.search(text):
            # Not said again: a terminal's log is no place for a password either.
            which = f"--set {name}" if name in template.parameters else "--set"
            raise ConfigurationError(
                f"{which}: there is a user or a password in the URL, and everybody can read a document",
                hint="credentials belong into the operator's options: ${ENV} or ${file:/path}",
            )
        if not sign or not value:
            raise ConfigurationError(f'--set "{text}" is not NAME=VALUE', hint=f"names: {known}")
        if name in found:
            raise ConfigurationError(f"--set {name} was given twice", hint="once for each name")
        found[name] = value
    return found


def _problems(filling: Filling) -> Iterator[str]:
    decimals = quantities.MAX_PLACES if filling.decimals is None else filling.decimals

    def amount(text: str) -> int:
        units = quantities.amount(text, decimals)
        if not units:
            raise ValueError("a window costs something")
        return units

    readers: list[tuple[str, str | None, Callable[[str], object]]] = [
        ("--name", filling.name, _name),
        ("--provider", filling.provider, quantities.address),
        ("--consumer", filling.consumer, quantities.address),
        *[("--reporter", one, quantities.address) for one in filling.reporters],
        ("--fee", filling.fee, amount),
        ("--start", filling.start, quantities.time),
        ("--escrow", filling.escrow, quantities.address),
        ("--oracle", filling.oracle, quantities.address),
        ("--token", filling.token, quantities.address),
    ]
    for option, text, read in readers:
        if text is None:
            continue
        try:
            read(text)
        except ValueError as error:
            yield f"{option} {_shown(text)}: {error}"


def _name(text: str) -> str:
    try:
        return _NAME.validate_python(text)
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["ctx"]["error"])) from None


def _shown(text: str) -> str:
    return "***" if _USER_INFO.search(text) else text
