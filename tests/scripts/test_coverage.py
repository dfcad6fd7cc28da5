"""How branch coverage is measured: with a contract that has every kind of branch, on a real chain."""

import json
import subprocess
from pathlib import Path

import pytest
from web3 import Web3
from web3.exceptions import ContractLogicError

from scripts.assurance import coverage, forge
from scripts.assurance.branches import Condition

SOURCE = Path(__file__).with_name("branching.sol")
CONTRACT = "contracts/deep/Branching.sol"


def a_project(folder):
    for file in (CONTRACT, "contracts/mocks/Mock.sol"):
        path = folder / file
        path.parent.mkdir(parents=True)
        path.write_text(SOURCE.read_text())
    (folder / "node_modules").symlink_to(forge.ROOT / "node_modules")
    return folder


def compiled(folder):
    """ABI and bytecode of the contract as it stands in the folder now."""
    sources = {
        str(path.relative_to(folder)): {"content": path.read_text()}
        for path in folder.glob("contracts/**/*.sol")
    }
    question = {
        "language": "Solidity",
        "sources": sources,
        "settings": {
            "evmVersion": "shanghai",
            "remappings": ["@openzeppelin/contracts=node_modules/@openzeppelin/contracts"],
            "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}},
        },
    }
    command = [str(coverage.COMPILER), "--standard-json"]
    answer = subprocess.run(
        command, input=json.dumps(question), cwd=folder, capture_output=True, text=True, check=True
    )
    contract = json.loads(answer.stdout)["contracts"][CONTRACT]["Branching"]
    return contract["abi"], contract["evm"]["bytecode"]["object"]


@pytest.fixture(scope="module")
def noting(tmp_path_factory):
    """Conditions, ABI and bytecode of a contract that notes its branches."""
    folder = a_project(tmp_path_factory.mktemp("project"))
    return coverage.instrument(folder), *compiled(folder)


@pytest.fixture
def taken(noting):
    """`taken(use)`: text and outcome of each condition that `use(contract)` meets."""
    conditions, abi, code = noting

    def during(use):
        branches = set()
        with coverage.noting_chain(branches) as port:
            w3 = Web3(Web3.HTTPProvider(f"http://127.0.0.1:{port}"))
            w3.eth.default_account = w3.eth.accounts[0]
            deployed = w3.eth.contract(abi=abi, bytecode=code).constructor().transact()
            address = w3.eth.wait_for_transaction_receipt(deployed)["contractAddress"]
            use(w3.eth.contract(address, abi=abi).functions)
        return {(conditions[number].text, outcome) for number, outcome in branches}

    return during


def test_every_condition_is_found_once_and_mocks_have_none(noting):
    conditions, *_ = noting
    found = {(condition.line, condition.text) for condition in conditions}
    assert found == {
        (11, "a == 1"),
        (11, "b == 1"),
        (11, "a > 9"),
        (11, "a == 0"),
        (11, "b == 0"),
        (12, "b == 3"),
        (16, "i < count"),
        (17, "refuse"),
        (18, "sum < 100"),
        (24, "gt(size, 1)"),
        (27, "lt(i, size)"),
        (33, "nonReentrant locked"),
        (34, "again"),
        (37, "nonReentrant tried"),
        (38, "this.locked(again)"),
    }
    assert [condition.number for condition in conditions] == list(range(len(found)))
    assert {condition.file for condition in conditions} == {CONTRACT}


def test_a_pure_function_notes_what_it_evaluates_and_nothing_that_it_passes_over(taken):
    def use(contract):
        assert contract.pick(1, 1).call()
        assert contract.pick(2, 3).call() is False

    assert taken(use) == {
        *(("a == 1", True), ("b == 1", True), ("a > 9", False), ("b == 3", False)),
        *(("a == 1", False), ("a == 0", False), ("b == 0", False)),
    }


def test_what_was_noted_before_a_revert_counts(taken):
    def use(contract):
        with pytest.raises(ContractLogicError, match="refused"):
            contract.add(1, True).call()

    assert taken(use) == {("i < count", True), ("i < count", False), ("refuse", True)}


def test_transactions_count_like_calls(taken):
    def use(contract):
        contract.add(0, False).transact({"gas": 200_000})

    assert taken(use) == {("i < count", False), ("refuse", False), ("sum < 100", True)}


@pytest.mark.parametrize(
    ("size", "noted"),
    [
        (0, {("gt(size, 1)", False), ("lt(i, size)", False)}),
        (1, {("gt(size, 1)", False), ("lt(i, size)", True), ("lt(i, size)", False)}),
        (2, {("gt(size, 1)", True), ("lt(i, size)", True), ("lt(i, size)", False)}),
    ],
)
def test_assembly_is_followed(taken, size, noted):
    def use(contract):
        assert contract.words(size).call() == (7 * (size > 0)).to_bytes(32, "big") + bytes(32)

    assert taken(use) == noted


def test_a_lock_is_covered_when_it_has_refused_somebody(taken):
    def use(contract):
        contract.locked(False).call()
        with pytest.raises(ContractLogicError):
            contract.locked(True).call()

    assert taken(use) == {
        *(("nonReentrant locked", False), ("again", False)),
        *(("again", True), ("nonReentrant locked", True)),
    }


def test_a_try_notes_how_it_went(taken):
    assert ("this.locked(again)", False) in taken(lambda contract: contract.tried(False).call())


def test_lines_that_are_no_notes_are_passed_over():
    lines = [b"eth_call\n", b"12 1\n", b"    12 1\n", b"12 0\n", b"12 2\n", b"Block 12 1\n"]
    assert set(coverage.notes(lines)) == {(12, True), (12, False)}


CONDITIONS = [
    Condition(0, "contracts/a/A.sol", 3, "x"),
    Condition(1, "contracts/a/A.sol", 4, "y"),
    Condition(2, "contracts/B.sol", 5, "z"),
]


def test_the_report_names_what_was_not_taken():
    report = coverage.report(CONDITIONS, {(0, True), (0, False), (1, True), (2, False)})
    assert (report["branches"], report["covered"], report["percent"]) == (6, 4, 66.66)
    assert report["folders"]["contracts/a"] == {"branches": 4, "covered": 3, "percent": 75.0}
    assert report["files"]["contracts/a/A.sol"]["uncovered"] == [
        {"at": "contracts/a/A.sol:4", "condition": "y", "never": False}
    ]
    assert report["files"]["contracts/B.sol"]["uncovered"] == [
        {"at": "contracts/B.sol:5", "condition": "z", "never": True}
    ]


def test_only_all_branches_are_a_hundred_percent():
    conditions = [Condition(number, "contracts/A.sol", 1, "x") for number in range(10_001)]
    all_taken = {(number, way) for number in range(10_001) for way in (True, False)}
    assert coverage.report(conditions, all_taken)["percent"] == 100
    assert coverage.report(conditions, all_taken - {(5, True)})["percent"] == 99.99


def test_branches_within_branches_of_assembly_are_refused(tmp_path):
    folder = a_project(tmp_path)
    source = SOURCE.read_text().replace("size := 1", "if eq(size, 5) { size := 1 }")
    (folder / CONTRACT).write_text(source)
    with pytest.raises(SystemExit, match=r"Branching\.sol:25: cannot follow a branch"):
        coverage.instrument(folder)
