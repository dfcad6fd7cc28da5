"""Makes mutants of a Solidity source: the same text, with one small thing changed."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

# Comments and strings, imports, pragmas: nothing in them is mutated.
_NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|^(?:import|pragma)\b.*?;|^type .*?;',
    re.DOTALL | re.MULTILINE,
)
# Operators stand between blanks, as the formatter puts them.
_OPERATORS = {
    "<=": ("<",),
    ">=": (">",),
    "<": ("<=", ">"),
    ">": (">=", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "%": ("/",),
    "+=": ("-=", "="),
    "-=": ("+=", "="),
    "|=": ("=", "&="),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|",),
    "|": ("&",),
    "^": ("|",),
}
_OPERATOR = re.compile(
    r"(?<= )("
    + "|".join(re.escape(op) for op in sorted(_OPERATORS, key=len, reverse=True))
    + r")(?= )"
)
_FUNCTION = re.compile(r"\bfunction _?(\w+)")
_NUMBER = re.compile(r"(?<![\w.])(\d[\d_]*)(?![\w.])")
# A statement of its own that can go without anything else failing to compile: assignments, calls, requirements.
_STATEMENT = re.compile(
    r"^ {8,}(?!return\b|emit\b|let\b|if\b|else\b|for\b|using\b|function\b|error\b|event\b|[A-Z]\w+(?:\[\])? (?:\w+ )?\w+ =|"
    r"(?:u?int|bytes|bool|address)\d*\b)[^\s{}/][^{};]*;[ ]*$",
    re.MULTILINE,
)
# What is found, and what may take its place; "" stands for whatever was found.
_WORDS: tuple[tuple[re.Pattern[str], tuple[tuple[str, str], ...]], ...] = (
    (re.compile(r"!(?=[\w(])"), (("", ""),)),
    (re.compile(r"\b(?:true|false)\b"), (("true", "false"), ("false", "true"))),
    (re.compile(r"\+\+(?=\w)|--(?=\w)"), (("++", "--"), ("--", "++"))),
    (_STATEMENT, (("", ""),)),
    (re.compile(r"(?<=\bif \()(?=\S)"), (("", "true || "), ("", "false && "))),
    (re.compile(r" nonReentrant\b"), (("", ""),)),
)


@dataclass(frozen=True)
class Mutant:
    file: str
    start: int
    end: int
    new: str
    diff: str
    function: str  # that it is in, or ""

    @property
    def key(self) -> str:
        """The same for the same change of the same text."""
        return hashlib.sha256(f"{self.file}:{self.start}:{self.diff}".encode()).hexdigest()[:16]

    def apply(self, source: str) -> str:
        return source[: self.start] + self.new + source[self.end :]


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "\0", match[0])


def _changes(code: str) -> Iterator[tuple[int, int, str]]:
    for match in _OPERATOR.finditer(code):
        for new in _OPERATORS[match[1]]:
            yield match.start(), match.end(), new
    for match in _NUMBER.finditer(code):
        yield match.start(), match.end(), str(int(match[1].replace("_", "")) + 1)
    for pattern, replacements in _WORDS:
        for match in pattern.finditer(code):
            for old, new in replacements:
                if old in ("", match[0]):
                    yield match.start(), match.end(), new


def mutants(file: str, source: str) -> Iterator[Mutant]:
    code = _NOT_CODE.sub(_blank, source)
    for start, end, new in sorted(set(_changes(code))):
        line = source.count("\n", 0, start) + 1
        begin = source.rfind("\n", 0, start) + 1
        stop = source.find("\n", end)
        old = source[begin:stop]
        changed = source[begin:start] + new + source[end:stop]
        diff = f"{file}:{line}\n- {old.strip()}\n+ {changed.strip()}"
        functions = _FUNCTION.findall(code, 0, start)
        yield Mutant(file, start, end, new, diff, functions[-1] if functions else "")
