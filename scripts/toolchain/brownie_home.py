"""Gives brownie a home of its own.

brownie keeps networks, accounts and caches in `~/.brownie`, copies its list of networks there once and never updates it:
what a developer's other projects left there would decide how our tests run, and ours would leave traces in theirs. So
brownie sees `.home/` of this project as its home, and only brownie does.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".home"
TOOLCHAIN = ROOT / "scripts" / "toolchain"


def prepare() -> None:
    """Creates the home and makes the compiler and the chains known to this process."""
    wanted = (TOOLCHAIN / "networks.yaml").read_bytes()
    networks = HOME / ".brownie" / "network-config.yaml"
    networks.parent.mkdir(parents=True, exist_ok=True)
    if not networks.exists() or networks.read_bytes() != wanted:
        # by renaming, because another brownie may be reading it
        new = networks.with_suffix(f".{os.getpid()}.new")
        new.write_bytes(wanted)
        new.replace(networks)

    _forget_stale_builds()

    # read by py-solc-x
    os.environ["SOLCX_BINARY_PATH"] = str(TOOLCHAIN / "solc")
    ours = [str(Path(sys.executable).parent), str(ROOT / "node_modules" / ".bin")]
    path = [p for p in os.environ.get("PATH", os.defpath).split(os.pathsep) if p not in ours]
    os.environ["PATH"] = os.pathsep.join([*ours, *path])


def _forget_stale_builds() -> None:
    """Has everything compiled anew when a source or a setting has changed.

    By itself brownie overlooks imports that come by `using ... global`, and would test yesterday's library.
    """
    sources = [ROOT / "brownie-config.yaml", *sorted((ROOT / "contracts").rglob("*.sol"))]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = ROOT / "build" / "sources.sha256"
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(ROOT / "build" / "contracts", ignore_errors=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest)


@contextmanager
def as_home() -> Iterator[None]:
    """While this lasts, `~` is the project's `.home/`; enough for importing brownie."""
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(HOME)
    try:
        yield
    finally:
        if before is None:
            del os.environ["HOME"]
        else:
            os.environ["HOME"] = before
