"""Deploys the contracts. They have no owner: whoever deploys them gains nothing by it.

    brownie run scripts/deploy.py                        # oracle and escrow, and the test dollar where money is play money
    brownie run scripts/deploy.py main --network sepolia
    brownie run scripts/deploy.py periphery              # permits, batches, reporters' stakes: nobody has to use them
    brownie run scripts/deploy.py adapter ARBITRATOR EXTRA_DATA STEPS META_EVIDENCE    # an ERC-792 arbitrator as arbiter
    brownie run scripts/deploy.py mint ADDRESS AMOUNT    # test dollars, for trying things out

`brownie` stands for `python -m scripts.toolchain.brownie_cli`; scripts/README.md has every step. The environment:

    MAKEGOOD_ACCOUNT        who pays: a keystore file, the id of an account of brownie's, or on a local chain test:0 to
                            test:9; MAKEGOOD_KEYSTORE, the relayer's, if this is not set
    MAKEGOOD_PASSWORD_FILE  holds the keystore's password; otherwise the terminal is asked
    MAKEGOOD_YES=1          do not ask before something is sent to a public chain
    MAKEGOOD_REPLACE=1      deploy again where a deployment is recorded already
    MAKEGOOD_DEPLOYMENTS    the folder of the records, instead of deployments/
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_abi.abi import decode, encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from web3.exceptions import Web3Exception

from relayer import bindings, keys
from relayer.chain import Chain
from relayer.config import KeySettings
from relayer.document import quantities
from relayer.errors import (
    ChainUnavailable,
    ChecksFailed,
    ConfigurationError,
    KeyUnavailable,
    MakegoodError,
)
from scripts import deployments
from scripts.deployments import (
    ADAPTER,
    BATCHER,
    COURT,
    ESCROW,
    ORACLE,
    ROUTER,
    STAKE,
    TEST_DOLLAR,
    Deployed,
    Deployment,
)
from scripts.toolchain import brownie_home

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress

TEST_MNEMONIC = "test test test test test test test test test test test junk"
TEST_ACCOUNTS = 10
ACCOUNTS = brownie_home.HOME / ".brownie" / "accounts"


# DEPLOY


def deploy_oracle(account: Any) -> Deployed:
    return _deploy(ORACLE, account)


def deploy_escrow(account: Any) -> Deployed:
    """With the court and the rules, which the escrow makes itself."""
    return _deploy(ESCROW, account)


def court_of(chain: Chain, escrow: Deployed) -> Deployed:
    """The court that an escrow has made for its payments under terms with an arbiter."""
    with chain.errors():
        address = bindings.Escrow(chain.w3, escrow.address).court()
    if not is_deployed(chain, COURT, address):
        raise ChecksFailed(
            f"what the escrow at {escrow.address} calls its court, {address}, is none",
            hint="do not use this escrow",
        )
    return replace(escrow, address=address, source_hash=bindings.artifact(COURT)["sourceHash"])


def deploy_test_dollar(account: Any) -> Deployed:
    """Refused where money is real: somebody might take it for a dollar."""
    require_test_chain(connected_chain().chain_id)
    return _deploy(TEST_DOLLAR, account)


def deploy_all(account: Any) -> Deployment:
    """Oracle and escrow with its court, and the test dollar on test chains. Asks nothing and records nothing."""
    chain = connected_chain()
    made = {name: DEPLOY[name](account) for name in contracts_for(chain.chain_id)}
    return Deployment(chain.chain_id, {**made, COURT: court_of(chain, made[ESCROW])})


def deploy_adapter(
    account: Any, arbitrator: ChecksumAddress, extra_data: bytes, steps: int, meta_evidence: str
) -> Deployed:
    """The adapter that makes one ERC-792 arbitrator the arbiter of terms.

    :param extra_data: What the arbitrator is told with each request, e.g. which court and how many jurors.
    :param steps: In how many steps the arbitrator divides what is disputed.
    :param meta_evidence: URI of the ERC-1497 document that explains the disputes.
    """
    values = (arbitrator, extra_data, steps, meta_evidence)
    return _deploy(ADAPTER, account, encode(["address", "bytes", "uint256", "string"], values))


# In this order: an account's first three contracts on a local chain have the addresses of samples/agreement.yaml.
DEPLOY = {TEST_DOLLAR: deploy_test_dollar, ORACLE: deploy_oracle, ESCROW: deploy_escrow}


def contracts_for(chain_id: int) -> list[str]:
    """What is deployed on a chain."""
    return [name for name in DEPLOY if name != TEST_DOLLAR or deployments.is_test_chain(chain_id)]


def require_test_chain(chain_id: int) -> None:
    if not deployments.is_test_chain(chain_id):
        raise ConfigurationError(
            f"the test dollar is for test networks only, and chain {chain_id} is none",
            hint="name a real token in the agreement, e.g. the dollar that both parties use",
        )


def is_deployed(chain: Chain, name: str, address: ChecksumAddress) -> bool:
    """Whether the code at the address is that of the exported artifact, immutables apart."""
    artifact = bindings.artifact(name)
    with chain.errors():
        code = bytearray(chain.w3.eth.get_code(address))
    expected = bytearray.fromhex(artifact["deployedBytecode"][2:])
    for start, length in artifact["immutables"]:
        # zero in the artifact; set by the constructor, from chain id and address
        code[start : start + length] = bytes(len(code[start : start + length]))
    return code == expected


def _deploy(name: str, account: Any, arguments: bytes = b"") -> Deployed:
    """:param arguments: Of the constructor, encoded."""
    chain = connected_chain()
    artifact = bindings.artifact(name)
    if f"0x{_container(name).bytecode}" != artifact["bytecode"]:
        raise ConfigurationError(
            f"relayer/contracts/{name}.json is not what the contracts compile to",
            hint="make artifacts, and commit what changes",
        )
    # not `account.deploy`: brownie keeps a record of its own, stumbles over what a chain that was reset left in it, and
    # then forgets the contract that it has just paid for
    data = artifact["bytecode"] + arguments.hex()
    with chain.errors():
        # a refusal comes with its reason
        chain.w3.eth.estimate_gas({"from": account.address, "data": data})
    with _brownie_errors():
        receipt = account.transfer(data=data, **_fees(chain))
    address = receipt.contract_address and to_checksum_address(str(receipt.contract_address))
    if receipt.status != 1 or not address or not is_deployed(chain, name, address):
        raise ChecksFailed(
            f"transaction {receipt.txid} did not leave {name} at {address}",
            hint="look the transaction up; do not use this address",
        )
    return Deployed(
        address=address,
        deployer=to_checksum_address(account.address),
        transaction=str(receipt.txid),
        block=int(receipt.block_number),
        source_hash=artifact["sourceHash"],
    )


def _container(name: str) -> Any:
    """The contract as brownie compiled it."""
    import brownie  # noqa: PLC0415 - reads HOME on import

    return brownie.project.get_loaded_projects()[0][name]


# CHAIN AND ACCOUNT


def connected_chain() -> Chain:
    """The chain that brownie is connected to, seen through the relayer's eyes: with errors that name what is wrong."""
    import brownie  # noqa: PLC0415
    from brownie._config import CONFIG  # noqa: PLC0415

    if not brownie.network.is_connected():
        raise ConfigurationError(
            "brownie is connected to no chain", hint="brownie run --network ..."
        )
    chain = Chain.connect(brownie.web3.provider.endpoint_uri)
    meant = CONFIG.active_network.get("chainid")
    if meant and int(meant) != chain.chain_id:
        raise ChainUnavailable(
            f"network {CONFIG.active_network['id']} is chain {meant}, but {chain.host} serves chain "
            f"{chain.chain_id}",
            hint="set MAKEGOOD_RPC_URL to an endpoint of the network that you name",
        )
    return chain


def choose_account(chain: Chain) -> Any:
    """The account that MAKEGOOD_ACCOUNT names; on a local chain the first test account will do."""
    default = "test:0" if deployments.is_local(chain.chain_id) else None
    named = os.environ.get("MAKEGOOD_ACCOUNT") or os.environ.get("MAKEGOOD_KEYSTORE") or default
    if named is None:
        raise KeyUnavailable(
            "no account is chosen, and on a public chain none is chosen for you",
            hint="set MAKEGOOD_ACCOUNT to a keystore file, or to the id of an account of brownie's",
        )
    key = _test_key(named) if named.startswith("test:") else _load_key(named)
    keys.refuse_public_key(key.address, chain.chain_id)

    from brownie import accounts  # noqa: PLC0415

    return accounts.add(key.key)


def _load_key(named: str) -> LocalAccount:
    by_id = ACCOUNTS / f"{named}.json"
    keystore = by_id if by_id.is_file() else Path(named)
    if not keystore.is_file():
        raise KeyUnavailable(
            f"{named} is neither a keystore file nor the id of an account of brownie's",
            hint="`makegood wallet new` makes a keystore; `brownie accounts list` shows brownie's",
        )
    password_file = os.environ.get("MAKEGOOD_PASSWORD_FILE")
    source = KeySettings(
        keystore=keystore, password_file=Path(password_file) if password_file else None
    )
    return keys.load(source, ask=keys.ask_on_terminal())


def _test_key(named: str) -> LocalAccount:
    number = named.removeprefix("test:")
    if number not in [str(i) for i in range(TEST_ACCOUNTS)]:
        raise KeyUnavailable(f"{named}: test accounts are test:0 to test:{TEST_ACCOUNTS - 1}")
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{number}"
    account: LocalAccount = Account.from_mnemonic(TEST_MNEMONIC, account_path=path)
    return account


def send(chain: Chain, account: Any, call: Any) -> Any:
    """Simulates a call, so that a refusal costs nothing and comes with its reason; then sends it and waits."""
    chain.simulate(call, account.address)
    data = call._encode_transaction_data()  # noqa: SLF001 - build_transaction would ask for nonce and fees, too
    with _brownie_errors():
        return account.transfer(call.address, 0, data=data, **_fees(chain))


def _fees(chain: Chain) -> dict[str, int]:
    """What the chain asks for now. brownie would offer 0 to a local chain, and the old kind of fee to a public one."""
    fees = chain.fees()
    return {"max_fee": fees.max_fee, "priority_fee": fees.priority_fee}


@contextmanager
def _brownie_errors() -> Iterator[None]:
    from brownie.exceptions import VirtualMachineError  # noqa: PLC0415

    try:
        yield
    except (VirtualMachineError, Web3Exception, ValueError, OSError) as error:
        raise ChainUnavailable(
            f"a transaction was not accepted, or failed: {error}",
            hint="look the account up in an explorer before you try again",
        ) from error


# TERMINAL


def confirm(chain: Chain, account: Any, parameters: dict[str, object]) -> None:
    """Shows where, who and what; on a public chain nothing is sent before somebody agrees."""
    with chain.errors():
        gas_price = chain.w3.eth.gas_price
    rows = {
        "network": f"{deployments.chain_name(chain.chain_id)} ({chain.host})",
        "chain id": chain.chain_id,
        "account": account.address,
        "balance": coins(chain.balance(account.address)),
        "gas price": f"{Decimal(gas_price) / 10**9:f} gwei",
        **parameters,
    }
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"  {name:<{width}}  {value}")
    if deployments.is_local(chain.chain_id) or os.environ.get("MAKEGOOD_YES") == "1":
        return
    if not sys.stdin.isatty():
        raise ConfigurationError("nobody is here to confirm", hint="MAKEGOOD_YES=1 confirms")
    if input("Send it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise ConfigurationError("not confirmed: nothing was sent")


def coins(wei: int) -> str:
    """An amount of the chain's own coin."""
    return f"{Decimal(wei) / 10**18:f} of the chain's coin"


@contextmanager
def one_message() -> Iterator[None]:
    """Ends the process with one message instead of a trace, if the user can mend what is wrong."""
    try:
        yield
    except MakegoodError as error:
        print("\n".join(filter(None, [f"Error: {error.message}", error.hint])), file=sys.stderr)
        sys.exit(error.exit_code)


# ENTRY POINTS


def main() -> None:
    """Deploys what is missing on the chain and records it in deployments/."""
    with one_message():
        chain = connected_chain()
        _deploy_missing(chain, dict.fromkeys(contracts_for(chain.chain_id), b""))


def periphery() -> None:
    """Deploys what is missing on the chain of the contracts beside the core, and records it."""
    with one_message():
        chain = connected_chain()
        escrow = deployments.recorded(chain.chain_id).escrow
        router = encode(["address"], [escrow])
        _deploy_missing(chain, {ROUTER: router, BATCHER: b"", STAKE: b""})


def adapter(arbitrator: str, extra_data: str, steps: str, meta_evidence: str) -> None:
    """Deploys an adapter for an ERC-792 arbitrator. A former one's record moves to the history."""
    with one_message():
        chain = connected_chain()
        try:
            whom, told = (
                quantities.address(arbitrator),
                bytes.fromhex(extra_data.removeprefix("0x")),
            )
            count = int(steps)
        except ValueError as error:
            raise ConfigurationError(
                f"{arbitrator} {extra_data} {steps}: {error}",
                hint="e.g. adapter 0x988b3A538b618C7A603e1c11Ab82Cd16dbE28069 0x 1 ipfs://...",
            ) from error
        account = choose_account(chain)
        parameters = {
            "contracts": ADAPTER,
            "arbitrator": whom,
            "extra data": f"0x{told.hex()}",
            "steps": count,
            "meta-evidence": meta_evidence,
        }
        confirm(chain, account, parameters)
        deployed = deploy_adapter(account, whom, told, count, meta_evidence)
        deployments.record(chain.chain_id, ADAPTER, deployed, replace=True)
        print(f"{ADAPTER}: {deployed.address}")


def _deploy_missing(chain: Chain, wanted: Mapping[str, bytes]) -> None:
    """Asks, deploys and records what is not there.

    :param wanted: Contracts, and what their constructors are given.
    """
    missing = {name: wanted[name] for name in _missing(chain, wanted)}
    if not missing:
        print(f"All is there already: {deployments.path(chain.chain_id)}")
        return
    account = choose_account(chain)
    cost = _cost(chain, account, missing)
    confirm(
        chain,
        account,
        {
            "contracts": ", ".join(missing),
            "parameters": _parameters(missing),
            "estimated cost": f"{coins(cost)} (a rollup adds a fee for data)",
        },
    )
    if chain.balance(account.address) < cost:
        raise ConfigurationError(
            f"{account.address} cannot pay for the gas", hint=f"send it {coins(cost)}"
        )
    for name, arguments in missing.items():
        print(f"Deploying {name}")
        made = {name: _deploy(name, account, arguments)}
        if name == ESCROW:
            made[COURT] = court_of(chain, made[ESCROW])
        for part, deployed in made.items():
            # one by one: should the next one fail, this one is not lost
            deployments.record(chain.chain_id, part, deployed, replace=True)
            print(f"{part}: {deployed.address}")
    print(f"Recorded in {deployments.path(chain.chain_id)}")


def mint(to: str, amount: str) -> None:
    """Gives an address `amount` test dollars (in whole dollars, e.g. 300 or 0.5)."""
    with one_message():
        chain = connected_chain()
        require_test_chain(chain.chain_id)
        token = bindings.Token(chain.w3, deployments.recorded(chain.chain_id).address(TEST_DOLLAR))
        try:
            payee, units = quantities.address(to), quantities.amount(amount, token.decimals())
        except ValueError as error:
            raise ConfigurationError(
                f"{to} {amount}: {error}",
                hint="e.g. mint 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 300",
            ) from error
        account = choose_account(chain)
        confirm(chain, account, {"mint": f"{amount} {token.symbol()}", "to": payee})
        send(chain, account, token.mint(payee, units))


def _parameters(missing: Mapping[str, bytes]) -> str:
    if ROUTER in missing:
        (escrow,) = decode(["address"], missing[ROUTER])
        return f"the {ROUTER} serves the escrow {to_checksum_address(escrow)}; nothing has an owner"
    return "none: the contracts have no constructor parameters and no owner"


def _missing(chain: Chain, wanted: Iterable[str]) -> list[str]:
    """What has still to be deployed. A recorded contract stays, unless the environment says otherwise."""
    known = deployments.recorded(chain.chain_id).contracts
    missing = []
    for name in wanted:
        if name not in known or os.environ.get("MAKEGOOD_REPLACE") == "1":
            missing.append(name)
        elif is_deployed(chain, name, known[name].address):
            if name == ROUTER and _escrow_of(chain, known[name]) != known[ESCROW].address:
                missing.append(name)  # it serves a former escrow
            else:
                print(f"{name}: {known[name].address}, deployed before")
        elif deployments.is_local(chain.chain_id):
            missing.append(name)  # another local chain with the same id, or another version
        else:
            raise ConfigurationError(
                f"{deployments.path(chain.chain_id)} has a {name} at {known[name].address}, but the "
                "code there is not what these sources compile to",
                hint="check out the version that was deployed, or deploy anew with MAKEGOOD_REPLACE=1",
            )
    return missing


def _escrow_of(chain: Chain, router: Deployed) -> ChecksumAddress:
    contract = bindings.contract(chain.w3, ROUTER, router.address)
    with chain.errors():
        return to_checksum_address(contract.functions.escrow().call())


def _cost(chain: Chain, account: Any, missing: Mapping[str, bytes]) -> int:
    """What deploying costs about [wei]."""
    with chain.errors():
        gas = sum(
            chain.w3.eth.estimate_gas(
                {
                    "from": account.address,
                    "data": bindings.artifact(name)["bytecode"] + arguments.hex(),
                }
            )
            for name, arguments in missing.items()
        )
        return int(gas * chain.w3.eth.gas_price)


if __name__ == "__main__":
    sys.exit(f"{Path(__file__).name} is run by brownie: see scripts/README.md")
