"""What a package proves, to anyone who holds the SLA document: nothing in the file is believed.

For each reading and each reporter who signed it:

=============  ===================================================================================
``signature``  a reporter of the panel signed the reading, and what the raw answers hash to
``evidence``   this raw answer is the one that was hashed
``reading``    the monitoring service's adapter makes the signed reading of this raw answer
``chain``      the signature was part of a report that the oracle accepted, and what was judged
=============  ===================================================================================

What is not signed is not looked at any further. Files may be hostile: each thing in one is hashed, read and searched once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from eth_hash.auto import keccak

from oracles import MissingExtra, MonitoringError, load
from relayer.bindings import Escrow
from relayer.document.quantities import show_in_unit
from relayer.errors import ChecksFailed, MakegoodError
from relayer.evidence.judged import Judgement, Record
from relayer.evidence.package import DIGEST_BYTES
from relayer.protocol import merkle
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE, READING_BYTES
from relayer.protocol.report import reporter_index
from relayer.protocol.typed_data import recover, root_message
from relayer.sources import code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oracles import AnyService, Query
    from relayer.chain import Chain
    from relayer.document import AgreedLevel, Document
    from relayer.evidence.package import Batch, Package
    from relayer.protocol.feed import Panel

CHECKS: Final = ("signature", "evidence", "reading", "chain")


class Status(Enum):
    HOLDS = "holds"
    FAILS = "fails"
    UNCHECKED = "not checked"


class Finding(NamedTuple):
    """What came of a check, and why."""

    status: Status
    said: str


_NOT_SIGNED: Final = Finding(Status.UNCHECKED, "the signature does not hold")


@dataclass(frozen=True)
class Verified:
    """A reading of one reporter.

    :param code: The signed reading.
    :param judged: What the oracle judged; None: not known.
    :param findings: By the names of :data:`CHECKS`.
    """

    interval: int
    reporter: str
    code: int
    judged: int | None
    findings: dict[str, Finding]

    @property
    def status(self) -> Status:
        """Fails as soon as one check does. That the chain was not asked, or has no judgement, leaves the rest as it is."""
        said = {finding.status for finding in self.findings.values()}
        if Status.FAILS in said:
            return Status.FAILS
        own = (self.findings[name].status for name in CHECKS if name != "chain")
        return Status.UNCHECKED if Status.UNCHECKED in own else Status.HOLDS


@dataclass(frozen=True)
class Verification:
    """What a package proves.

    :param readings: By interval and reporter.
    :param missing: How many of the intervals that the file is about have nothing to show.
    """

    readings: list[Verified]
    missing: int
    counts: Counter[Status] = field(init=False)

    def __post_init__(self) -> None:
        counts = Counter(reading.status for reading in self.readings)
        object.__setattr__(self, "counts", counts)

    @property
    def holds(self) -> bool:
        """Whether every reading that the file is about was shown, and holds."""
        return not self.missing and set(self.counts) == {Status.HOLDS}


def level_of(package: Package, document: Document) -> AgreedLevel:
    """The document's level that the package is about.

    :raises ChecksFailed: It is about something else.
    """
    expected: Iterable[tuple[str, object, object]] = (
        ("document", package.document, document.hash),
        ("agreement", package.agreement, document.agreement_id),
        ("chain", package.chain_id, document.chain_id),
        ("oracle", package.oracle, document.domains.oracle.contract),
    )
    for name, said, meant in expected:
        _compare(name, said, meant, document)
    for level in document.levels:
        if level.name == package.level:
            _compare("feed", package.feed, level.feed.id, document)
            return level
    known = ", ".join(level.name for level in document.levels)
    raise ChecksFailed(
        f"the evidence is about another service level: {package.level}, and {document.path} has {known}"
    )


def _compare(name: str, said: object, meant: object, document: Document) -> None:
    if said != meant:
        raise ChecksFailed(
            f"the evidence is about another {name}: {_shown(said)}, and {document.path} is about {_shown(meant)}",
            hint="take the document that both parties signed, unchanged",
        )


def verify(package: Package, document: Document, chain: Chain | None = None) -> Verification:
    """Check all that a package says.

    :param chain: None: what the chain says is not checked.
    :raises ChecksFailed: The package is about something else, or the chain does not know the agreement.
    :raises ChainUnavailable: The chain does not answer.
    """
    level = level_of(package, document)
    record = None
    judged: dict[int, Judgement] = {}
    if chain is not None:
        _check_agreement(document, chain)
        record = Record(chain, document.domains.oracle.contract, level.feed)
        judged = record.find(package.first, package.end)
    by_reading: dict[tuple[int, str], list[tuple[_Commitment, Finding]]] = {}
    numbers = {kept.interval for kept in package.readings}
    for batch in package.batches:
        finding = _signature(batch, document, level)
        commitment = _Commitment(batch)
        for number in range(batch.first, batch.end):
            if number in numbers:
                by_reading.setdefault((number, batch.reporter), []).append((commitment, finding))
    evidence = {kept.interval: kept.evidence.encode() for kept in package.readings}
    digest_of = {number: keccak(level.salt + raw) for number, raw in evidence.items()}
    shown_at = {digest: number for number, digest in digest_of.items()}
    adapters = _Adapters(level)
    readings = []
    for (number, reporter), signed in sorted(by_reading.items(), key=lambda item: item[0]):
        chosen, signature = next(
            (one for one in signed if one[1].status is not Status.HOLDS), signed[-1]
        )
        sound = [each for each, finding in signed if finding.status is Status.HOLDS]
        findings = {"signature": signature, **dict.fromkeys(CHECKS[1:], _NOT_SIGNED)}
        if sound:
            batches = [each.batch for each in sound]
            codes = {batch.code(number) for batch in batches}
            findings |= {
                "evidence": _worst(
                    [each.finding(number, digest_of[number], shown_at) for each in sound]
                ),
                "reading": _worst(adapters.findings(reporter, number, evidence[number], codes)),
                "chain": _chain(record, judged.get(number), level, batches),
            }
        code = judged[number].code if number in judged else None
        readings.append(Verified(number, reporter, chosen.batch.code(number), code, findings))
    readings += [
        _unsigned(number) for number in sorted(numbers - {number for number, _ in by_reading})
    ]
    return Verification(readings, package.end - package.first - len(numbers))


def _check_agreement(document: Document, chain: Chain) -> None:
    if chain.chain_id != document.chain_id:
        raise ChecksFailed(
            f"{document.path} is for chain {document.chain_id}, but {chain.host} serves chain {chain.chain_id}",
            hint="name an RPC endpoint of the right chain, or leave the chain out with --offline",
        )
    with chain.errors():
        status = Escrow(chain.w3, document.domains.escrow.contract).status(document.agreement_id)
    if status == "none":
        raise ChecksFailed(
            f"the escrow knows no agreement 0x{document.agreement_id.hex()}: {document.path} was never opened there, "
            "or was changed afterwards",
            hint="take the document that both parties signed, unchanged",
        )


def _signature(batch: Batch, document: Document, level: AgreedLevel) -> Finding:
    """Who signed these readings together with these hashes."""
    panel = level.feed.panel
    if problem := _shape(batch, panel):
        return Finding(Status.FAILS, problem)
    if _climb(keccak(batch.digests), batch.evidence_proof) != batch.evidence:
        said = "the hashes do not lead to what was signed: a hash or a step of the proof was changed, or left out"
        return Finding(Status.FAILS, said)
    root = _climb(merkle.leaf(level.feed.id, batch.first, batch.readings), batch.proof)
    signer = recover(
        root_message(document.domains.oracle, root, batch.evidence), bytes(batch.signature)
    )
    if signer == batch.reporter:
        return Finding(Status.HOLDS, f"signed by {signer}")
    if signer in panel.reporters:
        return Finding(Status.FAILS, f"signed by {signer}, not by {batch.reporter}")
    said = f"not signed by {batch.reporter}: a reading, a proof or the signature was changed"
    return Finding(Status.FAILS, said)


def _shape(batch: Batch, panel: Panel) -> str | None:
    """What is wrong with a batch before anything is hashed."""
    if reporter_index(panel, batch.reporter) is None:
        return f"{batch.reporter} is no reporter of this service level"
    count = len(batch.readings) // READING_BYTES
    if len(batch.digests) != count * DIGEST_BYTES:
        return f"{count} readings, but {len(batch.digests) // DIGEST_BYTES} hashes of evidence"
    if len(batch.proof) != len(batch.evidence_proof):
        return (
            f"a proof is missing: that of the readings has {len(batch.proof)} steps, that of the evidence "
            f"{len(batch.evidence_proof)}, and they must have as many"
        )
    return None


class _Commitment:
    """The hashes of raw answers that a batch's signature covers."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    @cached_property
    def _numbers(self) -> dict[bytes, int]:
        """The interval of each hash; the first, if there are several."""
        batch = self.batch
        return {batch.digest(number): number for number in reversed(range(batch.first, batch.end))}

    def finding(self, number: int, digest: bytes, shown_at: dict[bytes, int]) -> Finding:
        """Whether this raw answer is the one whose hash was signed.

        :param digest: Of the raw answer.
        :param shown_at: By the hashes of all raw answers in the file: the interval of each.
        """
        committed = self.batch.digest(number)
        if digest == committed:
            return Finding(Status.HOLDS, "the raw answer is the one that was signed")
        if committed == bytes(DIGEST_BYTES):
            return Finding(Status.FAILS, "the reporter signed this reading without any evidence")
        other = self._numbers.get(digest, shown_at.get(committed))
        if other is not None:
            said = f"the raw answer was exchanged with that of interval {other}"
            return Finding(Status.FAILS, said)
        said = "the raw answer is not the one that was signed: it was changed"
        return Finding(Status.FAILS, said)


class _Adapters:
    """What the adapters make of raw answers. They need neither credentials nor a connection for it."""

    def __init__(self, level: AgreedLevel) -> None:
        self._level = level
        self._asked: dict[str, tuple[type[AnyService], Query[Any]]] = {}

    def findings(
        self, reporter: str, number: int, evidence: bytes, signed: Iterable[int]
    ) -> list[Finding]:
        """What is read from a raw answer, compared with each reading that the reporter signed."""
        try:
            service, query = self._question(reporter)
            code = code_of(service.reread(query, query.interval(number), evidence))
        except MissingExtra as error:
            return [Finding(Status.UNCHECKED, f"not re-computed: {error}")]
        except (MonitoringError, MakegoodError) as error:
            return [Finding(Status.FAILS, str(error))]
        except Exception as error:  # noqa: BLE001 - a stranger's file must not end the verification
            said = f"the adapter cannot make anything of the raw answer ({type(error).__name__})"
            return [Finding(Status.FAILS, said)]
        said = f"{service.name} reads {show(code, self._level)} from it"
        return [
            Finding(Status.HOLDS, said)
            if code == each
            else Finding(Status.FAILS, f"{said}, but {show(each, self._level)} was signed")
            for each in sorted(signed)
        ]

    def _question(self, reporter: str) -> tuple[type[AnyService], Query[Any]]:
        if reporter not in self._asked:
            measurement = self._level.feed.measurement
            source = self._level.source_for(reporter)
            service = load(source.type)
            query = service.query(
                source.spec,
                self._level.metric,
                first=measurement.start,
                length=measurement.interval,
            )
            self._asked[reporter] = (service, query)
        return self._asked[reporter]


def _chain(
    record: Record | None, judgement: Judgement | None, level: AgreedLevel, batches: Sequence[Batch]
) -> Finding:
    if record is None:
        return Finding(Status.UNCHECKED, "the chain was not asked")
    if judgement is None:
        return Finding(Status.UNCHECKED, "the oracle has not judged this interval")
    if not judgement.heard:
        return Finding(Status.UNCHECKED, "nobody reported it in time: recorded as unknown")
    judged = f"judged {show(judgement.code, level)}"
    index = reporter_index(level.feed.panel, batches[0].reporter)
    transaction = f"0x{judgement.transaction.hex()}"
    if index is None or not judgement.heard >> index & 1:
        said = f"{judged} by the signatures of others, in transaction {transaction}"
        return Finding(Status.UNCHECKED, said)
    if any(record.carries(judgement, batch, index) for batch in batches):
        return Finding(Status.HOLDS, f"{judged} with this signature, in transaction {transaction}")
    said = f"{judged} with another signature of the reporter, in transaction {transaction}"
    return Finding(Status.UNCHECKED, said)


def _unsigned(number: int) -> Verified:
    fails = Finding(Status.FAILS, "no signature in the file covers this interval")
    nothing = Finding(Status.UNCHECKED, "there is nothing to compare with")
    return Verified(
        number,
        "nobody",
        NO_DATA,
        None,
        {"signature": fails, "evidence": nothing, "reading": nothing, "chain": nothing},
    )


def _worst(findings: Sequence[Finding]) -> Finding:
    order = (Status.FAILS, Status.UNCHECKED, Status.HOLDS)
    return min(findings, key=lambda finding: order.index(finding.status))


def _climb(leaf: bytes, proof: Iterable[bytes]) -> bytes:
    """The root to which a proof leads, as OpenZeppelin's ``MerkleProof`` computes it."""
    node = leaf
    for other in proof:
        node = keccak(min(node, other) + max(node, other))
    return node


def show(code: int, level: AgreedLevel) -> str:
    """A reading in words."""
    if code == NO_DATA:
        return "no data"
    if code == NOT_APPLICABLE:
        return "not applicable"
    return show_in_unit(code, level.unit)


def _shown(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
