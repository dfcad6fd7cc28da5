"""Runs forge, in this project or in a scratch copy of what it needs."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# All this takes long; others may want to work meanwhile.
NICE = () if "CI" in os.environ else ("nice", "-n", "10")


def binary() -> str:
    """The forge of npm, or one that the user has installed."""
    ours = ROOT / "node_modules" / ".bin" / "forge"
    found = str(ours) if ours.exists() else shutil.which("forge")
    if found is None:
        raise SystemExit("forge is missing: npm has it for Linux on x86-64; else install Foundry")
    return found


def run(
    arguments: list[str],
    folder: Path = ROOT,
    *,
    settings: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """`settings` become FOUNDRY_... variables, which overrule foundry.toml."""
    settings = settings or {}
    env = {
        **os.environ,
        **(environment or {}),
        **{f"FOUNDRY_{key.upper()}": str(value) for key, value in settings.items()},
    }
    return subprocess.run(
        [*NICE, binary(), *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def copy(folder: Path) -> Path:
    """A scratch copy in which contracts may be broken: the contracts and what forge needs to test them."""
    shutil.rmtree(folder / "contracts", ignore_errors=True)
    shutil.rmtree(folder / "tests", ignore_errors=True)
    # Mocks and periphery are not tested by forge; without them it compiles less.
    leave_out = shutil.ignore_patterns("mocks", "periphery")
    shutil.copytree(ROOT / "contracts", folder / "contracts", ignore=leave_out)
    shutil.copytree(ROOT / "tests" / "fuzz", folder / "tests" / "fuzz")
    shutil.copytree(
        ROOT / "scripts" / "toolchain", folder / "scripts" / "toolchain", dirs_exist_ok=True
    )
    shutil.copy(ROOT / "foundry.toml", folder)
    (folder / "build" / "forge").mkdir(parents=True, exist_ok=True)
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(ROOT / "node_modules")
    return folder
