"""Writes the shared vectors: `python -m tests.vectors.generate`.

Every module beside this one that has a function `build` is a topic; what it returns goes to the JSON file of its name.
"""

import json
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TOPICS = sorted(m.name for m in pkgutil.iter_modules([str(FOLDER)]) if m.name != "generate")


def path(topic: str) -> Path:
    return FOLDER / f"{topic}.json"


def text(topic: str) -> str:
    """One line per vector, so that a change shows as the lines that changed."""
    groups: dict[str, list[Any]] = import_module(f"tests.vectors.{topic}").build()
    parts = []
    for name, vectors in groups.items():
        lines = ",\n".join(json.dumps(vector) for vector in vectors)
        parts.append(f"{json.dumps(name)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    for topic in TOPICS:
        path(topic).write_text(text(topic), encoding="utf-8")


if __name__ == "__main__":
    main()
