"""Writes ABI and bytecode of the contracts to relayer/contracts/, where the relayer finds them.

    python -m scripts.export            # compile and write
    python -m scripts.export --check    # compile, compare, write nothing; exit 1 if a file is stale

Settings are those of brownie-config.yaml, so the bytecode is the same, to the last byte, as the one that brownie tests
and deploys. The files are the same on every machine: the compiler sees paths relative to the project only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from relayer.errors import ConfigurationError, MakegoodError

PROJECT = Path(__file__).resolve().parents[1]
COMPILERS = PROJECT / "scripts" / "toolchain" / "solc"
ARTIFACTS = Path("relayer", "contracts")
SOURCES = {
    "MonitoringOracle": "contracts/MonitoringOracle.sol",
    "SLAEscrow": "contracts/SLAEscrow.sol",
    "DisputeCourt": "contracts/DisputeCourt.sol",
    "FundingRouter": "contracts/periphery/FundingRouter.sol",
    "Batcher": "contracts/periphery/Batcher.sol",
    "FeedLens": "contracts/periphery/FeedLens.sol",
    "ReporterStake": "contracts/periphery/ReporterStake.sol",
    "ArbitratorAdapter": "contracts/periphery/ArbitratorAdapter.sol",
    "TestDollar": "contracts/mocks/TestDollar.sol",
}
MEND = "make artifacts"
_OUTPUTS = [
    "abi",
    "metadata",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
]


def compile_artifacts(root: Path = PROJECT) -> dict[str, str]:
    """The text of every artifact, by the contract's name."""
    output = _run_compiler(root)
    return {
        name: _artifact(name, output["contracts"][source][name]) for name, source in SOURCES.items()
    }


def write_artifacts(root: Path = PROJECT) -> list[Path]:
    """Brings the artifacts up to date; returns the files that changed."""
    stale = stale_artifacts(root)
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        # by renaming: somebody may be reading the old one
        new = path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    return list(stale)


def stale_artifacts(root: Path = PROJECT) -> dict[Path, str]:
    """What every artifact that is missing or differs from its source should contain."""
    wanted = {
        root / ARTIFACTS / f"{name}.json": text for name, text in compile_artifacts(root).items()
    }
    return {
        path: text
        for path, text in wanted.items()
        if not path.is_file() or path.read_bytes() != text.encode()
    }


def _artifact(name: str, compiled: dict[str, Any]) -> str:
    evm = compiled["evm"]
    metadata = json.loads(compiled["metadata"])
    references = evm["deployedBytecode"].get("immutableReferences", {}).values()
    content = {
        "contractName": name,
        "compiler": {
            "version": metadata["compiler"]["version"],
            "evmVersion": metadata["settings"]["evmVersion"],
            "optimizer": metadata["settings"]["optimizer"],
        },
        "abi": compiled["abi"],
        "bytecode": f"0x{evm['bytecode']['object']}",
        "deployedBytecode": f"0x{evm['deployedBytecode']['object']}",
        # [first byte, length] of what the constructor fills in; zero in deployedBytecode
        "immutables": sorted([r["start"], r["length"]] for slots in references for r in slots),
        # of the compiler's metadata: settings, and a hash of every source file, imported ones too
        "sourceHash": f"0x{hashlib.sha256(compiled['metadata'].encode()).hexdigest()}",
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def _run_compiler(root: Path) -> dict[str, Any]:
    settings = YAML(typ="safe").load(root / "brownie-config.yaml")["compiler"]
    solc = settings["solc"]
    request = {
        "language": "Solidity",
        "sources": {
            path: {"content": (root / path).read_text(encoding="utf-8")}
            for path in SOURCES.values()
        },
        "settings": {
            "evmVersion": settings["evm_version"],
            "optimizer": solc["optimizer"],
            "remappings": solc["remappings"],
            "outputSelection": {source: {name: _OUTPUTS} for name, source in SOURCES.items()},
        },
    }
    launcher = COMPILERS / f"solc-v{solc['version']}"
    try:
        finished = subprocess.run(
            [launcher, "--standard-json"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            cwd=root,
            check=True,
        )
    except OSError as error:
        raise ConfigurationError(
            f"no compiler {solc['version']}, which brownie-config.yaml asks for: {error}",
            hint="scripts/toolchain/solc/ holds the compilers there are",
        ) from error
    except subprocess.CalledProcessError as error:
        raise ConfigurationError(
            f"the compiler failed: {error.stderr.strip()}", hint="make setup installs it"
        ) from error
    output: dict[str, Any] = json.loads(finished.stdout)
    failures = [e for e in output.get("errors", []) if e["severity"] == "error"]
    if failures:
        text = "\n".join(error["formattedMessage"] for error in failures)
        raise ConfigurationError(f"the contracts do not compile:\n{text}")
    return output


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.export", description="Export ABI and bytecode."
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail if stale")
    check = parser.parse_args(arguments).check
    try:
        if check:
            stale = [path.relative_to(PROJECT) for path in stale_artifacts()]
            for path in stale:
                print(f"{path} is stale or missing. Mend it with: {MEND}", file=sys.stderr)
            return 1 if stale else 0
        for path in write_artifacts():
            print(f"wrote {path.relative_to(PROJECT)}")
    except MakegoodError as error:
        print("\n".join(filter(None, [error.message, error.hint])), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
