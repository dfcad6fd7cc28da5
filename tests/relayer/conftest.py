import pytest

from tests.relayer import world


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
