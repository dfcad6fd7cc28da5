"""The shared vectors, put to the contracts. `tests/relayer/protocol` puts them to the Python twin."""

import brownie
import pytest

from tests.contracts.escrow.world import read
from tests.vectors import load

CREDIT, TERMS = load("credit"), load("terms")
ZERO = "0x" + "00" * 20
NOTHING = "0x" + "00" * 32


def in_parts(calls, size=50):
    for first in range(0, len(calls), size):
        yield from read(*calls[first : first + size])


def terms_as_abi(terms, **changes):
    terms = terms | changes
    levels = [
        (level["feed"], level["tiers"], level["per_bad"], level["removed"])
        for level in terms["levels"]
    ]
    return (*({**terms, "levels": levels}).values(),)


def terms_for_credit(vector):
    """Only what decides about credit is filled in."""
    terms = dict.fromkeys(TERMS["terms"][0]["terms"], 0)
    terms |= dict.fromkeys(("provider", "consumer", "token", "oracle", "arbiter"), ZERO)
    terms |= dict.fromkeys(("previous", "document", "salt"), NOTHING)
    names = "combination", "unknown_limit", "unknown_credit"
    terms |= {name: vector[name] for name in names}
    terms |= {"credit_cap": vector["cap"], "unknown_policy": vector["policy"]}
    levels = [
        {
            "feed": (NOTHING, 0, level["range"][0] | level["range"][1] << 32, NOTHING),
            "tiers": level["tiers"],
            "per_bad": level["per_bad"],
            "removed": level["removed"],
        }
        for level in vector["levels"]
    ]
    return terms_as_abi(terms | {"levels": levels})


def test_credits(harness):
    """Rules 4, 7 and 24."""
    calls = [
        (harness.windowCredit, terms_for_credit(v), [level["tally"] for level in v["levels"]])
        for v in CREDIT["windows"]
    ]
    for vector, credit in zip(CREDIT["windows"], in_parts(calls), strict=True):
        assert credit == vector["expected"], vector


def test_owed(harness):
    """Rule 7: rounded once, down."""
    calls = [
        (harness.owedDown, int(fee), credit, int(paid)) for fee, credit, paid, _ in CREDIT["owed"]
    ]
    for vector, owed in zip(CREDIT["owed"], in_parts(calls), strict=True):
        assert owed == int(vector[3]), vector


@pytest.fixture(scope="module")
def predicted_escrow(module_isolation):
    """An escrow, a token and an oracle at the addresses that the vectors were signed for."""
    deployer = {"from": brownie.accounts[TERMS["deployer"][0]]}
    made = [
        container.deploy(deployer)
        for container in (brownie.SLAEscrow, brownie.TestDollar, brownie.MonitoringOracle)
    ]
    assert [contract.address for contract in made] == TERMS["contracts"]
    return made[0]


def test_hashes_and_ids(harness, predicted_escrow):
    """Rule 21."""
    calls = []
    for vector in TERMS["terms"]:
        abi = terms_as_abi(vector["terms"])
        calls += [(harness.hashTerms, abi), (predicted_escrow.agreementId, abi)]
    answers = [str(answer) for answer in in_parts(calls, 20)]
    assert answers[::2] == [vector["struct_hash"] for vector in TERMS["terms"]]
    assert answers[1::2] == [_here(vector)["id"] for vector in TERMS["terms"]]


def _here(vector):
    chain_id = brownie.chain.id
    return next(a for a in vector["agreements"] if a["chain_id"] == chain_id)


def test_signatures(predicted_escrow):
    """Rule 21: all are accepted; nothing is prepaid here, because the fees of the vectors are nobody's."""
    sender = {"from": brownie.accounts[5]}
    opened = 0
    for vector in TERMS["terms"]:
        terms, agreement = vector["terms"], _here(vector)
        signatures = agreement["provider"], agreement["consumer"]
        abi = terms_as_abi(terms)
        if terms["previous"] != NOTHING:
            with brownie.reverts(revert_pattern="SLAEscrow_Previous: .*"):
                predicted_escrow.open.call(abi, *signatures, sender)
        elif terms["open_by"] == 0:
            with brownie.reverts("SLAEscrow_TooLateToOpen: 0"):
                predicted_escrow.open.call(abi, *signatures, sender)
        elif terms["prepaid_windows"]:
            # The signatures are looked at before the money.
            with brownie.reverts(revert_pattern="ERC20InsufficientAllowance: .*"):
                predicted_escrow.open.call(abi, *signatures, sender)
        else:
            assert str(predicted_escrow.open.call(abi, *signatures, sender)) == agreement["id"]
            opened += 1
    assert opened


def test_terminations(predicted_escrow):
    """Rule 21."""
    calls, expected = [], []
    for vector in TERMS["terms"]:
        termination, here = vector["termination"], _here(vector)
        words = here["id"], *(int(value) for value in termination.values())
        calls.append((predicted_escrow.terminationDigest, words))
        expected.append(here["termination"]["digest"])
    assert [str(answer) for answer in in_parts(calls, 50)] == expected


def test_times_and_fees(predicted_escrow):
    """Rules 8 and 13."""
    calls, expected = [], []
    for vector in TERMS["terms"]:
        abi = terms_as_abi(vector["terms"])
        for window, _, expiry, fee in vector["times"]:
            calls.append((predicted_escrow.expiryOf, abi, window))
            calls.append((predicted_escrow.feeOf, abi, window))
            expected += [expiry, int(fee)]
    assert list(in_parts(calls, 20)) == expected
