"""Which branches of the contracts the brownie tests take.

    python -m scripts.assurance.coverage [--least PERCENT] [pytest's options]

The tests run against contracts that note each branch (branches.py), in scratch copies of the project, in two halves at the same
time; with options, such as `-k settle`, those that are chosen. Mocks and interfaces do not count. Prints one JSON object:
per folder and file how many branches there are and are taken, which are not (file, line, condition and the outcome it never
has), and which tests failed, because of the gas that notes cost. Fails below 98 percent.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePath
from threading import Thread
from typing import Any

from scripts.assurance import forge
from scripts.assurance.branches import SEEN, SEEN_FILE, Condition, Instrumented, syntax_trees
from scripts.toolchain import contract_tests

LEAST = 98.0
LEFT_OUT = ("interfaces", "mocks")
COMPILER = forge.ROOT / "scripts" / "toolchain" / "solc" / "solc-v0.8.30"
# As in scripts/toolchain/networks.yaml, without the limit of the code's size and without traces, which take most of the time.
CHAIN = [
    str(forge.ROOT / "node_modules" / ".bin" / "anvil"),
    *("--port", "0", "--prune-history", "64", "--accounts", "10"),
    *("--mnemonic", "test test test test test test test test test test test junk"),
    *("--gas-limit", "30000000", "--block-base-fee-per-gas", "0", "--hardfork", "shanghai"),
    "--disable-code-size-limit",
]
_LISTENING = re.compile(rb"Listening on [\d.]+:(\d+)")
_NOTE = re.compile(rb"\s*(\d+) ([01])\s*")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)

# Number of a condition, and its outcome.
Branch = tuple[int, bool]


def instrument(folder: Path) -> list[Condition]:
    """Replaces the contracts in `folder` by ones that note their branches."""
    paths = sorted((folder / "contracts").rglob("*.sol"))
    sources = {str(path.relative_to(folder)): path.read_text() for path in paths}
    trees = syntax_trees(sources, COMPILER, folder)
    conditions: list[Condition] = []
    for file, source in sources.items():
        if not set(LEFT_OUT) & set(PurePath(file).parts):
            noting = Instrumented(file, source, trees[file], len(conditions))
            conditions += noting.conditions
            (folder / file).write_text(noting.source)
    (folder / "contracts" / SEEN_FILE).write_text(SEEN)
    return conditions


def notes(lines: Iterable[bytes]) -> Iterator[Branch]:
    """Each branch once, from what a chain prints."""
    known = set()
    for line in lines:
        if line not in known and (note := _NOTE.fullmatch(line)):
            known.add(line)
            yield int(note[1]), note[2] == b"1"


@contextmanager
def noting_chain(taken: set[Branch]) -> Iterator[int]:
    """A chain, whose port this is, and which adds to `taken` until it ends."""
    with subprocess.Popen(
        [*forge.NICE, *CHAIN], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as chain:
        output = chain.stdout or ()
        reader = Thread(target=lambda: taken.update(notes(output)))
        try:
            listening = (_LISTENING.search(line) for line in output)
            port = next((int(match[1]) for match in listening if match), None)
            if port is None:
                raise SystemExit("coverage: anvil does not start")
            reader.start()
            yield port
        finally:
            chain.terminate()
            if reader.ident is not None:
                reader.join()


def run(folder: Path, options: list[str]) -> tuple[set[Branch], str]:
    """The branches that tests take in a copy of the project, and what the tests print."""
    taken: set[Branch] = set()
    output = folder / "output.log"
    print(f"coverage: the tests write to {output}", file=sys.stderr)
    with noting_chain(taken) as port, output.open("wb") as log:
        subprocess.run(
            [*forge.NICE, *contract_tests.brownie("anvil", *options)],
            cwd=folder,
            env={**os.environ, "MAKEGOOD_CHAIN_PORT": str(port)},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return taken, output.read_text(errors="replace")


def copy(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in contract_tests.COPIED:
        # What was built there is of other contracts.
        if name != "build":
            shutil.copytree(forge.ROOT / name, folder / name, ignore=ignored)
    for name in ("brownie-config.yaml", "pyproject.toml"):
        shutil.copy(forge.ROOT / name, folder)
    (folder / "node_modules").symlink_to(forge.ROOT / "node_modules")


def build(folder: Path) -> None:
    command = [sys.executable, "-m", "scripts.toolchain.brownie_cli", "compile"]
    result = subprocess.run(
        [*forge.NICE, *command], cwd=folder, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise SystemExit(f"coverage: the contracts do not compile:\n{result.stdout[-4000:]}")


def measure(options: list[str]) -> tuple[list[Condition], set[Branch], list[str]]:
    """The conditions, the branches that were taken, and the tests that failed."""
    with tempfile.TemporaryDirectory(prefix="makegood-coverage-") as name:
        first, second = Path(name) / "first" / "makegood", Path(name) / "second" / "makegood"
        copy(first)
        conditions = instrument(first)
        build(first)
        parts = {first: options}
        if not options:
            shutil.copytree(first, second, symlinks=True)
            parts = {
                first: contract_tests.without(contract_tests.SECOND),
                second: contract_tests.without(contract_tests.FIRST),
            }
        with ThreadPoolExecutor() as pool:
            results = list(pool.map(run, parts.keys(), parts.values()))
    taken: set[Branch] = set()
    failed = []
    for branches, output in results:
        print(output, file=sys.stderr)
        if " passed" not in output:
            raise SystemExit("coverage: no test has passed")
        taken |= branches
        failed += _FAILED.findall(output)
    return conditions, taken, failed


def report(conditions: list[Condition], taken: set[Branch]) -> dict[str, Any]:
    files: dict[str, dict[str, Any]] = {}
    folders: dict[str, dict[str, Any]] = defaultdict(_nothing)
    total = _nothing()
    for condition in sorted(conditions, key=lambda c: (c.file, c.line)):
        file = files.setdefault(condition.file, {**_nothing(), "uncovered": []})
        for outcome in (True, False):
            covered = (condition.number, outcome) in taken
            for row in (total, folders[str(PurePath(condition.file).parent)], file):
                row["branches"] += 1
                row["covered"] += covered
            if not covered:
                where = f"{condition.file}:{condition.line}"
                never = {"at": where, "condition": condition.text, "never": outcome}
                file["uncovered"].append(never)
    for row in (total, *folders.values(), *files.values()):
        # Rounded down: only all of them are 100 percent.
        row["percent"] = 10_000 * row["covered"] // max(row["branches"], 1) / 100
    return {**total, "folders": folders, "files": files}


def _nothing() -> dict[str, Any]:
    return {"branches": 0, "covered": 0, "percent": 0.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least", type=float, default=LEAST, help="percent of the branches")
    options, chosen = parser.parse_known_args()
    conditions, taken, failed = measure(chosen)
    result = report(conditions, taken)
    print(json.dumps({**result, "failed": sorted(failed)}, indent=2))
    if result["percent"] < options.least:
        raise SystemExit(
            f"coverage: {result['percent']} % of the branches are taken, less than {options.least} %; "
            "see `uncovered` above, and docs/assurance.md for what is known"
        )


if __name__ == "__main__":
    main()
