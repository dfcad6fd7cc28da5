"""The tests of a function are those its specification tree asks for, no more and no fewer."""

import re
from pathlib import Path

import pytest

TREES = sorted(Path(__file__).parent.glob("*.tree"))
BRANCHES = "│├└─ "


def test_names(tree):
    """The name of the test of every condition that has something to say."""
    lines = tree.read_text(encoding="utf-8").splitlines()[1:]
    nodes = [(len(line) - len(line.lstrip(BRANCHES)), line.strip(BRANCHES)) for line in lines]
    for i, (_, condition) in enumerate(nodes):
        if condition.startswith("it "):
            continue
        effects = []
        for depth, text in nodes[i + 1 :]:
            if depth <= nodes[i][0]:
                break
            if not text.startswith("it "):
                effects = []
                break
            effects.append(text)
        if effects:
            word, _, rest = condition.replace("'", "").partition(" ")
            revert = "Revert" if all(effect.startswith("it reverts") for effect in effects) else ""
            camel = "".join(part[0].upper() + part[1:] for part in re.findall(r"\w+", rest))
            yield f"test_{revert}{word.capitalize()}_{camel}"


test_names.__test__ = False


def test_every_function_has_a_tree():
    names = {tree.stem for tree in TREES}
    assert names == {
        *("payWithPermit", "payWithPermit2", "payWithAuthorization", "run"),
        *("stake", "announceExit", "leave", "slash", "views"),
    }


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.stem)
def test_tests_are_those_of_the_tree(tree):
    source = tree.with_name(f"test_{tree.stem}.py").read_text(encoding="utf-8")
    assert re.findall(r"^def (test_\w+)\(", source, re.MULTILINE) == list(test_names(tree))
