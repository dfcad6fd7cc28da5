"""The templates, read from the files beside this module."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from relayer import yaml_lines
from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER: Final = Path(__file__).parent

VERIFIED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "page": "read on the vendor's own page, or an archived copy of it",
        "second-hand": "from somebody else's transcript; compare it with the page before you sign",
        "own": "nobody's published terms",
        "open": "in part not verified: compare it with the page before you sign",
    }
)


@dataclass(frozen=True, slots=True)
class Template:
    """Published terms of one service level. Fields: :mod:`relayer.templates`."""

    name: str
    service: str
    vendor: str
    title: str
    source: str
    version: str
    verified: str
    definition: str
    claim: str
    judged: tuple[str, ...]
    not_judged: tuple[str, ...]
    parameters: Mapping[str, str]
    indicator: str
    objective: str
    interval: str
    settle_delay: str
    tiers: tuple[Mapping[str, str], ...]
    note: str | None = None
    range: str | None = None
    unknown: str = "excluded"
    not_applicable: str = "good"
    cap: str = "100%"
    window: str = "month"
    windows: int = 12
    probe: str | None = None


def templates() -> list[Template]:
    """All templates, by name."""
    return [_all()[name] for name in sorted(_all())]


def load_template(name: str) -> Template:
    """Raises :class:`ConfigurationError` if there is none of that name."""
    found = _all().get(name)
    if found is None:
        near = difflib.get_close_matches(name.lower(), _all(), n=1)
        meant = f'; did you mean "{near[0]}"?' if near else ""
        raise ConfigurationError(
            f'there is no template "{name}"{meant}',
            hint="`makegood sla init --list` has them all",
        )
    return found


@cache
def _all() -> Mapping[str, Template]:
    found: dict[str, Template] = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        for template in _family(file):
            if template.name in found:
                raise ValueError(f"{file}: there are two templates {template.name}")
            found[template.name] = template
    return MappingProxyType(found)


def _family(file: Path) -> Iterator[Template]:
    content: Any = yaml_lines.load(file).plain()
    variants = content.pop("variants")
    for name, variant in variants.items():
        like = variants[variant["like"]] if "like" in variant else {}
        fields = {**content, **like, **variant}
        fields.pop("like", None)
        yield Template(
            name=fields.pop("name", f"{file.stem}-{name}"),
            judged=tuple(fields.pop("judged")),
            not_judged=tuple(fields.pop("notJudged")),
            settle_delay=fields.pop("settleDelay"),
            not_applicable=fields.pop("notApplicable", "good"),
            tiers=tuple(fields.pop("tiers")),
            parameters=MappingProxyType(fields.pop("parameters")),
            **fields,
        )
