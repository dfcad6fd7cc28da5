"""Where mutants are tried: scratch copies, and a compiler that stays loaded.

Two copies of what the tests need. In forge's, the campaign's own sources import a second, frozen copy of interfaces and libraries, so that the model does not
change together with what it is compared with, and need not be compiled again. In brownie's, nothing is compiled: brownie finds the
sources unchanged, and the bytecode in its build replaced by what forge has made of the mutant.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.assurance import forge
from scripts.assurance.mutants import Mutant

FORGE = ("test", "--fail-fast", "--fuzz-seed", "0x1", "--no-match-contract", "Histories")
# The campaign alone: what is not in a library is not in a unit test either.
CAMPAIGN = ("test", "--fail-fast", "--fuzz-seed", "0x1", "--match-contract", "Bursts")
SIZE_LIMIT = 1 << 20
SETTINGS = {
    "fuzz_runs": 200,
    "invariant_runs": 8,
    "invariant_depth": 10,
    "invariant_shrink_run_limit": 0,
    # Optimised for fast compilation, not for gas or size.
    "optimizer": "false",
    "code_size_limit": SIZE_LIMIT,
}
# A mutant that loops for ever is as good as dead [s].
TIMEOUT = 600

# What the tests deploy, and so what may contain a mutant.
DEPLOYED = (
    "SLAEscrow.sol/SLAEscrow",
    "MonitoringOracle.sol/MonitoringOracle",
    "DisputeCourt.sol/DisputeCourt",
    "LibraryHarness.sol/LibraryHarness",
)
BROWNIE_COPIED = ("build/contracts", "contracts", "oracles", "relayer", "scripts", "tests")
# Which tests are about a file, by the beginning of its path; those of libraries that are not named are about both.
ABOUT = {
    "DisputeCourt": ("court", "escrow"),
    "escrow/CourtTreasury": ("court", "escrow"),
    "Treasury": ("escrow", "court"),
    "MonitoringOracle": ("oracle",),
    "oracle/": ("oracle",),
    "PartySignatures": ("escrow", "oracle"),
    "SLAEscrow": ("escrow", "court"),
    "TermsRules": ("escrow",),
    "escrow/": ("escrow", "court"),
    "libraries/CreditLib": ("escrow",),
    "libraries/TermsLib": ("escrow", "court"),
    "libraries/TokenLib": ("escrow", "court"),
    "libraries/AnswersLib": ("oracle",),
    "libraries/BundleLib": ("oracle",),
    "libraries/FeedStateLib": ("oracle",),
    "libraries/OracleLib": ("escrow", "oracle"),
    "libraries/Reading": ("oracle",),
    "libraries/": ("oracle", "escrow"),
}
# More tests than these that fail without any mutation have another reason than gas.
MOST_GAS_BOUND = 20
# Random histories take a minute: last.
SLOW = ("test_histories.py", "test_invariants.py")
LEFT_OUT = ("test_trees.py",)


@contextmanager
def warm_compiler(folder: Path) -> Iterator[Path]:
    """A launcher that looks like the native compiler."""
    script = forge.ROOT / "scripts" / "assurance" / "warm_compiler.js"
    (cold,) = (forge.ROOT / "scripts" / "toolchain" / "solc").glob("solc-v*")
    socket = folder / "compiler.socket"
    launcher = folder / cold.name
    launcher.write_text(
        f"#!/bin/sh\n[ \"${{1-}}\" = --version ] && exec '{cold}' --version\n"
        f"exec node '{script}' '{socket}'\n"
    )
    launcher.chmod(0o755)
    command = [*forge.NICE, "node", str(script), str(socket), "serve"]
    server = subprocess.Popen(command, cwd=forge.ROOT)
    try:
        deadline = time.monotonic() + 60
        while not socket.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(
                    "the compiler does not start: is npm's solc installed (make setup)?"
                )
            time.sleep(0.1)
        yield launcher
    finally:
        server.terminate()
        server.wait()


class Workshop:
    """`brownie`: whether mutants shall meet the brownie tests, too."""

    def __init__(self, folder: Path, compiler: Path, *, brownie: bool) -> None:
        self._pristine = folder / "pristine"
        self._forge = self._forge_copy(folder / "forge", compiler)
        self._builds: dict[str, str] = {}
        self._gas_bound: list[str] = []
        if brownie:
            self._brownie = self._brownie_copy(folder / "brownie", compiler)
            self._builds = {
                name: (self._brownie / f"build/contracts/{Path(name).name}.json").read_text()
                for name in DEPLOYED
            }

    @staticmethod
    def _forge_copy(folder: Path, compiler: Path) -> Path:
        folder.mkdir(parents=True)
        forge.copy(folder)
        (folder / "contracts/mocks").mkdir()
        shutil.copy(forge.ROOT / "contracts/mocks/LibraryHarness.sol", folder / "contracts/mocks")
        for part in ("interfaces", "libraries"):
            shutil.copytree(folder / "contracts" / part, folder / "tests/frozen" / part)
        for path in (folder / "tests/fuzz").glob("*.sol"):
            path.write_text(path.read_text().replace('"../../contracts/', '"../frozen/'))
        shutil.copy(compiler, folder / "scripts/toolchain/solc")
        return folder

    @staticmethod
    def _brownie_copy(folder: Path, compiler: Path) -> Path:
        if not (forge.ROOT / "build/sources.sha256").exists():
            raise SystemExit("brownie's build is missing: make build/compiled")
        ignored = shutil.ignore_patterns("__pycache__", *LEFT_OUT)
        for name in BROWNIE_COPIED:
            shutil.copytree(forge.ROOT / name, folder / name, ignore=ignored)
        for name in ("brownie-config.yaml", "pyproject.toml", "build/sources.sha256"):
            shutil.copy2(forge.ROOT / name, folder / name)
        for name in ("node_modules", ".venv"):
            (folder / name).symlink_to(forge.ROOT / name)
        shutil.copy(compiler, folder / "scripts/toolchain/solc")
        with (folder / "scripts/toolchain/brownie_fixes.py").open("a") as fixes:
            fixes.write("\nimport scripts.assurance.light_traces  # noqa: E402, F401\n")
        networks = folder / "scripts/toolchain/networks.yaml"
        networks.write_text(
            networks.read_text()
            .replace("cmd: anvil", f"cmd: anvil --code-size-limit {SIZE_LIMIT}")
            .replace("steps_tracing: true", "steps_tracing: false")
        )
        return folder

    def check(self) -> None:
        """All tests of forge must pass as long as nothing is mutated. Keeps the build, to begin each attempt with it.

        Tests of brownie that fail already are left out: without the optimizer everything costs more gas than some allow.
        """
        verdict, by = self.forge_verdict(None)
        if verdict != "survived":
            raise SystemExit(f"the tests fail without any mutation: {by}")
        shutil.copytree(self._forge / "build", self._pristine)
        if self._builds:
            _, self._gas_bound = self._run_brownie(None)
            if len(self._gas_bound) > MOST_GAS_BOUND:
                some = "\n".join(self._gas_bound[:MOST_GAS_BOUND])
                raise SystemExit(
                    f"{len(self._gas_bound)} brownie tests fail without any mutation:\n{some}"
                )

    def build(self, mutant: Mutant | None) -> None:
        """Compiles a mutant that forge has tested in an earlier run."""
        self._run_forge(mutant, ["build"])

    def forge_verdict(self, mutant: Mutant | None) -> tuple[str, str]:
        """`stillborn`, `killed` or `survived`, and what killed it."""
        unit_tested = mutant is None or mutant.file.startswith("libraries/")
        try:
            result = self._run_forge(mutant, FORGE if unit_tested else CAMPAIGN)
        except subprocess.TimeoutExpired:
            return "killed", "timeout"
        if result.returncode == 0:
            return "survived", ""
        failed = [line for line in result.stdout.splitlines() if line.startswith("[FAIL")]
        if failed:
            return "killed", failed[0][:160]
        output = result.stdout + result.stderr
        if "Compiler run failed" not in output:
            raise SystemExit(f"forge fails: {output[-3000:]}")
        return "stillborn", ""

    def _run_forge(
        self, mutant: Mutant | None, arguments: Sequence[str]
    ) -> subprocess.CompletedProcess[str]:
        if self._pristine.exists():
            shutil.rmtree(self._forge / "build")
            shutil.copytree(self._pristine, self._forge / "build")
        with self._mutated(mutant):
            return forge.run(list(arguments), self._forge, settings=SETTINGS, timeout=TIMEOUT)

    @contextmanager
    def _mutated(self, mutant: Mutant | None) -> Iterator[None]:
        if mutant is None:
            yield
            return
        path = self._forge / "contracts" / mutant.file
        source = path.read_text()
        path.write_text(mutant.apply(source))
        try:
            yield
        finally:
            path.write_text(source)

    def brownie_verdict(self, mutant: Mutant) -> tuple[str, str]:
        """`killed` or `survived`. Takes what forge has just compiled."""
        try:
            code, failed = self._run_brownie(mutant, "-x")
        except subprocess.TimeoutExpired:
            return "killed", "timeout"
        return ("killed", failed[0]) if code else ("survived", "")

    def _run_brownie(self, mutant: Mutant | None, *options: str) -> tuple[int, list[str]]:
        """Returns the exit code and the tests that failed."""
        for name, text in self._builds.items():
            artifact = json.loads((self._forge / f"build/forge/out/{name}.json").read_text())
            build = json.loads(text)
            build["bytecode"] = artifact["bytecode"]["object"].removeprefix("0x")
            path = self._brownie / f"build/contracts/{Path(name).name}.json"
            path.write_text(json.dumps(build))
        command = [*forge.NICE, str(forge.ROOT / ".venv/bin/python"), "-m"]
        command += ["scripts.toolchain.brownie_cli", "test", *self._tests(mutant), "-q", *options]
        command += [f"--deselect={test}" for test in self._gas_bound]
        environment = {k: v for k, v in os.environ.items() if k != "MAKEGOOD_CHAIN_PORT"}
        result = subprocess.run(
            command,
            cwd=self._brownie,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT * 4 if mutant else None,
            check=False,
        )
        failed = re.findall(r"^(?:FAILED|ERROR) (tests/\S+)", result.stdout, re.MULTILINE)
        if result.returncode and not failed:
            raise SystemExit(f"brownie fails: {result.stdout[-3000:]}{result.stderr[-3000:]}")
        return result.returncode, failed

    def _tests(self, mutant: Mutant | None) -> list[str]:
        """The files of tests, those first that are named like the mutated function."""
        folders: tuple[str, ...] = ("oracle", "escrow", "court")
        if mutant is not None:
            folders = next(v for k, v in ABOUT.items() if mutant.file.startswith(k))
        paths = [
            path
            for folder in folders
            for path in sorted((self._brownie / "tests/contracts" / folder).glob("test_*.py"))
        ]
        function = mutant.function.lower() if mutant else ""

        def rank(path: Path) -> tuple[bool, bool]:
            return path.name in SLOW, not (function and function in path.name.lower())

        return [str(path.relative_to(self._brownie)) for path in sorted(paths, key=rank)]
