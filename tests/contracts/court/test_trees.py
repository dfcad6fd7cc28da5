"""The tests of a function are those its specification tree asks for, no more and no fewer."""

import re
from pathlib import Path

import pytest

from tests.contracts import trees

TREES = sorted(Path(__file__).parent.rglob("*.tree"))
COURT = {"book", "release", "dispute", "rule", "lapse", "treasury", "views"}
ADAPTER = {"deploy", "request", "submitEvidence", "rule", "execute", "views"}


def test_every_function_has_a_tree():
    here = Path(__file__).parent
    assert {tree.stem for tree in here.glob("*.tree")} == COURT
    assert {tree.stem for tree in (here / "adapter").glob("*.tree")} == ADAPTER


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"{tree.parent.name}-{tree.stem}")
def test_tests_are_those_of_the_tree(tree):
    source = tree.with_name(f"test_{tree.stem}.py").read_text(encoding="utf-8")
    assert re.findall(r"^def (test_\w+)\(", source, re.MULTILINE) == list(trees.names(tree))
