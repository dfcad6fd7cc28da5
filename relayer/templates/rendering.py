"""From a template to an SLA document: complete, or with every place marked that is still to be filled in.

What is not known is written without a value, which no document may have: so a half-filled document is refused wherever it goes.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from relayer import yaml_lines
from relayer.document import fresh_salt
from relayer.templates.catalogue import VERIFIED, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from relayer.yaml_lines import Location, Plain

MARK = "FILL IN"
_WIDTH = 100
_PARAMETER = re.compile(r"\$([a-z]+)")
_PLAIN = re.compile(r"[A-Za-z0-9._:/-]+")
_USUAL_PANEL = 3


@dataclass(frozen=True, slots=True)
class Filling:
    """What is known of an agreement to be. Everything that is None is left to be filled in.

    :param reporters: 1, or 3 and more.
    :param parameters: Values of the template's own parameters.
    """

    name: str | None = None
    provider: str | None = None
    consumer: str | None = None
    chain_id: int | None = None
    escrow: str | None = None
    oracle: str | None = None
    token: str | None = None
    decimals: int | None = None
    fee: str | None = None
    start: str | None = None
    windows: int | None = None
    reporters: Sequence[str] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)


class Missing(NamedTuple):
    """A place that is still to be filled in: its line in the document, and what belongs there."""

    line: int
    field: str
    what: str


class Rendered(NamedTuple):
    """The text of a document, and what is still missing in it."""

    text: str
    missing: tuple[Missing, ...]


def render(template: Template, filling: Filling) -> Rendered:
    """A document with comments, and with a salt of its own.

    :raises ValueError: The filling names a parameter that the template does not have.
    """
    for name in filling.parameters:
        if name not in template.parameters:
            known = ", ".join(template.parameters)
            raise ValueError(f'{template.name} has no parameter "{name}"; it has {known}')
    lines = [*_head(template), *_document(template, filling)]
    text = "\n".join(lines) + "\n"
    marks = [
        (number, line.split(f"# {MARK}: ", 1)[1])
        for number, line in enumerate(lines, 1)
        if f"# {MARK}: " in line
    ]
    places = _without_value(yaml_lines.parse(text, Path(template.name)).plain(), ())
    missing = tuple(
        Missing(number, yaml_lines.dotted(place), what)
        for (number, what), place in zip(marks, places, strict=True)
    )
    return Rendered(text, missing)


def _without_value(value: Plain, at: Location) -> Iterator[Location]:
    """Where nothing is written, in the order of the lines."""
    if value is None:
        yield at
    elif isinstance(value, dict):
        for name, child in value.items():
            yield from _without_value(child, (*at, name))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from _without_value(child, (*at, number))


def _head(template: Template) -> Iterator[str]:
    """Where the terms are from, and what they mean."""
    version = "" if template.version == "unknown" else f", version of {template.version}"
    yield from _comment(
        f"{template.title}: {template.vendor}'s terms, as an agreement that pays by itself."
    )
    yield "#"
    yield from _comment(f"Source: {template.source}{version}")
    yield from _comment(f"Verified: {VERIFIED[template.verified]}. {template.note or ''}".strip())
    yield "#"
    yield from _comment(f"Definition, in our own words: {template.definition}")
    yield "#"
    yield from _comment("Judged by machine:")
    for point in template.judged:
        yield from _point(point)
    yield from _comment(
        "Not judged by machine; agree on it in spec.legal, or exclude the time by signature before it begins:"
    )
    for point in template.not_judged:
        yield from _point(point)
    yield "#"
    yield from _comment(f"Replaces this procedure: {template.claim}")


def _document(template: Template, filling: Filling) -> Iterator[str]:
    name = filling.name or template.name
    yield from (
        "apiVersion: makegood/v1",
        "kind: SLA",
        "metadata:",
        f"  name: {name}",
        f"  description: {json.dumps(template.title, ensure_ascii=False)}",
        "",
        "spec:",
        "  parties:",
        _value(4, "provider", filling.provider, "the provider's account, 0x…"),
        _value(4, "consumer", filling.consumer, "the consumer's account, 0x…"),
        "",
        "  settlement: # the network, the two contracts, and the money",
        _value(4, "chainId", filling.chain_id, "the chain's id, a number"),
        _value(4, "escrow", filling.escrow, "the address of the SLAEscrow contract, 0x…"),
        _value(4, "oracle", filling.oracle, "the address of the MonitoringOracle contract, 0x…"),
        _value(4, "token", filling.token, "the address of the token that is paid in, 0x…"),
        _value(4, "decimals", filling.decimals, "the decimals of the token, 6 for USDC"),
        "",
        "  money:",
        _value(4, "feePerWindow", filling.fee, 'what the consumer pays for a window, "100.00"'),
        "",
        "  term:",
        _value(4, "start", filling.start, "when the agreement begins, 2027-01-01T00:00:00Z"),
        f"    window: {template.window}",
        f"    windows: {filling.windows or template.windows}",
        "    prepaidWindows: 1",
        "",
        *_level(template, filling),
        "",
        f"  credits: {{combine: worst, cap: {template.cap}}}",
        "",
        "  # Intervals without an agreed reading. To have too many of them cost something: maxShare: 5%, credit: 10%",
        f"  unknown: {{countAs: {template.unknown}}}",
        "",
        "  # Makes ids and commitments unguessable; a fresh one for every agreement.",
        f'  salt: "{fresh_salt()}"',
    )
    if template.verified == "own":  # nobody's page stands behind it
        return
    yield from (
        "",
        "  legal: # the terms that this document follows; its hash, and so the version, is part of what both sign",
        f"    uri: {template.source}",
        f"    text: {json.dumps(_legal(template), ensure_ascii=False)}",
    )


def _legal(template: Template) -> str:
    version = "" if template.version == "unknown" else f", version of {template.version}"
    return f"{template.title}{version}"


def _level(template: Template, filling: Filling) -> Iterator[str]:
    yield "  levels:"
    yield (
        "    - name: availability" if "availability" in template.indicator else "    - name: uptime"
    )
    yield "      indicator:"
    for line in template.indicator.rstrip().splitlines():
        yield _filled(f"        {line}", template, filling)
    yield f"      objective: {template.objective}"
    if template.range:
        yield f"      range: {template.range} # the average of the window's values decides"
    yield f"      interval: {template.interval}"
    if template.not_applicable != "good":
        yield f"      notApplicable: {template.not_applicable} # intervals without anything to measure leave the denominator"
    yield from _reporters(template, filling)
    yield f"      settleDelay: {template.settle_delay} # metrics arrive late"
    yield "      reportEvery: 1h # how often all is well is reported; a breach is reported at once"
    yield "      reportDeadline: 1d # after this anyone may record what is missing as unknown"
    yield "      tiers:"
    for tier in template.tiers:
        yield f"        - {{{', '.join(f'{name}: {value}' for name, value in tier.items())}}}"


def _filled(line: str, template: Template, filling: Filling) -> str:
    """A line of the indicator with its parameter, or with a mark instead of its value."""
    found = _PARAMETER.search(line)
    if found is None:
        return line
    name = found[1]
    key, value = line.split(": ", 1)
    given = filling.parameters.get(name)
    if given is None:
        return f"{key}: # {MARK}: {template.parameters[name]}"
    if value.startswith("$"):
        return f"{key}: {value.replace(found[0], json.dumps(given, ensure_ascii=False))}"
    if not _PLAIN.fullmatch(given):
        raise ValueError(f'{name}="{given}" is no plain id')  # it stands within a longer text
    return f"{key}: {value.replace(found[0], given)}"


def _reporters(template: Template, filling: Filling) -> Iterator[str]:
    count = len(filling.reporters)
    yield "      reporters:"
    yield "        keys:"
    for reporter in filling.reporters:
        yield f"          - {json.dumps(reporter)}"
    if not count:
        yield f"          - # {MARK}: the account of the reporter that signs what was measured, 0x…"
    if template.probe and count < _USUAL_PANEL:
        yield "          # Two more reporters make a single one powerless. They may measure from outside; then quorum: 2"
        for _ in range(2):
            yield '          # - key: "0x…"'
            first, *rest = template.probe.rstrip().splitlines()
            yield "          #   dataSource:"
            for line in (first, *rest):
                yield f"          #     {line}"
    yield f"        quorum: {1 if count <= 1 else count // 2 + 1}"
    if template.range is None and "availability" in template.indicator:
        yield "        tolerance: 100% # reporters agree if they are on the same side of the objective"


def _value(indent: int, name: str, value: object, hint: str) -> str:
    start = f"{' ' * indent}{name}:"
    if value is None:
        return f"{start} # {MARK}: {hint}"
    # Times are read as texts either way, and look better without quotation marks.
    quoted = isinstance(value, str) and name != "start"
    return f"{start} {json.dumps(value) if quoted else value}"


def _comment(text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        " ".join(text.split()), _WIDTH, initial_indent="# ", subsequent_indent="# ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _point(text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        " ".join(text.split()), _WIDTH, initial_indent="#   - ", subsequent_indent="#     ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
