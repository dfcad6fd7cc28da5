"""Proves what tests/symbolic says, for all arguments there are, with halmos.

    python -m scripts.assurance.symbolic [--timeout SECONDS] [halmos' arguments]

Prints one JSON object; fails if a proof fails or does not come to an end.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from scripts.assurance import forge

HALMOS = forge.ROOT / ".venv-audit" / "bin" / "halmos"
# Milliseconds for one question to the solver.
TIMEOUT = 120_000


def main() -> None:
    path = f"{Path(forge.binary()).parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(HALMOS), "--forge-build-out", "build/halmos/out", "--loop", "400"]
    command += ["--solver-timeout-assertion", str(TIMEOUT), "--no-status", *sys.argv[1:]]
    env = {**os.environ, "PATH": path, "FOUNDRY_PROFILE": "symbolic", "NO_COLOR": "1"}
    result = subprocess.run(
        [*forge.NICE, *command],
        check=False,
        cwd=forge.ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    checks = {
        name: {"result": verdict.lower(), "paths": int(paths), "seconds": float(seconds)}
        for verdict, name, paths, seconds in re.findall(
            r"\[(PASS|FAIL|TIMEOUT|ERROR)\] (check_\w+)\(.*?\) \(paths: (\d+), time: ([\d.]+)s",
            plain,
        )
    }
    print(json.dumps(checks, indent=2))
    if not checks or any(check["result"] != "pass" for check in checks.values()):
        raise SystemExit(plain[-4000:] + result.stderr[-2000:])


if __name__ == "__main__":
    main()
