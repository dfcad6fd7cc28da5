"""The `brownie` command as this project needs it: `python -m scripts.toolchain.brownie_cli test tests/contracts`.

The same command line as brownie's own, with its home, compiler, chains and fixes in place.
"""

import atexit
import os
import socket
import sys
import tempfile

from scripts.toolchain import brownie_home

# Replaces addopts of pyproject.toml, which switches brownie's pytest plugin off, and its filterwarnings, which makes
# warnings errors: brownie and its dependencies of 2021 would not survive that. Appended to the command line, because
# brownie wants a path as the first argument.
PYTEST_OPTIONS = [
    *("-o", "addopts=--import-mode=importlib --strict-markers --strict-config -ra"),
    *("-o", "filterwarnings=default"),
    "--disable-warnings",
]


def free_port() -> int:
    """A port nobody listens on: brownie joins whatever chain it finds on its own, even another run's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Runs brownie in the project's folder, with `.home/` as home for it and the chain it starts."""
    # Ganache leaves its database behind. It ends when brownie's own exit hook says so, and later hooks run earlier.
    folder = tempfile.TemporaryDirectory(prefix="makegood-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    os.environ["TMPDIR"] = folder.name
    run_brownie()


def run_brownie() -> None:
    os.chdir(brownie_home.ROOT)
    brownie_home.prepare()
    os.environ["HOME"] = str(brownie_home.HOME)
    # through the environment, so that pytest-xdist's workers learn it too
    os.environ.setdefault("MAKEGOOD_CHAIN_PORT", str(free_port()))

    sys.argv[0] = "brownie"
    if sys.argv[1:2] == ["test"]:
        sys.argv += PYTEST_OPTIONS

    from brownie._cli.__main__ import main as brownie_main  # noqa: PLC0415 - reads HOME on import

    import scripts.toolchain.brownie_fixes  # noqa: F401, PLC0415

    if sys.argv[1:2] == ["run"]:
        from brownie._cli import run  # noqa: PLC0415
        from brownie._config import CONFIG  # noqa: PLC0415
        from brownie.utils.docopt import docopt  # noqa: PLC0415

        from scripts.toolchain import run_command  # noqa: PLC0415

        run_command.check(docopt(run.__doc__), CONFIG.networks)
    brownie_main()


if __name__ == "__main__":
    main()
