"""All OpenSLO objects of an SLA document: those beside it in its file, and those of the files and folders that it names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from relayer import yaml_lines, yaml_model
from relayer.errors import ConfigurationError
from relayer.names import nearest
from relayer.openslo import model, rules
from relayer.yaml_lines import InvalidFile, Node, Origin, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.yaml_lines import Location

MAX_FILES = 200
SUFFIXES = (".yaml", ".yml", ".json")
OURS = "makegood/"
_FAMILY = "openslo"
_ELSEWHERE = "openslo/v1 is read here (v1alpha has no SLI, v2alpha no calendar month)"


@dataclass(slots=True)
class Catalogue:
    """OpenSLO objects by kind and name.

    :param file: The file of the SLA document.
    :param files: All files that were read, that one first.
    """

    file: Path
    files: list[Path] = field(default_factory=list)
    objects: dict[tuple[str, str], Node] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def find(self, kind: str, name: str) -> Node | None:
        return self.objects.get((kind, name))

    def lack(self, kind: str, name: str) -> str:
        """That there is no such object, where it was looked for, and what may have been meant."""
        searched = ", ".join(str(file) for file in self.files)
        known = [known for of, known in self.objects if of == kind]
        return f'found "{name}"; there is no such {kind} in {searched}; {nearest(name, known)}'

    def place(self, node: Node) -> str:
        """Where an object stands: ``slos.yaml:12``."""
        file = (node.origin.file if node.origin else None) or self.file
        return f"{file}:{node.line}"

    def notices(self) -> list[str]:
        """What of the objects is no part of the agreement."""
        alerts = [name for kind, name in self.objects if kind.startswith("Alert")]
        sources = [name for kind, name in self.objects if kind == "DataSource"]
        told: list[str] = []
        if alerts:
            told.append(
                f"{', '.join(alerts)}: alerts are ignored: an agreement pays, it calls nobody"
            )
        if sources:
            told.append(
                f"{', '.join(sources)}: how a data source is reached is no part of the agreement: each relayer has its own options"
            )
        return told

    def add(self, node: Node, file: Path | None) -> None:
        """Takes in an object and checks it.

        :param file: None for the SLA document's own file.
        """
        kind, name = node.text("kind"), node.text("metadata", "name")
        node = replace(node, origin=Origin(file, " ".join(part for part in (kind, name) if part)))
        problem = _foreign(node)
        self.problems += [problem] if problem else _faults(node, model.KINDS[str(kind)])
        if problem or name is None or kind is None:
            return
        earlier = self.objects.setdefault((kind, name), node)
        if earlier is not node:
            message = f'there is a {kind} "{name}" in {self.place(earlier)} already'
            self.problems.append(node.problem(("metadata", "name"), message))


def read(file: Path) -> tuple[Node, Catalogue]:
    """The SLA document of a file, and the OpenSLO objects that belong to it.

    Raises ConfigurationError if the file cannot be read, InvalidFile if it is not YAML or holds no SLA document or several.
    """
    roots = yaml_lines.load_all(file)
    catalogue = Catalogue(file, [file])
    slas: list[Node] = []
    for root in roots:
        objects = _objects(root)
        if objects is None:
            slas.append(root)
            continue
        for node in objects:
            catalogue.add(node, None)
    if len(slas) > 1:
        message = f"a file holds one SLA document; there is one in line {slas[0].line} already"
        raise InvalidFile(file, [sla.problem((), message) for sla in slas[1:]])
    if not slas and roots:
        raise InvalidFile(
            file, [roots[0].problem((), "the file holds OpenSLO objects, but no SLA")]
        )
    sla = slas[0] if slas else Node(1, 1, None)
    named = sla.get("spec", "openslo")
    if named is not None and not isinstance(named.value, list):
        message = f"{yaml_model.found(named.plain())}; expected a list of files and folders"
        catalogue.problems.append(sla.problem(("spec", "openslo"), message))
    for number, entry in enumerate(named.items() if named else []):
        _read_entry(sla, ("spec", "openslo", number), entry, catalogue)
    return sla, catalogue


def _objects(root: Node) -> list[Node] | None:
    """The OpenSLO objects of a YAML document: itself, or those of its list. None if it is something else."""
    nodes = root.items() or [root]
    versions = [node.text("apiVersion") or "" for node in nodes]
    return nodes if any(version.startswith(_FAMILY) for version in versions) else None


def _read_entry(sla: Node, at: Location, entry: Node, catalogue: Catalogue) -> None:
    """Reads a file or folder that the SLA document names."""

    def refuse(message: str) -> None:
        shown = f'found "{entry.value}"; ' if isinstance(entry.value, str) else ""
        catalogue.problems.append(sla.problem(at, shown + message))

    if not isinstance(entry.value, str) or not entry.value:
        refuse("write the name of a file or folder: slos.yaml, services/")
        return
    # A document comes from the other party: it must not make us read, and repeat in messages, what is none of its business.
    written, folder = PurePosixPath(entry.value), catalogue.file.parent
    path = folder / written
    if written.is_absolute() or not _is_below(path, folder):
        refuse(f"write a path below {folder}, the folder of the SLA document")
    elif path.is_dir():
        if problem := _read_folder(path, catalogue):
            refuse(problem)
    elif not path.is_file():
        near = nearest(path.name, [one.name for one in _siblings(path)])
        refuse(f"there is no such file or folder; {near}")
    elif path.resolve() != catalogue.file.resolve():
        _read_file(path, catalogue, refuse_others=True)
    if len(catalogue.files) > MAX_FILES:
        raise InvalidFile(catalogue.file, [sla.problem(at, f"more than {MAX_FILES} files")])


def _read_folder(path: Path, catalogue: Catalogue) -> str | None:
    """Reads the files of a folder. Returns why none was read."""
    files = [one for one in sorted(path.iterdir()) if _counts(one, catalogue.file)]
    folder = catalogue.file.parent
    for one in files:
        if not _is_below(one, folder):
            return f"{one.name} in it is a link to a place outside of {folder}: remove it"
    for one in files:
        _read_file(one, catalogue, refuse_others=False)
    return None if files else f"the folder holds no {', '.join(SUFFIXES)} file"


def _is_below(path: Path, folder: Path) -> bool:
    """Whether a path leads to a place in a folder, after all symbolic links."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, a null byte
        return False


def _siblings(path: Path) -> list[Path]:
    folder = path.parent
    return (
        [one for one in sorted(folder.iterdir()) if one.suffix in SUFFIXES]
        if folder.is_dir()
        else []
    )


def _counts(path: Path, sla: Path) -> bool:
    """Whether a file of a folder may hold OpenSLO objects: it is neither the SLA document nor its signatures."""
    usable = path.suffix in SUFFIXES and not path.name.endswith(".signatures.json")
    return usable and path.is_file() and path.resolve() != sla.resolve()


def _read_file(file: Path, catalogue: Catalogue, *, refuse_others: bool) -> None:
    """:param refuse_others: Whether an SLA document in it is a mistake; in a folder it is somebody else's."""
    if file in catalogue.files or len(catalogue.files) > MAX_FILES:
        return
    catalogue.files.append(file)
    try:
        roots = yaml_lines.load_all(file)
    except InvalidFile as error:
        catalogue.problems += [replace(problem, file=file) for problem in error.problems]
        return
    except ConfigurationError as error:
        catalogue.problems.append(Problem(1, 1, "", error.message, file))
        return
    for root in roots:
        for node in root.items() if isinstance(root.value, list) else [root]:
            ours = (node.text("apiVersion") or "").startswith(OURS)
            if ours and not refuse_others:
                continue
            catalogue.add(node, file)


def _foreign(node: Node) -> Problem | None:
    """Why something is no object of OpenSLO v1 at all."""
    if not isinstance(node.value, dict):
        return node.problem((), f"{yaml_model.found(node.plain())}; expected an OpenSLO object")
    version, kind = node.get("apiVersion"), node.get("kind")
    if version is None or kind is None:
        return node.problem(("kind" if version else "apiVersion",), "is missing")
    if version.value != model.API_VERSION:
        shown = yaml_model.found(version.value)
        return node.problem(("apiVersion",), f"{shown}; {_ELSEWHERE}")
    if kind.value not in model.KINDS:
        known = nearest(str(kind.value), model.KINDS)
        return node.problem(("kind",), f"{yaml_model.found(kind.plain())}; {known}")
    return None


def _faults(
    node: Node, kind: type[model.DataSource | model.Service | model.SLI | model.SLO | model.Ignored]
) -> list[Problem]:
    return list(faults_of(node, (), kind))


def faults_of(
    tree: Node,
    at: Location,
    kind: type[model.DataSource | model.Service | model.SLI | model.SLO | model.Ignored],
) -> Iterator[Problem]:
    """What is wrong with the object at a location: with its shape, or, if that is right, with what its fields mean together."""

    def free(location: Location) -> bool:
        inside = location[len(at) :]
        return (
            inside[-2:] == ("metricSource", "spec")
            or inside[:2] in (("spec", "connectionDetails"), ("spec", "alertPolicies"))
            or (kind is model.Ignored and inside[:1] == ("spec",))
        )

    found, problems = yaml_model.check(kind, tree, at)
    empty = list(yaml_model.without_value(tree, at, free=free))
    told = {problem.path for problem in empty}
    yield from empty
    yield from (problem for problem in problems if problem.path not in told)
    if found is not None:
        for location, message in rules.broken(found):
            yield tree.problem((*at, *location), message)
