"""Many calls in one transaction: `run.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from relayer.protocol.report import batches_as_abi
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.contracts.escrow.world import attempt, events, request
from tests.contracts.periphery.payments import FEE

GAS = 10_000_000
UP_TO_ALL = 2**32 - 1


@pytest.fixture
def run(batcher):
    def send(calls, each=0, gas=GAS, **options):
        sender = {"from": brownie.accounts[3], "gas_limit": gas, **options}
        return batcher.run([(str(target), data) for target, data in calls], each, sender)

    return send


def simulate(batcher, calls, gas=GAS, each=0):
    options = {"from": brownie.accounts[3], "gas_limit": gas}
    answered = batcher.run.call([(str(t), data) for t, data in calls], each, options)
    return [(ok, bytes(returned)) for ok, returned in answered]


def number(value):
    return encode(["uint256"], [value])


def selector(error):
    return keccak(text=error)[:4]


def test_When_AllCallsSucceed(batcher, target, run):
    calls = [(target, target.touch.encode_input(value)) for value in (7, 5, 3)]
    assert simulate(batcher, calls) == [(True, number(value)) for value in (7, 5, 3)]
    tx = run(calls)
    assert target.calls() == 3
    assert target.caller() == batcher
    assert "CallFailed" not in tx.events


def test_When_ACallFails(batcher, target, token, run):
    touch = (target, target.touch.encode_input(1))
    fail = (target, target.say.encode_input(4, True))
    spend = (token, token.transfer.encode_input(brownie.accounts[1], 5))
    calls = [touch, fail, spend, touch]
    lacks = encode(["address", "uint256", "uint256"], [batcher.address, 0, 5])
    lacks = selector("ERC20InsufficientBalance(address,uint256,uint256)") + lacks
    said = bytes.fromhex(target.say.signature[2:])
    expected = [(True, number(1)), (False, said), (False, lacks), (True, number(1))]
    assert simulate(batcher, calls) == expected
    tx = run(calls)
    assert target.calls() == 2
    assert events(tx, "CallFailed") == [
        {"index": 1, "target": target, "reason": "0x" + said.hex()},
        {"index": 2, "target": token, "reason": "0x" + lacks.hex()},
    ]


@pytest.mark.parametrize("burning", range(3))
def test_When_ACallBurnsAllItsGas(batcher, target, run, burning):
    gas = 3_000_000
    calls = [(target, target.gasGiven.encode_input())] * 3
    shares = [int.from_bytes(got, "big") for _, got in simulate(batcher, calls, gas)]
    assert shares == sorted(shares)  # what one leaves, the others have
    assert gas // 3 * 0.93 < shares[0] < gas // 3

    calls[burning] = (target, target.burn.encode_input())
    answered = simulate(batcher, calls, gas)
    assert answered.pop(burning) == (False, b"")
    assert all(ok and int.from_bytes(got, "big") >= shares[0] for ok, got in answered)
    tx = run(calls, gas=gas)
    assert events(tx, "CallFailed") == [{"index": burning, "target": target, "reason": "0x00"}]


@pytest.mark.parametrize("fails", [True, False])
def test_When_ACallAnswersAtLength(batcher, target, run, fails):
    touch = (target, target.touch.encode_input(1))
    for length, kept in ((511, 511), (512, 512), (513, 512), (200_000, 512)):
        calls = [touch, (target, target.say.encode_input(length, fails)), touch]
        answered = simulate(batcher, calls)
        assert [ok for ok, _ in answered] == [True, not fails, True]
        assert len(answered[1][1]) == kept
        assert answered[1][1][:4] == bytes.fromhex(target.say.signature[2:])
    run(calls)
    assert target.calls() == (2 if fails else 3)


def test_When_EveryCallBurnsItsGasAndAnswersAtLength(batcher, target):
    """The gas that is kept back from the shares covers what the calls cost around themselves."""
    for count in (1, 2, 30):
        lengths = [512] * count
        hostile = [(target, target.burnAndSay.encode_input(length)) for length in lengths]
        answered = simulate(batcher, hostile, gas=4_000_000)
        assert answered == [(False, bytes(512))] * count
    honest = (target.address, target.touch.encode_input(1))
    calls = [*((str(t), data) for t, data in hostile[:-1]), honest]
    data = batcher.run.encode_input(calls, 90_000)
    assert attempt(brownie.accounts[3], batcher, data, 4_000_000)
    assert target.calls() == 1


def test_When_ThereIsNoContractToCall(batcher, target, run):
    nobody = brownie.accounts[5]
    calls = [(nobody, target.touch.encode_input(1)), (target, target.touch.encode_input(1))]
    reason = selector("Batcher_NoContract(address)") + encode(["address"], [nobody.address])
    assert simulate(batcher, calls) == [(False, reason), (True, number(1))]
    tx = run(calls)
    assert events(tx, "CallFailed") == [
        {"index": 0, "target": nobody, "reason": "0x" + reason.hex()}
    ]


def test_RevertWhen_ThereIsTooLittleGasForEachCall(batcher, target, run):
    calls = [(target, target.touch.encode_input(1))] * 4
    with brownie.reverts(revert_pattern="Batcher_MoreGasNeeded: .*, 600000"):
        run(calls, each=600_000, gas=2_000_000)
    assert target.calls() == 0


def test_RevertWhen_ThereIsLessGasThanTheCallsCostAroundThemselves(target, run):
    calls = [(target, target.touch.encode_input(1))] * 30
    with brownie.reverts("Batcher_MoreGasNeeded: 0, 1"):
        run(calls, each=1, gas=400_000)
    assert target.calls() == 0


def test_When_ItHasJustEnoughGasForEachCall(batcher, target):
    """So that the least gas with which nothing is refused, which is what a node estimates, is enough for every call."""
    each, calls = 200_000, [(target, target.gasGiven.encode_input())] * 5
    low, high = 21_000, 5_000_000
    while high - low > 1:
        middle = (low + high) // 2
        try:
            answered = simulate(batcher, calls, middle, each)
            high = middle
        except (ValueError, brownie.exceptions.VirtualMachineError):
            low = middle
    answered = simulate(batcher, calls, high, each)
    # `gasGiven` has spent a little when it looks.
    assert all(ok and int.from_bytes(got, "big") > each - 300 for ok, got in answered)
    burning = [(target, target.burn.encode_input())] * 4
    answered = simulate(batcher, [*burning, calls[0]], high, each)
    assert int.from_bytes(answered[-1][1], "big") > each - 300


def test_When_ThereAreNoCalls(batcher, run):
    assert simulate(batcher, []) == []
    assert len(run([], each=2**255).events) == 0


def test_RevertWhen_EtherComesAlong(target, run):
    with brownie.reverts():
        run([(target, target.touch.encode_input(1))], amount=1)


@pytest.fixture
def ten(escrow, oracle, token, start, at):
    """Ten agreements of one feed, each with a token of its own, and a first hour that was bad throughout."""
    stranger = brownie.accounts[3]
    feed = samples.feed(start)
    domain = Domain(brownie.chain.id, escrow.address)
    agreements = []
    for i in range(10):
        own = brownie.TestDollar.deploy({"from": stranger})
        addresses = {"token": own.address, "oracle": oracle.address}
        terms = samples.terms(feed, salt=bytes([i]) * 32, **addresses)
        own.mint(stranger, FEE, {"from": stranger})
        own.approve(escrow, FEE, {"from": stranger})
        escrow.open(terms.as_abi(), *samples.signatures(domain, terms), {"from": stranger})
        agreements.append((terms, own))
    oracle_domain = Domain(brownie.chain.id, oracle.address)
    signed = [samples.signed_batch(oracle_domain, feed, who, 0, [0] * 60) for who in (0, 1)]
    at(feed.measurement.readable_at(59))
    oracle.report(feed.as_abi(), UP_TO_ALL, batches_as_abi(signed), {"from": stranger})
    return agreements


def paid(agreements):
    consumer = brownie.accounts[2]
    return [i for i, (_, token) in enumerate(agreements) if token.balanceOf(consumer) == FEE]


def test_When_OneOfTenSettlementsIsRefused(escrow, ten, run):
    third = samples.terms(samples.feed(ten[0][0].start), salt=b"\xff" * 32, token=ten[2][1].address,
                          oracle=ten[0][0].oracle)  # fmt: skip
    calls = [(escrow, escrow.settle.encode_input(terms.as_abi(), 0)) for terms, _ in ten]
    calls[2] = (escrow, escrow.settle.encode_input(third.as_abi(), 0))
    tx = run(calls)
    assert paid(ten) == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    (failed,) = events(tx, "CallFailed")
    assert (failed["index"], failed["target"]) == (2, escrow)
    reason = bytes.fromhex(str(failed["reason"])[2:])
    assert reason == selector("SLAEscrow_WindowNot(uint256,uint8,uint8)") + encode(
        ["uint256", "uint8", "uint8"], [0, 1, 0]
    )


def test_When_TheTokenOfOneOfTenSettlementsBurnsAllGas(escrow, ten, target, compiled_here, run):
    """Also where the escrow cannot bound the gas: when it asks for its balance."""
    burner = compiled_here.GasBurner.deploy({"from": brownie.accounts[3]})
    set_code = "evm_setAccountCode" if "ganache" in _client() else "anvil_setCode"
    code = brownie.web3.eth.get_code(burner.address).to_0x_hex()
    request(set_code, ten[4][1].address, code)
    rest = [ten[i] for i in range(10) if i != 4]
    calls = [(escrow, escrow.settle.encode_input(terms.as_abi(), 0)) for terms, _ in ten]
    tx = run(calls, each=300_000)
    assert paid(rest) == list(range(9))
    assert [event["index"] for event in events(tx, "CallFailed")] == [4]


def test_When_ReportsOfFeedsThatNobodySharesAreSentTogether(oracle, start, at, run):
    """One panel's feeds go into one `reportMany`; these have two panels, and one of the reports comes too early."""
    panels = (samples.panel(), samples.panel(1))
    domain = Domain(brownie.chain.id, oracle.address)
    feeds = [samples.feed(start, panel) for panel in panels]
    calls = []
    for feed, count in zip(feeds, (3, 2), strict=True):
        who = range(feed.panel.quorum)
        signed = [samples.signed_batch(domain, feed, one, 0, [1_000_000] * count) for one in who]
        report = oracle.report.encode_input(feed.as_abi(), UP_TO_ALL, batches_as_abi(signed))
        calls.append((oracle, report))
    at(feeds[1].measurement.readable_at(1))
    tx = run(calls)
    assert [oracle.latest(feed.id)[0] for feed in feeds] == [0, 2]
    (failed,) = events(tx, "CallFailed")
    assert failed["index"] == 0
    assert str(failed["reason"]).startswith(
        "0x" + selector("MonitoringOracle_TooEarly(uint256,uint256)").hex()
    )


def _client():
    return brownie.web3.client_version.lower()
