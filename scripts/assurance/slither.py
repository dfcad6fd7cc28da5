"""Runs slither over the contracts; fails on a high or medium finding that slither.json does not explain.

    python -m scripts.assurance.slither

Also fails on an explanation of something that slither does not find any more. Prints one JSON object.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from scripts.assurance import forge

SLITHER = forge.ROOT / ".venv-audit" / "bin" / "slither"
# Per detector: why it is harmless, and in which functions ("File.sol:function").
EXPLAINED = Path(__file__).with_name("slither.json")
OPTIONS = [
    *("--compile-force-framework", "foundry", "--fail-none"),
    *("--filter-paths", "node_modules|tests"),
    *("--exclude-informational", "--exclude-optimization"),
]


def findings() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="makegood-slither-") as name:
        # A copy, because slither has forge clean and build everything.
        folder = forge.copy(Path(name) / "makegood")
        shutil.copytree(forge.ROOT / "contracts" / "periphery", folder / "contracts" / "periphery")
        shutil.rmtree(folder / "tests")
        report = folder / "slither.json"
        path = f"{Path(forge.binary()).parent}{os.pathsep}{os.environ['PATH']}"
        result = subprocess.run(
            [*forge.NICE, str(SLITHER), ".", *OPTIONS, "--json", str(report)],
            check=False,
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )
        answer: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    if not answer.get("success"):
        raise SystemExit(f"slither failed:\n{result.stderr[-4000:]}")
    found: list[dict[str, Any]] = answer["results"].get("detectors", [])
    return found


def place(finding: dict[str, Any]) -> str:
    """File and function of a finding."""
    element = finding["elements"][0]
    file = Path(element["source_mapping"]["filename_relative"]).name
    while element["type"] not in ("function", "contract"):
        element = element["type_specific_fields"]["parent"]
    return f"{file}:{element['name']}"


def main() -> None:
    explained = {
        (check, where)
        for check, entry in json.loads(EXPLAINED.read_text()).items()
        for where in entry["where"]
    }
    found: dict[str, list[dict[str, str]]] = {"explained": [], "unexplained": [], "low": []}
    seen = set()
    for finding in sorted(findings(), key=lambda f: (f["check"], f["description"])):
        key = (finding["check"], place(finding))
        seen.add(key)
        severe = finding["impact"] in ("High", "Medium")
        kind = "low" if not severe else "explained" if key in explained else "unexplained"
        found[kind].append(
            {
                "impact": finding["impact"],
                "check": key[0],
                "where": key[1],
                "what": finding["description"].strip(),
            }
        )
    stale = sorted(f"{check} in {where}" for check, where in explained - seen)
    print(json.dumps({**found, "stale": stale}, indent=2))
    if found["unexplained"] or stale:
        raise SystemExit("slither: not everything is explained, or more than there is")


if __name__ == "__main__":
    main()
