"""The contracts' errors in words."""

import pytest
from eth_abi import encode
from eth_utils import keccak

from relayer.bindings import CONTRACTS, artifact, decode_error
from relayer.contract_errors import WORDS, described

ERRORS = {
    entry["name"]: entry
    for name in CONTRACTS
    for entry in artifact(name)["abi"]
    if entry["type"] == "error"
}


@pytest.mark.parametrize("error", WORDS)
def test_there_are_words_only_for_errors_that_exist_and_values_that_they_have(error):
    values = {item["name"]: 1 for item in ERRORS[error]["inputs"]}
    assert "{" not in described(error, values).said


def test_values_are_said_as_people_say_them():
    data = keccak(text="SLAEscrow_WindowNot(uint256,uint8,uint8)")[:4]
    decoded = decode_error(data + encode(["uint256", "uint8", "uint8"], [3, 1, 2]))
    assert "window 3 is closed, not funded" in decoded.message
    assert decoded.values == {"window": 3, "expected": 1, "actual": 2}
    data = keccak(text="DisputeCourt_RulingTooLate(uint256)")[:4]
    decoded = decode_error(data + encode(["uint256"], [1_800_000_000]))
    assert "until 2027-01-15T08:00:00Z" in decoded.message
    assert "makegood sla lapse" in decoded.hint
    late = decode_error(data + encode(["uint256"], [2**255]))
    assert str(2**255) in late.message


def test_an_error_without_words_keeps_its_name():
    data = keccak(text="SLAEscrow_Payout(address)")[:4] + bytes(12) + b"\x11" * 20
    decoded = decode_error(data)
    assert decoded.message.startswith("the contract refused: SLAEscrow_Payout(to=0x1111")
    assert decoded.hint is None
