import json
import shutil
import subprocess
import sys

import pytest

from relayer.errors import ConfigurationError
from scripts import export


@pytest.fixture(scope="module")
def compiled():
    """What the sources compile to, here."""
    return export.compile_artifacts()


@pytest.fixture
def elsewhere(tmp_path):
    """A copy of what the export reads, in a folder of another name."""
    for name in ("contracts", "relayer/contracts"):
        shutil.copytree(export.PROJECT / name, tmp_path / name)
    shutil.copy(export.PROJECT / "brownie-config.yaml", tmp_path)
    (tmp_path / "node_modules").symlink_to(export.PROJECT / "node_modules")
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """One contract, for the sake of time."""
    monkeypatch.setattr(export, "SOURCES", {"TestDollar": export.SOURCES["TestDollar"]})


def test_the_artifacts_are_those_of_the_sources(compiled):
    for name, text in compiled.items():
        assert (export.PROJECT / export.ARTIFACTS / f"{name}.json").read_text() == text


def test_an_artifact_has_what_its_users_need(compiled):
    for name, text in compiled.items():
        artifact = json.loads(text)
        assert artifact["contractName"] == name
        assert artifact["compiler"]["evmVersion"] == "shanghai"
        kinds = {"constructor"} if name == "FeedLens" else {"function", "error"}
        assert {entry["type"] for entry in artifact["abi"]} >= kinds
        assert bytes.fromhex(artifact["bytecode"][2:])
        for start, length in artifact["immutables"]:
            code = bytes.fromhex(artifact["deployedBytecode"][2:])
            assert code[start : start + length] == bytes(length)
    assert json.loads(compiled["SLAEscrow"])["immutables"]


def test_a_stale_artifact_is_noticed_and_another_folder_makes_no_difference(
    elsewhere, small, compiled
):
    artifact = elsewhere / export.ARTIFACTS / "TestDollar.json"
    artifact.write_text(artifact.read_text().replace("0x60", "0x61", 1))
    assert export.stale_artifacts(elsewhere) == {artifact: compiled["TestDollar"]}


def test_writing_mends_what_is_stale_only(elsewhere, compiled, monkeypatch):
    monkeypatch.setattr(export, "compile_artifacts", lambda root: compiled)
    folder = elsewhere / export.ARTIFACTS
    (folder / "TestDollar.json").unlink()
    assert export.write_artifacts(elsewhere) == [folder / "TestDollar.json"]
    assert export.stale_artifacts(elsewhere) == {}
    assert sorted(file.name for file in folder.iterdir()) == sorted(f"{n}.json" for n in compiled)


def test_check_names_the_stale_file_and_the_command(monkeypatch, capsys, compiled):
    monkeypatch.setattr(export, "compile_artifacts", lambda root: compiled)
    assert export.main(["--check"]) == 0
    monkeypatch.setattr(export, "compile_artifacts", lambda root: {**compiled, "SLAEscrow": "new"})
    assert export.main(["--check"]) == 1
    error = capsys.readouterr().err
    assert "relayer/contracts/SLAEscrow.json is stale" in error
    assert "make artifacts" in error
    assert "TestDollar" not in error


def test_contracts_that_do_not_compile_say_why(elsewhere, small):
    source = elsewhere / "contracts" / "mocks" / "TestDollar.sol"
    source.write_text(source.read_text().replace("_mint(", "_mynt("))
    with pytest.raises(ConfigurationError, match="_mynt"):
        export.compile_artifacts(elsewhere)


def test_a_compiler_that_is_not_here_is_named(elsewhere):
    config = elsewhere / "brownie-config.yaml"
    config.write_text(config.read_text().replace("0.8.30", "0.8.99"))
    with pytest.raises(ConfigurationError, match=r"no compiler 0\.8\.99"):
        export.compile_artifacts(elsewhere)


def test_the_command_line_needs_nothing_but_python_and_node():
    run = subprocess.run(
        [sys.executable, "-m", "scripts.export", "--help"],
        cwd=export.PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--check" in run.stdout
