import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from relayer.cli import main

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "three-reporters.yaml"


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self):
        return json.loads(self.err.splitlines()[-1])["error"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder to work in, and nothing of the user's own."""
    for name in [name for name in os.environ if name.startswith(("MAKEGOOD_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def makegood(home, capsys):
    """Runs a command in this process."""

    def run(*words) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def agreement(home):
    """A copy of the sample document."""
    path = home / "agreement.yaml"
    path.write_text(SAMPLE.read_text())
    return path


@pytest.fixture
def key_file(home):
    """Writes the key of an account that others may not read."""

    def write(account, name="key"):
        path = home / name
        path.touch(mode=0o600)
        path.write_text(account.key.hex())
        return path

    return write
