"""The tests of a function are those its specification tree asks for, no more and no fewer."""

import re
from pathlib import Path

import pytest

from tests.contracts import trees

TREES = sorted(Path(__file__).parent.glob("*.tree"))


FUNCTIONS = {
    *("open", "revoke", "fund", "settle", "close", "amend", "terminate", "endForBreaches"),
    *("endByNotice", "postBond", "releaseBond", "setPayout", "withdraw", "redeliver", "skim"),
    *("claimable", "bounds", "views"),
}
# What no single function is responsible for.
TOPICS = {"bond", "months", "averages", "hours", "capacity", "tokens", "reentry", "court"}
RULES = {1, 4, 6, 7, 8, 10, 11, 12, 13, 19, 21, 22, 23, 24, 25}


def test_every_function_has_a_tree():
    assert {tree.stem for tree in TREES} == FUNCTIONS | TOPICS


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.stem)
def test_tests_are_those_of_the_tree(tree):
    """A tree with many tests has several files: `test_open.py`, `test_open_bounds.py`."""
    sources = [tree.with_name(f"test_{tree.stem}.py"), *tree.parent.glob(f"test_{tree.stem}_*.py")]
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    tests = re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)
    assert sorted(tests) == sorted(trees.names(tree))


def test_every_rule_is_named_by_a_test():
    """As "Rule 7: ..." or "Rules 4, 7 and 24: ..." at the begin of what a test says about itself."""
    named = set()
    for source in Path(__file__).parent.glob("test_*.py"):
        text = source.read_text(encoding="utf-8")
        for said in re.findall(r'"""Rules? ([\d, and]+)[:.]', text):
            named |= {int(number) for number in re.findall(r"\d+", said)}
    assert named >= RULES
