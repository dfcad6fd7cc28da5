"""The tests of a function are those its specification tree asks for, no more and no fewer."""

import re
from pathlib import Path

import pytest

from tests.contracts import trees

TREES = sorted(Path(__file__).parent.glob("*.tree"))


def test_every_function_has_a_tree():
    names = {tree.stem for tree in TREES}
    assert names == {
        *("payWithPermit", "payWithPermit2", "payWithAuthorization", "run"),
        *("stake", "announceExit", "leave", "slash", "views", "lens"),
    }


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.stem)
def test_tests_are_those_of_the_tree(tree):
    source = tree.with_name(f"test_{tree.stem}.py").read_text(encoding="utf-8")
    assert re.findall(r"^def (test_\w+)\(", source, re.MULTILINE) == list(trees.names(tree))
