"""`makegood evidence`: the raw answers behind readings: encrypted at rest, handed over, and checked by the other party."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relayer.cli.moment import moment
from relayer.cli.output import output_options
from relayer.cli.session import DOCUMENT, session_options
from relayer.document.quantities import show_time
from relayer.errors import ChecksFailed, ConfigurationError, MakegoodError
from relayer.explanation.words import plural

if TYPE_CHECKING:
    from relayer.cli.output import Output
    from relayer.cli.session import Session
    from relayer.document import AgreedLevel, Document
    from relayer.evidence.package import Package
    from relayer.evidence.verify import Verification, Verified
    from relayer.store import Store

_LAST = (1 << 32) - 2
_SHOWN_GAPS = 5
_SHOWN_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@output_options
@click.pass_obj
def key(output: Output) -> None:
    """Print a fresh key for `evidenceKey`. Nobody can open what was encrypted with a key that is lost: keep a copy."""
    from relayer.evidence.cipher import fresh_key, name_of, read_key

    made = fresh_key()
    output.data({"key": made, "name": name_of(read_key(made))}, lambda: output.line(made))


@click.command()
@session_options
@output_options
def encrypt(session: Session) -> None:
    """Encrypt what the database holds already with the first key of `evidenceKey`.

    Once after the first key was set, and after each change of keys. May run beside the relayer; restart that with the new key
    first, or it goes on as before.
    """
    from relayer.store.encryption import encrypt as encrypt_all

    store = _store(session)
    try:
        if not store.cipher.names:
            raise ConfigurationError(
                "there is no key to encrypt with",
                hint="make one with `makegood evidence key`, keep it in a file, and set evidenceKey: ${file:/path}",
            )
        with session.output.working(f"encrypting with key {store.cipher.names[0]}"):
            found = encrypt_all(store)
    finally:
        store.close()
    data = {
        "key": store.cipher.names[0],
        **{
            name: {
                "encrypted": each.changed,
                "asBefore": each.current,
                "unreadable": each.unreadable,
            }
            for name, each in found.items()
        },
    }
    rows = [(name, each.changed, each.current, each.unreadable) for name, each in found.items()]
    session.output.data(
        data, lambda: session.output.table(["table", "encrypted", "as before", "unreadable"], rows)
    )
    if any(each.unreadable for each in found.values()):
        session.output.warn(
            "some rows were encrypted with a key that is not configured, or altered: they stay as they are. If you have "
            "the old key, add it to evidenceKey after the new one, and repeat this"
        )


@click.command()
@click.argument("document", type=DOCUMENT)
@click.option("--level", "level_name", help="Name of the service level, if there are several.")
@click.option("--interval", type=click.IntRange(0, _LAST), help="Number of one interval.")
@click.option("--window", type=click.IntRange(min=0), help="All intervals of a window.")
@click.option("--from", "begin", metavar="TIME", help="UNIX seconds, or 2027-01-31T12:00:00Z.")
@click.option("--to", "until", metavar="TIME", help="The first moment that is not asked for.")
@click.option("--output", "file", type=_SHOWN_FILE, help="A new file, instead of standard output.")
@session_options
@output_options
def export(
    session: Session, document: Path, level_name: str | None, file: Path | None, **which: Any
) -> None:
    """Write the raw answers behind our readings of DOCUMENT's level into a file for the other party.

    The file holds what was signed with them, and no credentials. `makegood evidence verify` checks it.
    """
    from relayer.evidence.export import export as export_from

    agreement = session.document(document)
    level = _level(agreement, level_name)
    first, end = _intervals(agreement, level, **which)
    store = _store(session)
    try:
        with session.output.working("collecting evidence"):
            package = export_from(store, agreement, level, first, end)
    finally:
        store.close()
    _refuse_nothing(package)
    content = package.dump()
    _refuse_secrets(package, session.config.source_secrets())
    if file is None:
        click.echo(content, nl=False)  # to hide anything in it would make it worthless
    else:
        _write(file, content)
    _say_what_was_exported(session, package, file)


@click.command()
@click.argument("file", type=_SHOWN_FILE)
@click.option(
    "--agreement", "document", type=DOCUMENT, required=True, help="The SLA document, unchanged."
)
@click.option("--offline", is_flag=True, help="Leave out what the chain says.")
@session_options
@output_options
def verify(session: Session, file: Path, document: Path, *, offline: bool) -> None:
    """Check evidence from the other party: who signed, that the raw answers are those, and that they mean what was signed.

    Needs the document, and, unless `--offline` is given, an RPC endpoint; no key, no database, no credentials.
    """
    from relayer.evidence import package as packages
    from relayer.evidence import verify as verification

    content = _content(file, packages.MAX_BYTES)
    agreement = session.document(document)
    package = packages.read(content, str(file))
    level = verification.level_of(package, agreement)
    if not offline and session.config.rpc_url is None:
        session.output.note("note: no RPC endpoint is configured: what the chain says is left out")
        offline = True
    chain = None if offline else session.chain(agreement.chain_id)
    with session.output.working("checking evidence"):
        found = verification.verify(package, agreement, chain)
    session.output.data(
        _as_json(package, found), lambda: _show(session.output, package, level, found)
    )
    if not found.holds:
        raise ChecksFailed(_summary(found), hint="the lines above say what does not hold")
    session.output.note(_summary(found))


def _store(session: Session) -> Store:
    from relayer.evidence.cipher import Cipher
    from relayer.store import Store

    where = session.config.database_target()
    if isinstance(where, Path) and not where.exists():
        raise ConfigurationError(
            f"there is no database {where}", hint="set database, or give --database: the relayer's"
        )
    store = Store(where)
    store.cipher = Cipher(session.config.evidence_keys())
    return store


def _level(agreement: Document, name: str | None) -> AgreedLevel:
    known = ", ".join(level.name for level in agreement.levels)
    if name is None and len(agreement.levels) > 1:
        raise click.UsageError(f"say which service level with --level: {known}")
    for level in agreement.levels:
        if name in (level.name, None):
            return level
    raise ConfigurationError(f"{agreement.path} has no service level {name!r}; it has {known}")


def _intervals(
    agreement: Document,
    level: AgreedLevel,
    *,
    interval: int | None,
    window: int | None,
    begin: str | None,
    until: str | None,
) -> tuple[int, int]:
    """The intervals that were asked for, [first, end)."""
    measurement, terms = level.feed.measurement, agreement.terms
    if [interval, window, begin].count(None) != 2 or (begin is None) != (until is None):
        raise click.UsageError("say which intervals: --interval N, --window W, or --from T --to T")

    def first_of(number: int) -> int:
        feed_window = terms.feed_window(agreement.levels.index(level), number)
        return measurement.window_begin(feed_window)

    after_last = first_of(terms.windows)
    if interval is not None:
        if interval >= after_last:
            raise ConfigurationError(
                f"interval {interval}: the level has {after_last}",
                hint=f"they are numbered from 0 to {after_last - 1}; --from and --to take times",
            )
        return interval, interval + 1
    if window is not None:
        if window >= terms.windows:
            raise ConfigurationError(
                f"{agreement.path} has windows 0 to {terms.windows - 1}, not {window}"
            )
        return first_of(window), first_of(window + 1)
    first = max(0, (moment(begin or "") - measurement.start) // measurement.interval)
    end = -(-(moment(until or "") - measurement.start) // measurement.interval)
    end = min(end, after_last)
    if end <= first:
        first_time, last_time = measurement.start, measurement.start_of(after_last)
        raise ConfigurationError(
            f"no interval lies between {begin} and {until}",
            hint=f"the level has those from {show_time(first_time)} to {show_time(last_time)}",
        )
    return first, end


def _content(file: Path, most: int) -> bytes:
    """A file that can be read and is JSON, whatever it says."""
    from pydantic_core import from_json

    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
    if len(content) > most:
        raise ChecksFailed(f"{file} has more than {most >> 20} MiB: it is no evidence")
    try:
        from_json(content, allow_inf_nan=False)
    except ValueError:
        raise ConfigurationError(
            f"{file} is no JSON: it was cut off, or is another file",
            hint="`makegood evidence export` makes such files; ask for it again",
        ) from None
    return content


def _refuse_nothing(package: Package) -> None:
    """A file that shows nothing would look like evidence."""
    if package.readings:
        return
    why = [f"{_span(gap.first, gap.end)}: {gap.reason}" for gap in package.missing]
    more = f"; and {len(why) - _SHOWN_GAPS} more" if len(why) > _SHOWN_GAPS else ""
    raise ChecksFailed(
        f"nothing to export: {'; '.join(why[:_SHOWN_GAPS])}{more}",
        hint="`makegood sla status` shows what was reported; is this the relayer's database?",
    )


def _refuse_secrets(package: Package, secrets: list[str]) -> None:
    """Evidence cannot be blackened: its hash was signed. So it is not handed over at all."""
    for kept in package.readings:
        if any(secret in kept.evidence for secret in secrets):
            raise MakegoodError(
                f"nothing was exported: the evidence of interval {kept.interval} has a secret of the configuration in it, "
                "which the monitoring service must have put into its answer",
                hint="change that secret at the monitoring service; then it is worthless, and can be handed over",
            )


def _write(file: Path, content: bytes) -> None:
    """A new file, for nobody else to read: what was there is somebody's evidence, too."""
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{file} is there already, and is not overwritten",
            hint="give --output another name, or move the file away",
        ) from None
    except OSError as error:
        raise MakegoodError(f"{file} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(opened, "wb") as new:
            new.write(content)
    except OSError as error:
        file.unlink(missing_ok=True)  # half of it would be in the way of the next attempt
        raise MakegoodError(f"{file} cannot be written: {error.strerror}") from error


def _say_what_was_exported(session: Session, package: Package, file: Path | None) -> None:
    output = session.output
    for gap in package.missing:
        output.warn(f"not exported: {_span(gap.first, gap.end)}: {gap.reason}")
    if package.private:
        output.note(
            "the readings of this level are private: hand the file to parties and reporters only"
        )
    if file is not None:
        readings, batches = len(package.readings), len(package.batches)
        said = f"{plural(readings, 'reading')} and {plural(batches, 'signature')} of them"
        data = {
            "file": str(file),
            "readings": readings,
            "batches": batches,
            "missing": [
                {"first": gap.first, "end": gap.end, "reason": gap.reason}
                for gap in package.missing
            ],
            "private": package.private,
        }
        output.data(data, lambda: output.line(f"{file}: {said}"))


def _span(first: int, end: int) -> str:
    return f"interval {first}" if end == first + 1 else f"intervals {first} to {end - 1}"


def _as_json(package: Package, found: Verification) -> dict[str, Any]:
    return {
        "agreementId": f"0x{package.agreement.hex()}",
        "level": package.level,
        "feedId": f"0x{package.feed.hex()}",
        "first": package.first,
        "end": package.end,
        "holds": found.holds,
        "missing": found.missing,
        "missingBecause": [
            {"first": gap.first, "end": gap.end, "reason": gap.reason} for gap in package.missing
        ],
        "readings": [
            {
                "interval": reading.interval,
                "reporter": reading.reporter,
                "signed": reading.code,
                "judged": reading.judged,
                "status": reading.status.value,
                "checks": {
                    name: {"status": finding.status.value, "said": finding.said}
                    for name, finding in reading.findings.items()
                },
            }
            for reading in found.readings
        ],
    }


def _show(output: Output, package: Package, level: AgreedLevel, found: Verification) -> None:
    from relayer.evidence.verify import CHECKS, Status, show

    measurement = level.feed.measurement

    def why(reading: Verified) -> str:
        findings = reading.findings.values()
        said = [finding.said for finding in findings if finding.status is not Status.HOLDS]
        return "; ".join(dict.fromkeys(said))

    output.table(
        ["interval", "begins", "reporter", "signed", "judged", *CHECKS, "why"],
        [
            [
                reading.interval,
                show_time(measurement.start_of(reading.interval)),
                reading.reporter,
                show(reading.code, level),
                None if reading.judged is None else show(reading.judged, level),
                *(reading.findings[name].status.value for name in CHECKS),
                why(reading),
            ]
            for reading in found.readings
        ],
    )
    for gap in package.missing:
        output.warn(f"not handed over: {_span(gap.first, gap.end)}: {gap.reason}")


def _summary(found: Verification) -> str:
    from relayer.evidence.verify import Status

    counts = found.counts
    parts = [
        f"{counts[Status.HOLDS]} of {len(found.readings)} readings hold",
        f"{counts[Status.FAILS]} fail" if counts[Status.FAILS] else "",
        f"{counts[Status.UNCHECKED]} could not be checked" if counts[Status.UNCHECKED] else "",
        f"{found.missing} intervals were not handed over" if found.missing else "",
    ]
    return ", ".join(filter(None, parts))
