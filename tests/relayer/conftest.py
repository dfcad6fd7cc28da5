import pytest

from tests.relayer import world


@pytest.fixture(scope="session")
def rpc_url(tmp_path_factory):
    """One anvil for all of the relayer's tests; each deploys contracts of its own."""
    with world.running_chain(tmp_path_factory.mktemp("chain")) as url:
        yield url


@pytest.fixture
def small_world(rpc_url, tmp_path):
    made = world.make_world(rpc_url, tmp_path)
    yield made
    for store in made.stores:
        store.close()
