"""Chains that run for all tests of a session, and brownie connected to one of them."""

import warnings
from contextlib import contextmanager

import hypothesis
import pytest

from relayer.demo.processes import (
    MNEMONIC,
    Process,
    answers_rpc,
    find_program,
    free_port,
    local_chain,
    stopped_at_the_end,
)
from scripts import deploy, deployments, network


@contextmanager
def _running(process, url):
    with stopped_at_the_end(process):
        process.start()
        process.wait_until(lambda: answers_rpc(url))
        yield url


@contextmanager
def _anvil_posing_as(chain_id, folder):
    port = str(free_port())
    command = [find_program("anvil"), "--host", "127.0.0.1", "--port", port, "--silent"]
    command += ["--mnemonic", MNEMONIC, "--prune-history", "64", "--chain-id", str(chain_id)]
    process = Process("anvil", command, folder / "anvil.log")
    with _running(process, f"http://127.0.0.1:{port}") as url:
        yield url


@pytest.fixture(scope="session")
def anvil_url(tmp_path_factory):
    with _running(*local_chain("anvil", tmp_path_factory.mktemp("anvil"))) as url:
        yield url


@pytest.fixture(scope="session")
def ganache_url(tmp_path_factory):
    with _running(*local_chain("ganache", tmp_path_factory.mktemp("ganache"))) as url:
        yield url


@pytest.fixture(scope="session")
def mainnet_url(tmp_path_factory):
    """An anvil that says it is Ethereum."""
    with _anvil_posing_as(1, tmp_path_factory.mktemp("mainnet")) as url:
        yield url


@pytest.fixture(scope="session")
def sepolia_url(tmp_path_factory):
    """An anvil that says it is a public test network."""
    with _anvil_posing_as(11155111, tmp_path_factory.mktemp("sepolia")) as url:
        yield url


class Brownie:
    """brownie in this process. Connecting takes it a third of a second, so it stays where it is for as long as possible."""

    def __init__(self):
        self._url = None
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of its dependencies of 2021; everywhere else warnings are errors
            network.load()
        # it brings settings of its own; other tests keep theirs
        hypothesis.settings.load_profile("default")

    def at(self, url):
        if self._url != url:
            network.connect(url)
            self._url = url
        return deploy.connected_chain()

    def forget(self):
        """Transactions in blocks that are no more: it would wait for them."""
        from brownie import history

        history.clear()

    def nowhere(self):
        network.disconnect()
        self._url = None


@pytest.fixture(scope="session")
def brownie_here():
    brownie = Brownie()
    yield brownie
    brownie.nowhere()


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No test sees the developer's settings or leaves anything in deployments/."""
    for name in ("ACCOUNT", "KEYSTORE", "PASSWORD_FILE", "YES", "REPLACE"):
        monkeypatch.delenv(f"MAKEGOOD_{name}", raising=False)
    monkeypatch.setenv("MAKEGOOD_DEPLOYMENTS", str(tmp_path / "deployments"))
    return monkeypatch


@pytest.fixture(scope="session")
def _first_deployment(brownie_here, anvil_url):
    return deploy.deploy_all(deploy.choose_account(brownie_here.at(anvil_url)))


@pytest.fixture
def local(brownie_here, _first_deployment, anvil_url):
    """An anvil on which all contracts lie already, and which forgets whatever the test does to it."""
    chain = brownie_here.at(anvil_url)
    snapshot = chain.w3.provider.make_request("evm_snapshot", [])["result"]
    yield chain
    assert chain.w3.provider.make_request("evm_revert", [snapshot])["result"]
    brownie_here.forget()


@pytest.fixture
def ganache(brownie_here, ganache_url):
    return brownie_here.at(ganache_url)


@pytest.fixture
def mainnet(brownie_here, mainnet_url):
    return brownie_here.at(mainnet_url)


@pytest.fixture
def sepolia(brownie_here, sepolia_url):
    return brownie_here.at(sepolia_url)


@pytest.fixture
def account(local):
    """Neither provider nor consumer, and the one that deploys."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MAKEGOOD_ACCOUNT", "test:0")
        return deploy.choose_account(local)


@pytest.fixture
def deployment(local, _first_deployment):
    """All contracts of the local chain, recorded."""
    for name, deployed in _first_deployment.contracts.items():
        deployments.record(local.chain_id, name, deployed)
    return _first_deployment
