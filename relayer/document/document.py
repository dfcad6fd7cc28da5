"""An SLA document as read from its file: terms for the contracts, feeds for the relayer, words for people."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eth_utils.crypto import keccak

from oracles import canonical
from relayer import yaml_lines, yaml_model
from relayer.document import checks, model, quantities
from relayer.errors import ConfigurationError
from relayer.protocol.typed_data import Domain, digest, terms_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eth_typing import ChecksumAddress

    from oracles import Unit
    from relayer.document.sources import DataSource
    from relayer.protocol.feed import Feed
    from relayer.protocol.terms import Terms
    from relayer.yaml_lines import Location, Node, Problem


class Domains(NamedTuple):
    """The two contracts that signatures under and below this agreement are made for."""

    oracle: Domain
    escrow: Domain


@dataclass(frozen=True, slots=True)
class AgreedLevel:
    """A service level of a document.

    :param metric: Name of the metric, known to every reporter's adapter.
    :param unit: What one step of a reading means.
    :param salt: Hides from everybody else what the feed's commitments are about.
    :param private: Only reporters and parties may read what was signed before it is on the chain.
    """

    name: str
    feed: Feed
    metric: str
    unit: Unit
    sources: Mapping[ChecksumAddress, DataSource]
    salt: bytes
    private: bool = False

    def source_for(self, reporter: str) -> DataSource:
        """What this reporter reads. Raises :class:`ConfigurationError` if it is not in the panel."""
        for key, source in self.sources.items():
            if key.lower() == reporter.lower():
                return source
        raise ConfigurationError(
            f"{reporter} is not a reporter of {self.name}",
            hint=f"its reporters are {', '.join(self.feed.panel.reporters)}",
        )


@dataclass(frozen=True)
class Document:
    """A valid SLA document.

    :param content: What the file says, as JSON has it.
    :param hash: keccak256 of the content in its canonical form (RFC 8785): ``document`` in the terms.
    :param notices: What is allowed and probably not meant.
    """

    name: str
    path: Path
    content: Mapping[str, Any]
    hash: bytes
    terms: Terms
    levels: tuple[AgreedLevel, ...]
    domains: Domains
    token_decimals: int
    notices: tuple[str, ...] = ()

    @property
    def chain_id(self) -> int:
        return self.domains.escrow.chain_id

    @cached_property
    def agreement_id(self) -> bytes:
        """The digest that both parties sign."""
        return digest(terms_message(self.domains.escrow, self.terms))

    def amount(self, units: int) -> str:
        """An amount of the token in words: "100.00"."""
        return quantities.show_amount(units, self.token_decimals)


def load_document(path: Path | str, *, adapters: bool = True) -> Document:
    """Reads and checks a document.

    :param adapters: Whether every adapter that it names must be installed. Who only moves money needs none of them.
    :raises InvalidFile: With all that is wrong, at its lines.
    """
    file = Path(path)
    tree = yaml_lines.load(file)
    return document_of(tree, file, adapters=adapters)


def document_of(tree: Node, file: Path, *, adapters: bool = True) -> Document:
    """The document that a YAML tree holds."""
    empty = list(_empty(tree, ()))
    parsed, problems = yaml_model.check(
        model.DocumentModel, tree, advice={"salt": f'add a fresh one: salt: "{fresh_salt()}"'}
    )
    findings = checks.Findings(tree)
    if parsed is None or empty:
        known = {problem.path for problem in problems}
        problems += [problem for problem in empty if problem.path not in known]
        _check_what_stands_alone(tree, findings, adapters=adapters)
        raise yaml_lines.InvalidFile(file, problems + findings.problems)
    spec = parsed.spec
    checks.check_names(spec.levels, findings)
    levels = [
        checks.build_level(
            level, ("spec", "levels", number), spec.term, spec.salt, findings, adapters=adapters
        )
        for number, level in enumerate(spec.levels)
    ]
    content = tree.plain()
    document_hash = keccak(canonical(content))
    built = [level for level in levels if level]
    terms = checks.build_terms(parsed, built, document_hash, findings)
    if terms is None or findings.problems or not isinstance(content, dict):
        raise yaml_lines.InvalidFile(file, findings.problems)
    chain = spec.settlement.chain_id
    return Document(
        name=parsed.metadata.name,
        path=file,
        content=content,
        hash=document_hash,
        terms=terms,
        levels=tuple(
            AgreedLevel(
                level.name,
                level.feed,
                level.metric.name,
                level.metric.unit,
                level.sources,
                level.salt,
                private=written.readings == "private",
            )
            for level, written in zip(built, spec.levels, strict=True)
        ),
        domains=Domains(
            oracle=Domain(chain, spec.settlement.oracle),
            escrow=Domain(chain, spec.settlement.escrow),
        ),
        token_decimals=spec.settlement.decimals,
        notices=tuple(
            notice
            for level, written in zip(built, spec.levels, strict=True)
            for notice in checks.notices_of(written, level.metric)
        ),
    )


def fresh_salt() -> str:
    """32 random bytes, as a document has them."""
    return f"0x{secrets.token_hex(32)}"


def _check_what_stands_alone(tree: Node, findings: checks.Findings, *, adapters: bool) -> None:
    """Beside what is wrong with the shape: what else is wrong with those parts whose own shape is right."""
    term, _ = yaml_model.check(model.Term, tree, ("spec", "term"))
    levels = tree.get("spec", "levels")
    count = len(levels.value) if levels and isinstance(levels.value, list) else 0
    for number in range(count):
        at: Location = ("spec", "levels", number)
        level, _ = yaml_model.check(model.LevelModel, tree, at)
        if level:
            checks.build_level(level, at, term, b"", findings, adapters=adapters)


def _empty(node: Node, at: Location) -> Iterator[Problem]:
    """Fields without a value. Data sources may have them: their specifications are the adapters' business."""
    if at[-2:] == ("dataSource", "spec"):
        return
    children: list[tuple[str | int, Node]] = []
    if isinstance(node.value, dict):
        children = list(node.value.items())
    elif isinstance(node.value, list):
        children = list(enumerate(node.value))
    for part, child in children:
        if child.value is None:
            place: Location = (part,)
            problem = node.problem(place, "has no value: write one, or leave the field out")
            yield yaml_lines.Problem(
                problem.line, problem.column, yaml_lines.dotted((*at, part)), problem.message
            )
        else:
            yield from _empty(child, (*at, part))
