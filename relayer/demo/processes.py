"""The processes of the demonstration, each with an end: whoever starts one here stops it, by its process id."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

import requests

from relayer.errors import MakegoodError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MNEMONIC = "test test test test test test test test test test test junk"
START_SECONDS = 120
STOP_SECONDS = 10
_PORTS = range(20_000, 32_000)


class Process:
    """A child process with its own log file.

    :param name: What it is, for error messages.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._env = {**environment(log.parent), **(env or {})}
        self._output: IO[bytes] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._asked = False

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._child.pid

    def start(self) -> None:
        self._asked = False
        self._output = self.log.open("ab")
        self._child = subprocess.Popen(  # noqa: S603 - commands of our own
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=self._env,
        )

    def wait_until(self, ready: Callable[[], bool], timeout: float = START_SECONDS) -> None:
        """Wait until it answers.

        :raises MakegoodError: It ended, or did not answer in time; its last words are in the message.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            ended = self._child is not None and self._child.poll() is not None
            if ended or time.monotonic() > deadline:
                what = "ended" if ended else f"did not answer within {timeout:g} s"
                raise MakegoodError(f"{self.name} {what}: {self.last_words()}")
            time.sleep(0.05)

    def last_words(self) -> str:
        """The end of its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        return text[-500:] or "it said nothing"

    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._signal(signal.SIGKILL)
        self._wait()

    def ask_to_end(self) -> None:
        """Once: a second SIGTERM would end a relayer in the middle of what it does."""
        if not self._asked:
            self._asked = True
            self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask it to end; if it does not, make it."""
        self.ask_to_end()
        self._wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.poll() is None:
            with suppress(ProcessLookupError):
                self._child.send_signal(number)

    def _wait(self) -> None:
        if self._child is not None:
            try:
                self._child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        if self._output is not None:
            self._output.close()
            self._output = None


def environment(folder: Path) -> dict[str, str]:
    """What child processes see: not the user's own configuration, which would win over that of the demonstration."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKEGOOD_")}
    return {**own, "XDG_CONFIG_HOME": str(folder / "config")}


@contextmanager
def stopped_at_the_end(process: Process) -> Iterator[Process]:
    try:
        yield process
    finally:
        process.stop()


def local_chain(
    kind: str, folder: Path, *, block_seconds: int | None = None
) -> tuple[Process, str]:
    """A chain of our own on a free port of 127.0.0.1, and its RPC address. Not started yet.

    :param kind: ``anvil`` or ``ganache``.
    :param block_seconds: Time between blocks; None mines every transaction at once.
    """
    port = free_port()
    program = find_program(kind)
    env = {}
    if kind == "anvil":
        options = ["--host", "127.0.0.1", "--port", str(port), "--mnemonic", MNEMONIC]
        # Without it anvil keeps the state of every block on disk for ever; without a number, not even that of the block
        # before the newest, so that a call that meets a new block fails.
        options += ["--prune-history", "64", "--silent"]
        if block_seconds is not None:
            options += ["--block-time", str(block_seconds)]
    else:
        options = ["--server.host", "127.0.0.1", "--server.port", str(port)]
        options += ["--wallet.mnemonic", MNEMONIC, "--chain.hardfork", "shanghai"]
        options += ["--chain.chainId", "1337", "--logging.quiet"]
        env["TMPDIR"] = str(folder)  # its database, which it leaves behind
        if block_seconds is not None:
            options += ["--miner.blockTime", str(block_seconds)]
    chain = Process(kind, [program, *options], folder / f"{kind}.log", env)
    return chain, f"http://127.0.0.1:{port}"


def answers_rpc(rpc_url: str) -> bool:
    """Whether a chain answers there."""
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    try:
        return "result" in requests.post(rpc_url, json=question, timeout=2).json()
    except (requests.RequestException, ValueError):
        return False


def accepts_connections(port: int) -> bool:
    """Whether something listens on a port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nobody listens on.

    They are drawn, and not of those that systems give to whoever asks for any: until somebody listens there, no other
    program is given them.

    :raises MakegoodError: There are not so many.
    """
    drawn = secrets.SystemRandom().sample(_PORTS, len(_PORTS))
    with ExitStack() as stack:
        free = (port for port in drawn if _bound(stack.enter_context(socket.socket()), port))
        found = list(islice(free, count))
    if len(found) < count:
        raise MakegoodError(
            f"{count} free ports are needed; of {_PORTS[0]} to {_PORTS[-1]} at 127.0.0.1 {len(found)} are"
        )
    return found


def _bound(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        probe.close()
        return False
    return True


def find_program(name: str) -> str:
    """A program of PATH, or of the checkout's node_modules."""
    local = Path.cwd() / "node_modules" / ".bin" / name
    found = shutil.which(name) or (str(local) if local.exists() else None)
    if found is None:
        raise MakegoodError(
            f"{name} is not installed", hint="in a checkout, `make demo` installs it"
        )
    return found


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs a module with this very Python."""
    return [sys.executable, "-m", module, *arguments]
