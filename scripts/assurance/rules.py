"""Lists the tests that name each rule of the design (docs/design.md, section 4).

    python -m scripts.assurance.rules [--all]

A test names a rule if "rule 7" or "rules 7, 8 and 9" stands in it. Prints a table in Markdown, with at most three tests a rule,
and fails if a rule has none.
"""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"
RULES = range(1, 26)
SHOWN = 3
_NAMED = re.compile(r"\b[Rr]ules?\s+(\d+(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s+to\s+)\d+)*)")


def named(text: str) -> set[int]:
    rules: set[int] = set()
    for match in _NAMED.finditer(text):
        for first, last in re.findall(r"(\d+)(?:\s+to\s+(\d+))?", match[1]):
            rules.update(range(int(first), int(last or first) + 1))
    return rules


def tests(path: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each test."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            text = ast.get_source_segment(source, node) or ""
            # A docstring or comment may be broken into lines anywhere.
            yield node.name, re.sub(r"\s*\n\s*(?:#\s*)?", " ", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="all tests of each rule")
    options = parser.parse_args()
    found: dict[int, list[str]] = {rule: [] for rule in RULES}
    for path in sorted((TESTS / "contracts").rglob("test_*.py")):
        for name, text in tests(path):
            for rule in named(text) & set(RULES):
                found[rule].append(f"{path.parent.name}/{path.stem.removeprefix('test_')}: {name}")
    print("| rule | tests that name it | for instance |\n|---|---|---|")
    for rule, names in found.items():
        shown = names if options.all else names[:SHOWN]
        print(f"| {rule} | {len(names)} | {'; '.join(f'`{name}`' for name in shown)} |")
    missing = [rule for rule, names in found.items() if not names]
    if missing:
        raise SystemExit(f"no test names rule {', '.join(map(str, missing))}")


if __name__ == "__main__":
    main()
