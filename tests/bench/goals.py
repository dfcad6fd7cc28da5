"""What was aimed at, beside what was found."""

from __future__ import annotations


def at_most(found: float, goal: float) -> dict[str, object]:
    return {"found": found, "at_most": goal, "met": found <= goal}


def at_least(found: float, goal: float) -> dict[str, object]:
    return {"found": found, "at_least": goal, "met": found >= goal}
