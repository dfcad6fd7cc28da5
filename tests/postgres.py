"""A real PostgreSQL for tests: Debian's package, with its data in a temporary folder, on a free port of this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from relayer.demo.processes import free_port

PROGRAMS = Path("/usr/lib/postgresql")
WAIT_SECONDS = 60


def programs() -> Path:
    """Where initdb and postgres lie; without them tests are skipped, and on the build server they fail."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    reason = "PostgreSQL is not installed: apt-get install postgresql"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Postgres:
    """A server. Between :meth:`stop` and :meth:`start` its data stays; its port does too."""

    def __init__(self, folder: Path) -> None:
        self._programs = programs()
        self._folder = folder
        self._user = unprivileged_user()
        self._process: subprocess.Popen | None = None
        self._numbers = count(1)
        self.port = free_port()
        if self._user:
            shutil.chown(folder, self._user)
        self._sockets = folder / "sockets"
        self._data = folder / "data"
        self._run("mkdir", self._sockets)
        initdb = self._programs / "initdb"
        # No password: only this machine can reach it, and it holds nothing.
        options = ["-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-U", "makegood"]
        self._run(initdb, *options, "-D", self._data)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://makegood@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database of its own."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._sockets,
            "fsync": "off",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                **self._identity(),
            )
        last = time.monotonic() + WAIT_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > last:
                self.stop()
                raise RuntimeError((self._folder / "log").read_text()[-2_000:])
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGINT) -> None:
        """End it: by default so that all connections are cut at once; with SIGQUIT as if it had crashed."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(WAIT_SECONDS)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def running(self) -> bool:
        return self._process is not None

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, *command: object) -> None:
        words = [str(word) for word in command]
        done = subprocess.run(
            words, cwd=self._folder, capture_output=True, check=False, text=True, **self._identity()
        )
        assert done.returncode == 0, done.stderr

    def _identity(self) -> dict:
        if not self._user:
            return {}
        entry = pwd.getpwnam(self._user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def unprivileged_user() -> str | None:
    """Whom to run as, since PostgreSQL refuses root; None: as whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    users = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in users)


@contextmanager
def running_postgres():
    """A started server, ended and removed afterwards."""
    # Not pytest's folder: its parents are closed to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="makegood-postgres-"))
    try:
        server = Postgres(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
