"""The branches of a Solidity source, and the same source with a note in each.

A branch is one of the two outcomes of

- a condition without `&&`, `||` or `!`: of `if`, a loop, `?:`, `require`, `assert`, or an operand of `&&` or `||`;
- a `nonReentrant`: entered while the contract is locked, or not;
- a `try`: it succeeds or fails;
- the condition of an `if` or a loop in assembly.

What the compiler adds (checks of arithmetic, of calldata, of array bounds) does not count, and nothing in imported packages.

The note is a call of `console.log(uint256,uint256)` with the number of the condition and its outcome: it leaves no trace in
the chain, is allowed where nothing may be written, survives a revert, and anvil prints it.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Node = dict[str, Any]

SEEN_FILE = "CoverageSeen.sol"
# Memory beyond the free pointer is put back: between two statements of ours it may hold what assembly has put there.
SEEN = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

function coverage__seen(uint256 id, bool outcome) pure returns (bool) {
    function(uint256, bool) view logging = coverage__log;
    function(uint256, bool) pure silent;
    assembly ("memory-safe") {
        silent := logging
    }
    silent(id, outcome);
    return outcome;
}

function coverage__log(uint256 id, bool outcome) view {
    assembly ("memory-safe") {
        let data := mload(0x40)
        let first := mload(data)
        let second := mload(add(data, 32))
        let third := mload(add(data, 64))
        mstore(data, shl(224, 0xf666715a)) // log(uint256,uint256)
        mstore(add(data, 4), id)
        mstore(add(data, 36), outcome)
        pop(staticcall(gas(), 0x000000000000000000636F6e736F6c652e6c6f67, data, 68, 0, 0))
        mstore(data, first)
        mstore(add(data, 32), second)
        mstore(add(data, 64), third)
    }
}
"""


@dataclass(frozen=True)
class Condition:
    """Two branches: it is true, it is false."""

    number: int
    file: str
    line: int
    text: str


def syntax_trees(sources: dict[str, str], compiler: Path, folder: Path) -> dict[str, Node]:
    """By file. `folder` is where imports of packages are found."""
    question = {
        "language": "Solidity",
        "sources": {file: {"content": text} for file, text in sources.items()},
        "settings": {
            "remappings": ["@openzeppelin/contracts=node_modules/@openzeppelin/contracts"],
            "outputSelection": {"*": {"": ["ast"]}},
        },
    }
    result = subprocess.run(
        [str(compiler), "--standard-json"],
        input=json.dumps(question),
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(result.stdout)
    errors = [e["formattedMessage"] for e in answer.get("errors", []) if e["severity"] == "error"]
    if errors:
        raise SystemExit("\n".join(errors))
    return {file: answer["sources"][file]["ast"] for file in sources}


class Instrumented:
    """One file: its conditions, numbered from `first` on, and its source with notes."""

    def __init__(self, file: str, source: str, tree: Node, first: int) -> None:
        self.conditions: list[Condition] = []
        self._file = file
        # The compiler counts bytes.
        self._bytes = source.encode()
        self._first = first
        # (where, order among those at the same place, text)
        self._insertions: list[tuple[int, tuple[int, int], str]] = []
        self._noted: set[str] = set()
        for node in _nodes(tree):
            self._visit(node)
        if self.conditions:
            pragma = next(n for n in tree["nodes"] if n["nodeType"] == "PragmaDirective")
            path = "/".join([*[".."] * (file.count("/") - 1), SEEN_FILE])
            path = path if path.startswith("..") else f"./{path}"
            self._insert(_end(pragma), f' import {{coverage__seen}} from "{path}";')

    @property
    def source(self) -> str:
        parts = []
        done = 0
        for where, _, text in sorted(self._insertions):
            parts += [self._bytes[done:where], text.encode()]
            done = where
        return b"".join([*parts, self._bytes[done:]]).decode()

    def _visit(self, node: Node) -> None:
        kind = node["nodeType"]
        if kind in _CONDITIONAL:
            self._note(node["condition"])
        elif kind == "BinaryOperation" and node["operator"] in ("&&", "||"):
            self._note(node["leftExpression"])
            self._note(node["rightExpression"])
        elif kind == "FunctionCall" and node["expression"].get("name") in ("require", "assert"):
            self._note(node["arguments"][0])
        elif kind == "TryStatement":
            self._note_try(node)
        elif kind == "InlineAssembly":
            self._note_assembly(node)
        elif kind == "ContractDefinition":
            self._note_locks(node)

    def _note(self, expression: Node | None) -> None:
        """Notes the outcome, unless it is that of operands, which are noted themselves."""
        if expression is None:
            return
        while expression["nodeType"] in ("TupleExpression", "UnaryOperation"):
            # (x) and !x
            expression = expression.get("subExpression") or expression["components"][0]
        if expression["nodeType"] == "Literal" or expression.get("operator") in ("&&", "||"):
            return
        if expression["src"] in self._noted:
            return
        self._noted.add(expression["src"])
        number = self._condition(expression)
        start, end = _start(expression), _end(expression)
        # Of conditions that begin at the same place the longest is the outer one; of those that end there the shortest.
        # Not as an argument, which would have less of the stack to work with.
        noted = f") ? coverage__seen({number}, true) : coverage__seen({number}, false))"
        self._insert(start, "((", (1, -end))
        self._insert(end, noted, (0, -start))

    def _note_try(self, node: Node) -> None:
        number = self._condition(node["externalCall"])
        for place, clause in enumerate(node["clauses"]):
            outcome = "false" if place else "true"
            self._insert(_start(clause["block"]) + 1, f" coverage__seen({number}, {outcome});")

    def _note_locks(self, contract: Node) -> None:
        modifier = f"coverage__lock{contract['id']}"
        locked = False
        for node in contract["nodes"]:
            for lock in node.get("modifiers", []):
                if lock["modifierName"]["name"] == "nonReentrant":
                    locked = True
                    number = self._condition(lock, f"{lock['modifierName']['name']} {node['name']}")
                    self._insert(_start(lock), f"{modifier}({number}) ")
        if locked:
            names = [_end(base) for base in contract["baseContracts"]]
            brace = self._bytes.index(b"{", max([_start(contract), *names]))
            definition = (
                f" modifier {modifier}(uint256 id)"
                " { coverage__seen(id, _reentrancyGuardEntered()); _; }"
            )
            self._insert(brace + 1, definition)

    def _note_assembly(self, assembly: Node) -> None:
        """Assembly in a pure function may not call: what has been seen is noted after it."""
        statements = assembly["AST"]["statements"]
        branching = [n for n in _nodes(assembly["AST"]) if n["nodeType"] in _YUL_BRANCHES]
        for node in branching:
            if node not in statements or node["nodeType"] == "YulSwitch":
                raise SystemExit(
                    f"{self._file}:{self._line(node)}: cannot follow a branch within another in assembly"
                )
            number = self._condition(node["condition"])
            taken = f"coverage__{number}"
            self._insert(_start(assembly), f"bool {taken} = false; ")
            self._insert(_start(node["body"]) + 1, f" {taken} := 1 ")
            if node["nodeType"] == "YulIf":
                after = f" coverage__seen({number}, {taken});"
            else:
                # A loop has ended.
                after = f" if ({taken}) coverage__seen({number}, true); coverage__seen({number}, false);"
            self._insert(_end(assembly), after)

    def _condition(self, node: Node, text: str | None = None) -> int:
        if text is None:
            text = " ".join(self._bytes[_start(node) : _end(node)].decode().split())
        number = self._first + len(self.conditions)
        self.conditions.append(Condition(number, self._file, self._line(node), text))
        return number

    def _line(self, node: Node) -> int:
        return self._bytes.count(b"\n", 0, _start(node)) + 1

    def _insert(self, where: int, text: str, order: tuple[int, int] = (0, 0)) -> None:
        self._insertions.append((where, order, text))


_CONDITIONAL = (
    *("IfStatement", "WhileStatement", "DoWhileStatement", "ForStatement"),
    "Conditional",
)
_YUL_BRANCHES = ("YulIf", "YulForLoop", "YulSwitch")


def _nodes(tree: Any) -> Iterator[Node]:
    if isinstance(tree, dict):
        if "nodeType" in tree:
            yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def _start(node: Node) -> int:
    return int(node["src"].split(":")[0])


def _end(node: Node) -> int:
    start, length, _ = node["src"].split(":")
    return int(start) + int(length)
