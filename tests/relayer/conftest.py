import pytest
from hypothesis import settings

from tests.relayer import world

# Hypothesis would fail what takes 0.2 s, which is no news on a machine with other work.
settings.register_profile("patient", deadline=None)
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
