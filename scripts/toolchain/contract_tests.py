"""Runs the contract tests: `python -m scripts.toolchain.contract_tests NETWORK [pytest's options]`.

brownie uses one core. Without options the tests run in two halves at the same time, the second one in a copy of the project:
two brownies in one folder overwrite each other's build.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / ".cache" / "second-half"
COPIED = ("build", "contracts", "oracles", "relayer", "scripts", "tests")
FIRST = ("tests/contracts/oracle", "tests/contracts/periphery")
SECOND = ("tests/contracts/court", "tests/contracts/escrow")


def brownie(network: str, *options: str) -> list[str]:
    module = "scripts.toolchain.brownie_cli"
    return [sys.executable, "-m", module, "test", "tests/contracts", "--network", network, *options]


def copy_project() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    for name in COPIED:
        shutil.copytree(ROOT / name, COPY / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("brownie-config.yaml", "pyproject.toml"):
        shutil.copy2(ROOT / name, COPY / name)
    (COPY / "node_modules").symlink_to(ROOT / "node_modules")


def in_halves(network: str) -> int:
    """Returns the greater of the two exit codes. The output of the second half follows that of the first."""
    copy_project()
    log = COPY / "output.log"
    with log.open("wb") as output:
        second = subprocess.Popen(
            brownie(network, *without(FIRST)), cwd=COPY, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            first = subprocess.run(brownie(network, *without(SECOND)), cwd=ROOT, check=False)
            code = max(first.returncode, second.wait())
        finally:
            if second.poll() is None:
                second.terminate()
                second.wait()
    sys.stdout.write(log.read_text(encoding="utf-8", errors="replace"))
    return code


def without(folders: tuple[str, ...]) -> list[str]:
    return [f"--ignore={folder}" for folder in folders]


if __name__ == "__main__":
    chain, *chosen = sys.argv[1:]
    if chosen:
        sys.exit(subprocess.run(brownie(chain, *chosen), cwd=ROOT, check=False).returncode)
    sys.exit(in_halves(chain))
