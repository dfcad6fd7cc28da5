"""What a relayer needs of the machine that it runs on."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from relayer.cli.checks.finding import Finding, State, guarded
from relayer.config.values import shown
from relayer.redaction import redacted_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.cli.checks.finding import Known
    from relayer.store import Store

LEAST_FREE = 200 << 20
LOW_FREE = 2 << 30
"""Bytes of disk. A relayer of 1,000 feeds writes less than the latter in a year."""
LEAST_FILES = 256
LOW_FILES = 1_024


def database(known: Known) -> Finding:
    """Whether it can be written to; one that exists is opened, which brings its tables up to date."""
    target, name = known.config.database_target(), known.config.database_shown()
    if isinstance(target, Path):
        try:
            with tempfile.TemporaryFile(dir=_existing(target)):
                pass
            if target.exists() and not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            mend = "set database to a file in a folder that you may write to"
            return Finding("database", "failed", f"{name}: {error.strerror}", mend)
        if not target.exists():
            return Finding("database", "ok", f"{name} (will be made)")
    from relayer.store import Store

    known.store = Store(target)
    return Finding("database", "ok", name)


def lease(known: Known) -> Iterator[Finding]:
    """Whether another process uses the key, as this database knows."""
    if known.store is not None and known.address is not None:
        yield guarded("lease", partial(_lease, known, known.store, known.address))


def _lease(known: Known, store: Store, address: str) -> Finding:
    held = store.leases.holder(address)
    if held is None or held[1] <= store.leases.now():
        return Finding("lease", "ok", "no relayer is running with this key")
    from relayer.store.leases import Process

    known.in_use = True
    process = Process.parse(held[0])
    who = f"process {process.pid} on {process.host}" if process else held[0]
    return Finding("lease", "ok", f"a relayer is running with this key: {who}")


def resources(known: Known) -> Finding:
    """Room on the disk and open files. Of a database server's disk nothing is known here."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = files == resource.RLIM_INFINITY
    detail = "any number of open files" if unlimited else f"{files} open files"
    state: State = "ok"
    mend = None
    if not unlimited and files < LOW_FILES:
        state = "warning" if files >= LEAST_FILES else "failed"
        mend = f"allow {LOW_FILES} open files: ulimit -n, or LimitNOFILE= of the systemd unit"
    target = known.config.database_target()
    if isinstance(target, Path):
        free = shutil.disk_usage(_existing(target)).free
        detail = f"{free / (1 << 30):.1f} GiB free for the database, {detail}"
        if free < LOW_FREE:
            state = "warning" if free >= LEAST_FREE and state != "failed" else "failed"
            mend = f"make room where {target} is, or set database to another disk"
    return Finding("machine", state, detail, mend)


def ports(known: Known) -> Iterator[Finding]:
    """Whether the relayer can listen where it is to."""
    config = known.config
    for name, place in (
        ("exchange.listen", config.exchange.listen),
        ("operations.listen", config.operations.listen),
    ):
        if place is not None:
            yield _port(name, place, in_use=known.in_use)


def _port(name: str, place: tuple[str, int], *, in_use: bool) -> Finding:
    where = shown(place) or ""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            *place, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE and in_use:
            return Finding(name, "ok", f"{where} is in use, as by the relayer that is running")
        mends = {
            errno.EADDRINUSE: "something else listens there: end it, or choose another port",
            errno.EADDRNOTAVAIL: "name an address of this machine, or 0.0.0.0 for all of them",
            errno.EACCES: "choose a port from 1024 on",
        }
        mend = mends.get(error.errno or 0, "name an address of this machine and a free port")
        return Finding(name, "failed", f"{where}: {error.strerror}", mend)
    return Finding(name, "ok", f"{where} is free")


def webhook(known: Known) -> Iterator[Finding]:
    """Where alerts go. Nothing is sent there."""
    hook = known.config.operations.webhook
    if hook is None:
        return
    url = hook.get_secret_value()
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not local:
        mend = "use https:// for operations.webhook"
        yield Finding("webhook", "warning", f"{redacted_url(url)} is not encrypted", mend)
    elif not local and not (parts.path.strip("/") or parts.query):
        mend = "copy the whole address of the webhook, which names a channel or a token"
        yield Finding("webhook", "warning", f"{redacted_url(url)} names only a host", mend)
    else:
        yield Finding("webhook", "ok", redacted_url(url))


def _existing(path: Path) -> Path:
    """The nearest folder above a path that is there."""
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    return folder
