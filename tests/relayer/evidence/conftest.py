import os

import pytest

from relayer.cli import main
from tests.relayer.cli.conftest import Ran
from tests.relayer.evidence import kit
from tests.relayer.store.conftest import (  # noqa: F401 - fixtures
    clock,
    database,
    new_database,
    open_store,
    postgres,
    store,
)


@pytest.fixture
def opened(rpc_url, tmp_path):
    """Makes agreements that are open on the chain, and their reporters; closes their databases."""
    made = []

    def make(**options):
        agreement = kit.open_agreement(rpc_url, tmp_path, **options)
        made_reporter = agreement.reporter

        def reporter(index=0, **more):
            made.append(made_reporter(index, **more))
            return made[-1]

        agreement.reporter = reporter
        return agreement

    yield make
    for relayer in made:
        relayer.store.close()


@pytest.fixture
def makegood(tmp_path, monkeypatch, capsys):
    """Runs a command in this process, in an empty folder and with nothing of the user's own."""
    for name in [name for name in os.environ if name.startswith(("MAKEGOOD_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)

    def run(*words) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def reported(opened):
    """One reporter, who has reported twelve minutes of both levels in one signature."""
    agreement = opened()
    relayer = agreement.reporter()
    relayer.measures(*kit.TWELVE)
    agreement.warp(12 * kit.MINUTE + 31)
    relayer.works()
    return relayer
