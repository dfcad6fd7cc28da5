import json
from dataclasses import replace

import pytest

from relayer.errors import ConfigurationError
from scripts import deployments
from scripts.deployments import ESCROW, ORACLE, Deployed

FIRST = Deployed(
    address="0x5FbDB2315678afecb367f032d93F642f64180aa3",
    deployer="0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    transaction="0x" + "ab" * 32,
    block=7,
    source_hash="0x" + "cd" * 32,
)
SECOND = replace(FIRST, address="0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512", block=8)


def test_what_is_recorded_is_read_back():
    deployments.record(1, ORACLE, FIRST)
    deployments.record(1, ESCROW, SECOND)
    assert deployments.recorded(1).contracts == {ORACLE: FIRST, ESCROW: SECOND}
    assert deployments.recorded(1).oracle == FIRST.address
    assert deployments.recorded(1).token is None
    assert deployments.recorded(2).contracts == {}


def test_a_missing_contract_says_what_to_do():
    with pytest.raises(ConfigurationError, match="no SLAEscrow is recorded for chain 5") as error:
        _ = deployments.recorded(5).escrow
    assert "deploy first" in error.value.hint


def test_an_entry_is_not_overwritten():
    deployments.record(1, ORACLE, FIRST)
    with pytest.raises(ConfigurationError, match="already has a MonitoringOracle"):
        deployments.record(1, ORACLE, SECOND)
    assert deployments.recorded(1).oracle == FIRST.address


def test_a_replaced_entry_is_kept_in_the_history():
    deployments.record(1, ORACLE, FIRST)
    deployments.record(1, ORACLE, SECOND, replace=True)
    deployments.record(1, ORACLE, FIRST, replace=True)
    content = json.loads(deployments.path(1).read_text())
    assert deployments.recorded(1).oracle == FIRST.address
    assert [entry["address"] for entry in content["history"]] == [FIRST.address, SECOND.address]
    assert {entry["contract"] for entry in content["history"]} == {ORACLE}


def test_writing_leaves_no_other_file():
    deployments.record(1, ORACLE, FIRST)
    assert list(deployments.path(1).parent.iterdir()) == [deployments.path(1)]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"chainId": 1}'])
def test_a_damaged_file_is_never_taken_for_an_empty_one(text):
    deployments.path(1).parent.mkdir()
    deployments.path(1).write_text(text)
    with pytest.raises(ConfigurationError, match="is damaged"):
        deployments.recorded(1)
    with pytest.raises(ConfigurationError, match="is damaged"):
        deployments.record(1, ORACLE, FIRST, replace=True)
    assert deployments.path(1).read_text() == text


def test_another_chains_file_is_refused():
    deployments.record(1, ORACLE, FIRST)
    deployments.path(1).rename(deployments.path(10))
    with pytest.raises(ConfigurationError, match="is about chain 1"):
        deployments.recorded(10)


@pytest.mark.parametrize(
    ("chain_id", "local", "test"),
    [(31337, True, True), (1337, True, True), (11155111, False, True), (80002, False, True)]
    + [(chain_id, False, False) for chain_id in (1, 10, 137, 8453, 42161, 999)],
)
def test_which_chains_are_for_play(chain_id, local, test):
    assert deployments.is_local(chain_id) is local
    assert deployments.is_test_chain(chain_id) is test
