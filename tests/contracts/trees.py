"""Specification trees: which tests they ask for."""

import re

BRANCHES = "│├└─ "


def names(tree):
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
