"""`makegood relayer backup` and `restore`."""

from __future__ import annotations

import json

import click
import pytest

from relayer.cli.backup import backup, restore
from relayer.cli.output import Output
from relayer.store import Answered

A = b"a" * 32


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs one of the two commands on a database, as `makegood relayer` does; returns what it said on its two streams."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run_it(command, file, database, *words, as_json=False):
        capsys.readouterr()
        context = click.Context(command, obj=Output(json=as_json))
        with context:
            command.parse_args(context, [str(file), "--database", str(database), *words])
            command.invoke(context)
        return capsys.readouterr()

    return run_it


@pytest.fixture
def filled(store):
    store.bind(31_337)
    store.readings.save([Answered(A, k, 1, "probe", b"raw", A) for k in range(1_200)])
    return store


def test_a_copy_goes_from_one_database_to_another(
    filled, run, database, new_database, tmp_path, open_store
):
    said = run(backup, tmp_path / "copy", database)
    assert "31337" in said.out
    assert "1,200 readings" in said.out
    other = new_database()
    said = run(restore, tmp_path / "copy", other)
    assert "1,200 readings" in said.out
    restored = open_store(other)
    assert len(restored.readings.answered(A, 0)) == 1_200
    assert restored.meta("chain_id") == "31337"


def test_a_restore_says_what_will_not_be_signed(filled, run, database, new_database, tmp_path):
    run(backup, tmp_path / "copy", database)
    said = run(restore, tmp_path / "copy", new_database(), as_json=True)
    data = json.loads(said.out)
    assert data["rows"]["readings"] == 1_200
    assert data["signFrom"].startswith("20")
    assert f"Intervals that ended before {data['signFrom']} will not be signed" in said.err
    assert "Never start a relayer on the old database again" in said.err


def test_a_password_is_not_shown(run, postgres, tmp_path):
    url = postgres.new_database().replace("makegood@", "makegood:hunter2@")
    said = run(backup, tmp_path / "copy", url)
    assert "hunter2" not in said.out + said.err
