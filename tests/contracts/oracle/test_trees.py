"""The `.tree` files and the tests say the same."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TREES = sorted(HERE.glob("*.tree"))


def branches(tree: Path) -> set[str]:
    """The name of the test for each branch that says what the function does."""
    names = set()
    lines = tree.read_text(encoding="utf-8").splitlines()
    for line, following in pairwise(lines):
        condition, outcome = (re.sub(r"^[│├└─ ]+", "", text) for text in (line, following))
        if condition.startswith("when ") and not outcome.startswith("when "):
            words = "".join(word[0].upper() + word[1:] for word in condition.split()[1:])
            kind = "RevertWhen" if outcome == "it reverts" else "When"
            names.add(f"test_{kind}_{words}")
    return names


def names_in(function: str) -> set[str]:
    modules = [HERE / f"test_{function}.py", *HERE.glob(f"test_{function}_*.py")]
    names = set()
    for module in modules:
        if module.exists():
            body = ast.parse(module.read_text(encoding="utf-8")).body
            names |= {node.name for node in body if isinstance(node, ast.FunctionDef)}
    # What follows the third underscore only tells several tests of one branch apart.
    return {"_".join(name.split("_")[:3]) for name in names if name.startswith("test_")}


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.stem)
def test_every_branch_has_its_test_and_every_test_its_branch(tree):
    assert names_in(tree.stem) == branches(tree)


def test_every_function_of_the_interface_has_its_tree():
    contracts = HERE.parents[2] / "contracts"
    interface = (contracts / "interfaces" / "IMonitoringOracle.sol").read_text(encoding="utf-8")
    signatures = (contracts / "PartySignatures.sol").read_text(encoding="utf-8")
    functions = re.findall(r"function (\w+)", interface)
    functions += re.findall(r"function (\w+)\([^)]*\) external", signatures)
    assert {tree.stem for tree in TREES} == set(functions)
