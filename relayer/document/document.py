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
from relayer.document import checks, levels, model, quantities
from relayer.document.findings import Findings
from relayer.errors import ConfigurationError
from relayer.openslo import catalogue, references
from relayer.openslo.catalogue import Catalogue
from relayer.openslo.refusals import Term
from relayer.openslo.translation import Translation, translate
from relayer.protocol.typed_data import Domain, digest, terms_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eth_typing import ChecksumAddress

    from oracles import Unit
    from relayer.document.sources import DataSource
    from relayer.protocol.feed import Feed
    from relayer.protocol.terms import Terms
    from relayer.yaml_lines import Location, Node


_NO_HASH = bytes(32)
"""Of a document with problems, which may be as large as it likes: it is refused, but its terms are still looked at."""


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

    :param content: What the file says, as JSON has it, with every reference to an OpenSLO object replaced by what it refers to.
    :param hash: keccak256 of the content in its canonical form (RFC 8785): ``document`` in the terms.
    :param notices: What is allowed and probably not meant, and what of OpenSLO objects does not matter here.
    :param files: All files that were read, ``path`` first.
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
    files: tuple[Path, ...] = ()

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
    """Reads and checks a document, and the OpenSLO files that it names.

    :param adapters: Whether every adapter that it names must be installed. Who only moves money needs none of them.
    :raises InvalidFile: With all that is wrong, at its lines.
    """
    tree, objects = catalogue.read(Path(path))
    return _document(tree, objects, adapters=adapters)


def document_of(tree: Node, file: Path, *, adapters: bool = True) -> Document:
    """The document that a YAML tree holds, which refers to nothing beside it.

    :param file: What messages call it.
    """
    return _document(tree, Catalogue(file, [file]), adapters=adapters)


def _document(tree: Node, objects: Catalogue, *, adapters: bool) -> Document:
    file = objects.file
    resolved = references.resolve(tree, objects)
    translation = translate(resolved, _term(tree))
    findings = Findings(translation.tree)
    findings.problems += objects.problems + resolved.problems + translation.problems
    parsed = _parsed(translation, findings, file, adapters=adapters)
    spec = parsed.spec
    checks.check_names(spec.levels, findings)
    frame = levels.Frame(
        spec.term,
        spec.salt,
        parties=(spec.parties.provider, spec.parties.consumer),
        bonded=checks.is_bonded(spec.money),
    )
    maybe_built = [
        levels.build_level(level, ("spec", "levels", number), frame, findings, adapters=adapters)
        for number, level in enumerate(spec.levels)
    ]
    content = resolved.tree.plain()
    document_hash = _NO_HASH if findings.problems else keccak(canonical(content))
    built = [level for level in maybe_built if level]
    terms = checks.build_terms(parsed, built, document_hash, findings)
    if terms is None or findings.problems or not isinstance(content, dict):
        raise yaml_lines.InvalidFile(file, findings.problems)
    chain = spec.settlement.chain_id
    pairs = list(zip(built, spec.levels, strict=True))
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
            for level, written in pairs
        ),
        domains=Domains(
            oracle=Domain(chain, spec.settlement.oracle),
            escrow=Domain(chain, spec.settlement.escrow),
        ),
        token_decimals=spec.settlement.decimals,
        notices=(
            *objects.notices(),
            *translation.notices,
            *checks.notices_of(terms),
            *(notice for level, written in pairs for notice in levels.notices_of(written, level)),
        ),
        files=tuple(objects.files),
    )


def _parsed(
    translation: Translation, findings: Findings, file: Path, *, adapters: bool
) -> model.DocumentModel:
    """The fields of a document. Raises InvalidFile if one has no value, or has not the shape that it must have."""
    tree = translation.tree
    empty = list(yaml_model.without_value(tree, free=_is_free))
    advice = {
        "salt": f'add a fresh one: salt: "{fresh_salt()}"',
        "indicator": "or write sloRef: the name of an OpenSLO SLO",
    }
    parsed, problems = yaml_model.check(model.DocumentModel, tree, advice=advice)
    if parsed is not None and not empty:
        return parsed
    known = {problem.path for problem in problems}
    problems += [problem for problem in empty if problem.path not in known]
    _check_what_stands_alone(tree, findings, adapters=adapters)
    problems = [problem for problem in problems if not translation.concerns(problem)]
    raise yaml_lines.InvalidFile(file, problems + findings.problems)


def _term(tree: Node) -> Term | None:
    term, _ = yaml_model.check(model.Term, tree, ("spec", "term"))
    return Term(term.start, term.window) if term else None


def _is_free(at: Location) -> bool:
    """Whether fields may be without a value: in specifications, which are the adapters' business; an SLO was looked at already."""
    return at[-2:] == ("dataSource", "spec") or at[3:4] == ("slo",)


def fresh_salt() -> str:
    """32 random bytes, as a document has them."""
    return f"0x{secrets.token_hex(32)}"


def _check_what_stands_alone(tree: Node, findings: Findings, *, adapters: bool) -> None:
    """Beside what is wrong with the shape: what else is wrong with those parts whose own shape is right."""
    term, _ = yaml_model.check(model.Term, tree, ("spec", "term"))
    money, _ = yaml_model.check(model.Money, tree, ("spec", "money"))
    frame = levels.Frame(term, bonded=money is None or checks.is_bonded(money))
    written = tree.get("spec", "levels")
    count = len(written.value) if written and isinstance(written.value, list) else 0
    for number in range(count):
        at: Location = ("spec", "levels", number)
        level, _ = yaml_model.check(model.LevelModel, tree, at)
        if level:
            levels.build_level(level, at, frame, findings, adapters=adapters)
