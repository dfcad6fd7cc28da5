"""Runs forge's tests with the lowest and the newest compiler that the contracts allow.

    python -m scripts.assurance.compilers

Both come from npm under other names (package.json: solc-lowest, solc-newest). Prints one JSON object.
"""

import json
import stat
import subprocess
import tempfile
from pathlib import Path

from scripts.assurance import forge

PACKAGES = ("solc-lowest", "solc-newest")
LAUNCHER = """#!/bin/sh
if [ "${{1-}}" = --version ]; then
    printf 'solc, the solidity compiler commandline interface\\nVersion: {version}.Linux.g++\\n'
    exit 0
fi
exec node -r '{alias}' '{compiler}' '{version}' "$@"
"""
# compiler.js asks for "solc".
ALIAS = """const Module = require('module');
const resolve = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
  return resolve.call(this, name === 'solc' ? '%s' : name, ...rest);
};
"""


def launcher(package: str, folder: Path) -> tuple[str, Path]:
    """A stand-in for the native compiler, and its version."""
    question = f"console.log(require('{package}').version())"
    answer = subprocess.run(
        ["node", "-e", question], cwd=forge.ROOT, capture_output=True, text=True, check=True
    )
    version = answer.stdout.strip().replace(".Emscripten.clang", "")
    alias = folder / f"{package}.js"
    alias.write_text(ALIAS % package)
    path = folder / f"solc-v{version.split('+')[0]}"
    compiler = forge.ROOT / "scripts" / "toolchain" / "compiler.js"
    path.write_text(LAUNCHER.format(version=version, alias=alias, compiler=compiler))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return version, path


def main() -> None:
    results = {}
    failures = []
    with tempfile.TemporaryDirectory(prefix="makegood-compilers-") as name:
        folder = forge.copy(Path(name) / "makegood")
        for package in PACKAGES:
            version, path = launcher(package, Path(name))
            settings = {"solc": path, "invariant_runs": 5, "invariant_depth": 20}
            result = forge.run(["test", "--fuzz-seed", "0x1"], folder, settings=settings)
            results[version] = "passed" if result.returncode == 0 else "failed"
            if result.returncode:
                failures.append(result.stdout[-4000:] + result.stderr[-4000:])
    print(json.dumps(results, indent=2))
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    main()
