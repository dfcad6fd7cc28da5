import json

import pytest
from eth_account import Account

from relayer import bindings
from relayer.errors import (
    ChainUnavailable,
    ChecksFailed,
    ConfigurationError,
    KeyUnavailable,
    Reverted,
)
from scripts import deploy, deployments
from scripts.deployments import (
    ADAPTER,
    BATCHER,
    COURT,
    ESCROW,
    ORACLE,
    ROUTER,
    STAKE,
    TEST_DOLLAR,
)
from tests import samples

ETHER = 10**18


@pytest.fixture
def own_account(tmp_path, environment):
    """A key that nobody else knows, in a keystore with its password beside it; to be given coins by the test."""
    key = Account.create()
    keystore, password = tmp_path / "deployer.json", tmp_path / "password"
    keystore.write_text(json.dumps(Account.encrypt(key.key, "secret", kdf="pbkdf2", iterations=2)))
    password.write_text("secret\n")
    password.chmod(0o600)
    environment.setenv("MAKEGOOD_ACCOUNT", str(keystore))
    environment.setenv("MAKEGOOD_PASSWORD_FILE", str(password))
    return key.address


def _give(chain, address, wei):
    answer = chain.w3.provider.make_request("anvil_setBalance", [address, hex(wei)])
    assert "error" not in answer


def _refused(run, capsys):
    """The exit code and the message of an entry point that gives up."""
    with pytest.raises(SystemExit) as ended:
        run()
    return ended.value.code, capsys.readouterr().err


# deploy_all


@pytest.mark.parametrize("chain_name", ["local", "ganache"])
def test_all_contracts_are_deployed_as_exported(chain_name, request):
    chain = request.getfixturevalue(chain_name)
    made = deploy.deploy_all(deploy.choose_account(chain))
    assert set(made.contracts) == {ORACLE, ESCROW, COURT, TEST_DOLLAR}
    for name, deployed in made.contracts.items():
        assert deploy.is_deployed(chain, name, deployed.address)
        assert deployed.source_hash == bindings.artifact(name)["sourceHash"]
        receipt = chain.w3.eth.get_transaction_receipt(deployed.transaction)
        by = made.escrow if name == COURT else deployed.address
        assert receipt["contractAddress"] == by
        assert receipt["blockNumber"] == deployed.block
    court = chain.w3.eth.contract(
        address=made.contracts[COURT].address, abi=bindings.artifact(COURT)["abi"]
    )
    assert court.functions.escrow().call() == made.escrow


def test_a_court_that_is_none_is_noticed(local, deployment):
    local.w3.provider.make_request("anvil_setCode", [deployment.contracts[COURT].address, "0x6000"])
    with pytest.raises(ChecksFailed, match="is none"):
        deploy.court_of(local, deployment.contracts[ESCROW])


def test_equal_code_means_equal_but_for_what_the_constructor_sets(local, deployment):
    code = bytes(local.w3.eth.get_code(deployment.escrow))
    assert f"0x{code.hex()}" != bindings.artifact(ESCROW)["deployedBytecode"]
    assert deploy.is_deployed(local, ESCROW, deployment.escrow)
    assert not deploy.is_deployed(local, ORACLE, deployment.escrow)
    assert not deploy.is_deployed(local, ESCROW, samples.wallet(5).address)


def test_one_changed_byte_is_noticed(local, deployment):
    code = bytearray(local.w3.eth.get_code(deployment.oracle))
    code[100] ^= 1
    elsewhere = samples.wallet(77).address
    local.w3.provider.make_request("anvil_setCode", [elsewhere, f"0x{code.hex()}"])
    assert not deploy.is_deployed(local, ORACLE, elsewhere)


def test_an_artifact_that_is_not_what_brownie_compiles_is_not_deployed(account, monkeypatch):
    stale = {**bindings.artifact(ORACLE), "bytecode": "0x00"}
    monkeypatch.setattr(bindings, "artifact", lambda name: stale)
    with pytest.raises(ConfigurationError, match="not what the contracts compile to") as error:
        deploy.deploy_oracle(account)
    assert "make artifacts" in error.value.hint


def test_without_a_chain_it_says_so(brownie_here):
    brownie_here.nowhere()
    with pytest.raises(ConfigurationError, match="connected to no chain"):
        deploy.connected_chain()


# the entry point


def test_main_deploys_records_and_the_second_time_does_nothing(local, capsys):
    deploy.main()
    first = deployments.recorded(local.chain_id)
    shown = capsys.readouterr().out
    assert "no constructor parameters" in shown
    assert "local chain" in shown
    for deployed in first.contracts.values():
        assert deployed.address in shown
    blocks = local.w3.eth.block_number

    deploy.main()
    assert deployments.recorded(local.chain_id) == first
    assert local.w3.eth.block_number == blocks
    assert "All is there already" in capsys.readouterr().out


def test_main_deploys_what_is_missing_only(local, deployment):
    content = json.loads(deployments.path(local.chain_id).read_text())
    del content["contracts"][ESCROW]
    deployments.path(local.chain_id).write_text(json.dumps(content))
    deploy.main()
    after = deployments.recorded(local.chain_id)
    assert after.oracle == deployment.oracle
    assert after.escrow != deployment.escrow
    assert deploy.is_deployed(local, ESCROW, after.escrow)


def test_main_replaces_when_told_to(local, deployment, environment):
    environment.setenv("MAKEGOOD_REPLACE", "1")
    deploy.main()
    content = json.loads(deployments.path(local.chain_id).read_text())
    assert deployments.recorded(local.chain_id).oracle != deployment.oracle
    assert deployment.oracle in [entry["address"] for entry in content["history"]]


def test_a_local_chain_that_was_reset_is_deployed_to_again(local, deployment):
    local.w3.provider.make_request("anvil_setCode", [deployment.oracle, "0x"])
    deploy.main()
    assert deploy.is_deployed(local, ORACLE, deployments.recorded(local.chain_id).oracle)
    assert deployments.recorded(local.chain_id).escrow == deployment.escrow


# what lies beside the core


def test_the_periphery_is_deployed_once(local, deployment, capsys):
    deploy.periphery()
    made = deployments.recorded(local.chain_id)
    assert set(made.contracts) == {*deployment.contracts, ROUTER, BATCHER, STAKE}
    for name in (ROUTER, BATCHER, STAKE):
        assert deploy.is_deployed(local, name, made.address(name))
    assert f"serves the escrow {deployment.escrow}" in capsys.readouterr().out
    blocks = local.w3.eth.block_number
    deploy.periphery()
    assert local.w3.eth.block_number == blocks
    assert "All is there already" in capsys.readouterr().out


def test_another_escrow_gets_a_router_of_its_own(local, deployment, account):
    deploy.periphery()
    before = deployments.recorded(local.chain_id)
    other = deploy.deploy_escrow(account)
    deployments.record(local.chain_id, ESCROW, other, replace=True)
    deploy.periphery()
    after = deployments.recorded(local.chain_id)
    router = bindings.contract(local.w3, ROUTER, after.address(ROUTER))
    assert router.functions.escrow().call() == other.address
    assert after.address(BATCHER) == before.address(BATCHER)


def test_the_periphery_needs_the_core(local, capsys):
    code, message = _refused(deploy.periphery, capsys)
    assert (code, "no SLAEscrow is recorded" in message) == (ConfigurationError.exit_code, True)


def test_an_adapter_is_deployed_for_an_arbitrator(local, deployment, capsys):
    arbitrator = deployment.oracle  # any contract will do
    deploy.adapter(arbitrator, "0x0102", "3", "ipfs://explained")
    address = deployments.recorded(local.chain_id).address(ADAPTER)
    assert address in capsys.readouterr().out
    abi = bindings.artifact(ADAPTER)["abi"]
    views = local.w3.eth.contract(address=address, abi=abi).functions
    told = (views.arbitrator().call(), views.extraData().call(), views.steps().call())
    assert told == (arbitrator, b"\x01\x02", 3)

    deploy.adapter(arbitrator, "0x", "1", "ipfs://explained")
    content = json.loads(deployments.path(local.chain_id).read_text())
    assert [entry["address"] for entry in content["history"]] == [address]


@pytest.mark.parametrize(
    ("words", "code", "wrong"),
    [
        (("me", "0x", "1", ""), ConfigurationError.exit_code, "write an address"),
        ((samples.wallet(9).address, "0xZZ", "1", ""), ConfigurationError.exit_code, "0xZZ"),
        ((samples.wallet(9).address, "0x", "one", ""), ConfigurationError.exit_code, "one"),
        ((samples.wallet(9).address, "0x", "1", ""), Reverted.exit_code, "NoContract"),
    ],
)
@pytest.mark.usefixtures("deployment")
def test_an_adapter_for_nothing_is_refused(words, code, wrong, capsys):
    ended, message = _refused(lambda: deploy.adapter(*words), capsys)
    assert (ended, wrong in message) == (code, True), message


# public chains


def test_main_on_a_live_network(mainnet, own_account, environment, capsys):
    environment.setenv("MAKEGOOD_YES", "1")
    _give(mainnet, own_account, ETHER)
    deploy.main()
    made = deployments.recorded(1)
    assert set(made.contracts) == {ORACLE, ESCROW, COURT}  # no play money
    assert {deployed.deployer for deployed in made.contracts.values()} == {own_account}
    shown = capsys.readouterr().out
    for word in ("LIVE NETWORK", own_account, "balance", "gas price", "estimated cost"):
        assert word in shown


def test_a_recorded_contract_that_is_not_there_is_no_reason_to_deploy_again(
    mainnet, own_account, environment, capsys
):
    environment.setenv("MAKEGOOD_YES", "1")
    _give(mainnet, own_account, ETHER)
    deploy.main()
    mainnet.w3.provider.make_request("anvil_setCode", [deployments.recorded(1).escrow, "0x6000"])
    code, message = _refused(deploy.main, capsys)
    assert code == ConfigurationError.exit_code
    assert "not what these sources compile to" in message
    assert "MAKEGOOD_REPLACE=1" in message


def test_a_public_test_network_gets_the_test_dollar(sepolia, own_account, environment):
    environment.setenv("MAKEGOOD_YES", "1")
    _give(sepolia, own_account, ETHER)
    deploy.main()
    assert deployments.recorded(11155111).token is not None
    deploy.mint(own_account, "0.5")
    token = bindings.Token(sepolia.w3, deployments.recorded(11155111).token)
    assert token.balance(own_account) == samples.DOLLAR // 2


@pytest.mark.parametrize("answer", ["", "n", "no", "of course not"])
def test_nothing_is_sent_without_a_yes(answer, mainnet, own_account, monkeypatch, capsys):
    _give(mainnet, own_account, ETHER)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    code, message = _refused(deploy.main, capsys)
    assert (code, "nothing was sent" in message) == (ConfigurationError.exit_code, True)
    assert mainnet.nonce(own_account) == 0
    assert deployments.recorded(1).contracts == {}


def test_nothing_is_sent_when_nobody_can_be_asked(mainnet, own_account, capsys):
    _give(mainnet, own_account, ETHER)
    code, message = _refused(deploy.main, capsys)
    assert (code, "MAKEGOOD_YES=1" in message) == (ConfigurationError.exit_code, True)
    assert mainnet.nonce(own_account) == 0


def test_an_account_that_cannot_pay_is_told_how_much_it_needs(
    mainnet, own_account, environment, capsys
):
    environment.setenv("MAKEGOOD_YES", "1")
    code, message = _refused(deploy.main, capsys)
    assert (code, "cannot pay" in message) == (ConfigurationError.exit_code, True)
    assert deployments.recorded(1).contracts == {}


def test_the_test_dollar_is_refused_where_money_is_real(mainnet, own_account, capsys):
    account = deploy.choose_account(mainnet)
    with pytest.raises(ConfigurationError, match="test networks only"):
        deploy.deploy_test_dollar(account)
    code, message = _refused(lambda: deploy.mint(own_account, "1"), capsys)
    assert (code, "test networks only" in message) == (ConfigurationError.exit_code, True)


@pytest.mark.parametrize("chain_name", ["mainnet", "sepolia"])
def test_test_accounts_are_refused_on_public_chains(chain_name, request, environment, capsys):
    chain = request.getfixturevalue(chain_name)
    environment.setenv("MAKEGOOD_YES", "1")
    environment.setenv("MAKEGOOD_ACCOUNT", "test:0")
    code, message = _refused(deploy.main, capsys)
    assert (code, "everybody knows the key" in message) == (KeyUnavailable.exit_code, True)
    assert chain.nonce(samples.wallet(0).address) == 0


def test_a_test_accounts_key_in_a_keystore_is_refused_all_the_same(mainnet, tmp_path, environment):
    keystore, password = tmp_path / "clever.json", tmp_path / "password"
    key = samples.wallet(3).key
    keystore.write_text(json.dumps(Account.encrypt(key, "x", kdf="pbkdf2", iterations=2)))
    password.write_text("x")
    password.chmod(0o600)
    environment.setenv("MAKEGOOD_ACCOUNT", str(keystore))
    environment.setenv("MAKEGOOD_PASSWORD_FILE", str(password))
    with pytest.raises(KeyUnavailable, match="everybody knows the key"):
        deploy.choose_account(mainnet)


# accounts


def test_on_a_public_chain_no_account_is_chosen_for_you(sepolia):
    with pytest.raises(KeyUnavailable, match="no account is chosen"):
        deploy.choose_account(sepolia)


def test_an_account_of_brownies_is_found_by_its_id(local, own_account, environment, tmp_path):
    environment.setattr(deploy, "ACCOUNTS", tmp_path)
    environment.setenv("MAKEGOOD_ACCOUNT", "deployer")
    assert deploy.choose_account(local).address == own_account


def test_the_relayers_keystore_serves_too(local, own_account, environment, tmp_path):
    environment.delenv("MAKEGOOD_ACCOUNT")
    environment.setenv("MAKEGOOD_KEYSTORE", str(tmp_path / "deployer.json"))
    assert deploy.choose_account(local).address == own_account


@pytest.mark.parametrize("named", ["nobody", "test:10", "test:", "test:-1", "test:1.0"])
def test_an_unknown_account_is_refused(named, local, environment):
    environment.setenv("MAKEGOOD_ACCOUNT", named)
    with pytest.raises(KeyUnavailable, match=named):
        deploy.choose_account(local)


def test_an_endpoint_of_another_chain_is_noticed(local, monkeypatch):
    from brownie._config import CONFIG

    # as in brownie's list of networks
    monkeypatch.setitem(CONFIG.active_network, "chainid", "11155111")
    with pytest.raises(ChainUnavailable, match=r"is chain 11155111, but .* serves chain 31337"):
        deploy.connected_chain()


# mint


@pytest.mark.parametrize(
    ("to", "amount", "wrong"),
    [
        ("me", "1", "write an address"),
        (samples.wallet(1).address[:-1] + "d", "1", "checksum"),
        (samples.wallet(1).address, "much", "write an amount"),
        (samples.wallet(1).address, "-1", "write an amount"),
        (samples.wallet(1).address, "nan", "write an amount"),
        (samples.wallet(1).address, "0.0000001", "cannot be paid exactly"),
    ],
)
def test_mint_refuses_nonsense(to, amount, wrong, deployment, capsys):
    code, message = _refused(lambda: deploy.mint(to, amount), capsys)
    assert (code, wrong in message) == (ConfigurationError.exit_code, True)
