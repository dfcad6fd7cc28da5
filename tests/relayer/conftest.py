import pytest
from hypothesis import HealthCheck, settings
from web3 import HTTPProvider, Web3

from relayer.bindings import Token
from tests.relayer import world
from tests.relayer.sending import KEY, RICH, Sending, deploy, running_anvil

# Hypothesis would fail what takes 0.2 s, or examples that take a second to make: no news on a machine with other work.
# The same examples everywhere: whoever is told of a failure sees it, too.
settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def rpc_url(tmp_path_factory):
    """One anvil for all of the relayer's tests; each deploys contracts of its own."""
    with world.running_chain(tmp_path_factory.mktemp("chain")) as url:
        yield url


@pytest.fixture
def make_world(rpc_url, tmp_path):
    made = []

    def make(**options):
        made.append(world.make_world(rpc_url, tmp_path, **options))
        return made[-1]

    yield make
    for store in [store for one in made for store in one.stores]:
        store.close()


@pytest.fixture
def small_world(make_world):
    return make_world()


@pytest.fixture(scope="module")
def anvil(tmp_path_factory):
    """One for each file that takes back or stops what it mines."""
    with running_anvil(tmp_path_factory.mktemp("anvil")) as rpc_url:
        yield rpc_url


@pytest.fixture(scope="module")
def contracts(anvil):
    w3 = Web3(HTTPProvider(anvil))
    return deploy(w3, "TestDollar"), deploy(w3, "Batcher")


@pytest.fixture
def sending(anvil, contracts, tmp_path):
    """A key with its outbox, and with coins."""
    token, batcher = contracts
    chain = world.PromptChain.connect(anvil)
    made = Sending(chain, Token(chain.w3, token), batcher, tmp_path)
    made.rpc("anvil_dropAllTransactions")
    made.rpc("evm_setAutomine", True)
    made.rpc("anvil_setBalance", KEY.address, hex(RICH))
    yield made
    made.rpc("evm_setAutomine", True)
    for store in made.stores:
        store.close()
