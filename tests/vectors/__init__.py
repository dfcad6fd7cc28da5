"""Shared vectors: inputs and what the protocol makes of them, for Python and Solidity alike.

Each topic is a module here and a JSON file beside it. The module works the results out in the plainest way that the
design's words allow, and uses neither the contracts nor their Python twin for it.
"""

import json
from pathlib import Path
from typing import Any


def load(topic: str) -> dict[str, list[Any]]:
    """The vectors of a topic, such as `agreement`."""
    return json.loads(Path(__file__).with_name(f"{topic}.json").read_text(encoding="utf-8"))
