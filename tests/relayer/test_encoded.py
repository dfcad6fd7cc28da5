"""Calls that are encoded here: what they say is what web3 would say, and nothing else is asked."""

import pytest
from web3.exceptions import BadFunctionCallOutput

from relayer.bindings import Escrow, artifact, contract
from relayer.encoded import Function
from relayer.rpc_endpoint import Endpoint
from tests import samples


def function(name):
    [entry] = [e for e in artifact("SLAEscrow")["abi"] if e.get("name") == name]
    return Function(entry)


@pytest.fixture
def asked(monkeypatch):
    """The methods that nodes were asked for, in order."""
    methods = []
    really = Endpoint.make_request

    def make_request(self, method, params, **options):
        methods.append(method)
        return really(self, method, params, **options)

    monkeypatch.setattr(Endpoint, "make_request", make_request)
    return methods


def test_the_data_is_that_of_web3(small_world):
    world = small_world
    web3s = world.escrow.contract.encode_abi("claimable", [world.terms.as_abi(), 3])
    assert function("claimable").data(world.terms.as_abi(), 3).hex() == web3s.removeprefix("0x")


def test_the_answer_is_that_of_web3(small_world):
    world = small_world
    functions = world.escrow.contract.functions
    assert world.escrow.window(world.agreement_id, 0) == ("funded", 0)
    answered = function("windowOf").ask(world.chain.w3, world.escrow.address, world.agreement_id, 0)
    assert list(answered) == functions.windowOf(world.agreement_id, 0).call()


def test_where_there_is_no_contract_there_is_no_answer(small_world):
    world = small_world
    nowhere = Escrow(world.chain.w3, samples.wallet(3).address)
    with pytest.raises(BadFunctionCallOutput, match="0 bytes are no answer to endOf"):
        nowhere.end(world.agreement_id)


def test_a_question_is_one_request(small_world, asked):
    world = small_world
    world.escrow.end(world.agreement_id)
    world.escrow.claimable(world.terms, 0)
    world.oracle.ignored(world.feed.panel)
    assert asked == ["eth_call"] * 3


def test_agreements_share_what_web3_makes_of_a_contract(small_world):
    world = small_world
    one, other = (Escrow(world.chain.w3, world.escrow.address) for _ in range(2))
    assert one.contract is other.contract
    assert one.contract is contract(world.chain.w3, "SLAEscrow", world.escrow.address)
