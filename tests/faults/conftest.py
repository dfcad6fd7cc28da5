import pytest

from relayer.demo.processes import answers_rpc, local_chain, stopped_at_the_end
from tests.faults.life import Life, Site


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A chain with a block every second, the contracts and the services that are watched."""
    folder = tmp_path_factory.mktemp("faults")
    process, rpc_url = local_chain("anvil", folder, block_seconds=1)
    with stopped_at_the_end(process):
        process.start()
        process.wait_until(lambda: answers_rpc(rpc_url))
        made = Site(rpc_url, folder)
        yield made
        made.shop.close()


@pytest.fixture(scope="module")
def new_life(site):
    """Makes relayers, and ends them when the module is over."""
    made = []

    def make(**options):
        made.append(Life.of(site, **options))
        return made[-1]

    yield make
    for life in made:
        life.process.ask_to_end()
    for life in made:
        life.close()
