"""YAML read strictly, with the line of every value: what SLA documents and configuration files have in common.

Less than YAML, so that a text means one thing only:

- The words of YAML 1.2: ``true``, ``false``, ``null`` and whole decimal numbers without leading zeros. Everything else is
  text, also ``yes``, ``12:30:00``, ``2027-01-01T00:00:00Z``, ``0xAB`` and ``99.95``: a number with a point stays exactly as
  it was written.
- A key stands once in its mapping. One document per file, unless several are asked for; no tags, no directives.
- Anchors and aliases are allowed as long as the whole stays below :data:`MAX_NODES` values and :data:`MAX_TEXT` bytes of text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml import error as yaml_error
from ruamel.yaml import events as yaml_events
from ruamel.yaml.reader import ReaderError

from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MAX_BYTES = 1 << 20
MAX_NODES = 20_000
MAX_TEXT = 4 << 20
"""Most bytes of all keys and values, those of an alias counted each time: what is hashed is as large."""
MAX_DEPTH = 32
MAX_INTEGER = (1 << 53) - 1
"""The largest whole number that every reader of JSON holds exactly."""

_T = TypeVar("_T")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_WORDS = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

Location: TypeAlias = tuple[str | int, ...]
"""Where a value is: keys and, in lists, numbers from 0."""


def dotted(location: Location) -> str:
    """A location as people write it: ``spec.levels[0].objective``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]"
    return text


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place of a file. Lines and columns count from 1.

    :param path: The field, as people write it.
    :param file: Where the place is, if not in the file that was asked for.
    """

    line: int
    column: int
    path: str
    message: str
    file: Path | None = None

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message}"

    def as_json(self, file: Path) -> dict[str, str | int]:
        return {
            "file": str(self.file or file),
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "message": self.message,
        }


class InvalidFile(ConfigurationError):
    """A file with problems: all of them, in the order of its lines; after them those of the files that it names."""

    def __init__(self, file: Path, problems: Iterable[Problem], *, hint: str | None = None) -> None:
        def order(problem: Problem) -> tuple[bool, str, int, int, str, str]:
            elsewhere = problem.file is not None and problem.file != file
            place = str(problem.file) if elsewhere else ""
            return (elsewhere, place, problem.line, problem.column, problem.path, problem.message)

        self.file = file
        self.problems = tuple(sorted(set(problems), key=order))
        lines = [f"{p.file or file}:{p.line}:{p.column}: {p}" for p in self.problems]
        count = len(lines)
        head = [] if count == 1 else [f"{file} has {count} problems:"]
        super().__init__("\n".join(head + lines), hint=hint)


Plain: TypeAlias = "str | int | bool | list[Any] | dict[str, Any] | None"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stood before it was put into another tree.

    :param file: None for the file that was asked for.
    :param name: What people call the document or object of that file that ``at`` is counted from.
    """

    file: Path | None = None
    name: str = ""
    at: Location = ()

    def path(self, inside: Location = ()) -> str:
        """A location below it, as people write it."""
        return " ".join(part for part in (self.name, dotted((*self.at, *inside))) if part)


@dataclass(slots=True)
class Node:
    """A value and where it stands. ``keys`` holds, for mappings, the place of each key.

    ``origin`` is set where a tree begins that was read elsewhere: problems in it are told at their own places.
    """

    line: int
    column: int
    value: str | int | bool | list[Node] | dict[str, Node] | None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    origin: Origin | None = None

    def plain(self) -> Plain:
        """The value as JSON has it."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def get(self, *location: str | int) -> Node | None:
        """The node at a location; None if there is none."""
        node: Node | None = self
        for part in location:
            node = _below(node, part) if node else None
        return node

    def items(self) -> list[Node]:
        """The items of a list; none if it is no list."""
        return list(self.value) if isinstance(self.value, list) else []

    def text(self, *location: str | int) -> str | None:
        """The text at a location; None if there is none."""
        node = self.get(*location)
        return node.value if node and isinstance(node.value, str) else None

    def problem(self, location: Location, message: str, *, at_key: bool = False) -> Problem:
        """A problem at a location, or at the nearest place above it that exists."""
        node = self
        place = (self.line, self.column)
        for part in location:
            below = node.get(part)
            if below is None:
                break
            key = node.keys.get(part) if isinstance(part, str) else None
            place = key if key and (at_key or part != location[-1]) else (below.line, below.column)
            node = below
        origin = self.origin_of(location)
        return Problem(*place, origin.path(), message, origin.file)

    def origin_of(self, location: Location) -> Origin:
        """Where the value at a location of this tree was written."""
        node: Node | None = self
        origin, inside = self.origin or Origin(), location
        for depth, part in enumerate(location, 1):
            node = _below(node, part) if node else None
            if node and node.origin:
                origin, inside = node.origin, location[depth:]
        return Origin(origin.file, origin.name, (*origin.at, *inside))

    def transplant(self, *location: str | int) -> Node:
        """The value at a location that exists, to be put into another tree."""
        node = self.get(*location)
        if node is None:
            raise KeyError(dotted(location))
        origin = self.origin_of(location)
        return Node(node.line, node.column, node.value, node.keys, origin)

    def rewritten(self, value: str | int | dict[str, Node], *location: str | int) -> Node:
        """Another value that follows from the one at a location, and is wrong where that one is."""
        node = self.transplant(*location)
        return Node(node.line, node.column, value, {}, node.origin)

    def replaced(self, location: Location, new: Node | None) -> Node:
        """A copy with another value at a location in mappings; None takes the field out. The places of the rest stay."""
        part, *rest = location
        mapping = dict(self.value) if isinstance(self.value, dict) else {}
        inner = mapping.pop(str(part), None)
        if rest and inner is not None:
            new = inner.replaced(tuple(rest), new)
        if new is not None:
            mapping[str(part)] = new
        # The key of a value from elsewhere is elsewhere, too.
        keys = {key: at for key, at in self.keys.items() if key in mapping and key != part}
        if rest and part in self.keys:
            keys[str(part)] = self.keys[str(part)]
        return Node(self.line, self.column, mapping, keys, self.origin)


def _below(node: Node, part: str | int) -> Node | None:
    inner = node.value
    if isinstance(inner, dict):
        return inner.get(part) if isinstance(part, str) else None
    if isinstance(inner, list) and isinstance(part, int) and part < len(inner):
        return inner[part]
    return None


def parse(text: str, file: Path) -> Node:
    """The root of a YAML text; without any content its value is None. Raises :class:`InvalidFile`."""
    return _composed(text, file, _Composer.document)


def parse_all(text: str, file: Path) -> list[Node]:
    """The roots of all documents of a YAML text that have content. Raises :class:`InvalidFile`."""
    return _composed(text, file, _Composer.documents)


def load(file: Path) -> Node:
    """The root of a YAML file. Raises :class:`ConfigurationError` if it cannot be read, :class:`InvalidFile` if it is wrong."""
    return parse(_text_of(file), file)


def load_all(file: Path) -> list[Node]:
    """The roots of all documents of a YAML file, as :func:`load` reads one."""
    return parse_all(_text_of(file), file)


def _composed(text: str, file: Path, build: Callable[[_Composer], _T]) -> _T:
    """What is built of the parser's events; what is refused, as a problem of the file."""
    try:
        return build(_Composer(YAML(typ="safe", pure=True).parse(text)))
    except _Refused as refused:
        raise InvalidFile(file, [refused.problem]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{error.character:04X} is not allowed in YAML"
        raise InvalidFile(file, [Problem(line, 1, "", message)]) from None
    except yaml_error.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        context = f" ({error.context})" if error.context else ""
        message = f"this is not YAML: {error.problem}{context}"
        raise InvalidFile(file, [Problem(line, column, "", message)]) from None


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"{file} is larger than {MAX_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidFile(file, [Problem(line, 1, "", "this is not UTF-8 text")]) from None


class _Refused(Exception):
    def __init__(self, mark: Any, location: Location, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(mark.line + 1, mark.column + 1, dotted(location), message)


class _Composer:
    """Builds the tree from the parser's events, one by one, so that bounds hold while it grows."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._count = 0
        self._size = 0

    def document(self) -> Node:
        """The only document."""
        next(self._events)  # the start of the stream
        root = self._next_document()
        if root is None:
            return Node(1, 1, None)
        after = next(self._events)
        if not isinstance(after, yaml_events.StreamEndEvent):
            raise _Refused(after.start_mark, (), "a file holds one document, this is a second one")
        return root

    def documents(self) -> list[Node]:
        """All documents that have content."""
        next(self._events)  # the start of the stream
        roots: list[Node] = []
        while (root := self._next_document()) is not None:
            if root.value is not None:
                roots.append(root)
        return roots

    def _next_document(self) -> Node | None:
        start = next(self._events)
        if isinstance(start, yaml_events.StreamEndEvent):
            return None
        if getattr(start, "version", None) or getattr(start, "tags", None):
            raise _Refused(start.start_mark, (), "directives (%YAML, %TAG) are not allowed")
        self._anchors = {}
        root = self._node(next(self._events), ())
        next(self._events)  # the end of the document
        return root

    def _node(self, event: Any, location: Location) -> Node:
        mark = event.start_mark
        if len(location) > MAX_DEPTH:
            raise _Refused(mark, (), f"values are nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml_events.AliasEvent):
            if event.anchor not in self._anchors:
                message = f"the anchor &{event.anchor} is not complete or does not stand above"
                raise _Refused(mark, location, message)
            node, count, size = self._anchors[event.anchor]
            self._add(mark, location, count=count, size=size)
            return Node(mark.line + 1, mark.column + 1, node.value, node.keys)
        count, size = self._count, self._size
        self._add(mark, location, count=1)
        if event.tag is not None:
            raise _Refused(mark, location, f"tags such as {event.tag} are not allowed")
        node = Node(mark.line + 1, mark.column + 1, None)
        if isinstance(event, yaml_events.ScalarEvent):
            node.value = self._scalar(event, location)
        elif isinstance(event, yaml_events.SequenceStartEvent):
            node.value = self._list(location)
        else:
            node.value = self._mapping(node.keys, location)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._count - count, self._size - size)
        return node

    def _add(self, mark: Any, location: Location, *, count: int = 0, size: int = 0) -> None:
        """Takes in so many values, and bytes of text."""
        self._count += count
        self._size += size
        if self._count > MAX_NODES:
            message = f"the file has more than {MAX_NODES} values, aliases included"
            raise _Refused(mark, (), message)
        if self._size > MAX_TEXT:
            message = (
                f"the file has more than {MAX_TEXT >> 20} MiB of text, what aliases repeat included"
            )
            raise _Refused(mark, location, message)

    def _list(self, location: Location) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml_events.SequenceEndEvent):
            items.append(self._node(event, (*location, len(items))))
        return items

    def _mapping(self, keys: dict[str, tuple[int, int]], location: Location) -> dict[str, Node]:
        items: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml_events.MappingEndEvent):
            mark = event.start_mark
            if not isinstance(event, yaml_events.ScalarEvent) or event.tag or event.anchor:
                raise _Refused(mark, location, "a key must be a plain word or a text")
            key = self._text(event, location)
            if key in keys:
                message = f"this key stands in line {keys[key][0]} already"
                raise _Refused(mark, (*location, key), message)
            keys[key] = (mark.line + 1, mark.column + 1)
            value = next(self._events)
            items[key] = self._node(value, (*location, key))
            if (
                isinstance(value, yaml_events.ScalarEvent)
                and value.start_mark.index == value.end_mark.index
            ):
                # Nothing stands there, and the mark is that of the next word.
                items[key].line, items[key].column = keys[key]
        return items

    def _scalar(self, event: Any, location: Location) -> str | int | bool | None:
        text = self._text(event, location)
        if event.style is not None:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if not _INTEGER.fullmatch(text):
            return text
        if len(text) > len(str(MAX_INTEGER)) + 1 or abs(int(text)) > MAX_INTEGER:
            message = f"the number is larger than {MAX_INTEGER}: write it as text, in quotes"
            raise _Refused(event.start_mark, location, message)
        return int(text)

    def _text(self, event: Any, location: Location) -> str:
        text: str = event.value
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            message = (
                "the text holds half a character: write it itself, not as \\ud800 and the like"
            )
            raise _Refused(event.start_mark, location, message)
        self._add(event.start_mark, location, size=len(text.encode()))
        return text
