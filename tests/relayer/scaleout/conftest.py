import sys
import time

import pytest

pytest.importorskip("procrastinate")

from relayer.store import Store
from tests.postgres import running_postgres
from tests.relayer.scaleout import world


@pytest.fixture(scope="session")
def postgres():
    with running_postgres() as server:
        yield server


@pytest.fixture
def server(postgres):
    """The same for tests that stop it."""
    yield postgres
    if not postgres.running:
        postgres.start()


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    world.install_adapter(folder)
    yield folder
    sys.path.remove(str(folder))  # other tests list what is installed


@pytest.fixture
def monitoring():
    with world.running_monitoring() as running:
        yield running


@pytest.fixture
def store(postgres):
    store = Store(postgres.new_database())
    yield store
    store.close()


@pytest.fixture
def workers(tmp_path, postgres, store, monitoring, plugins):
    database = postgres.url(store.engine.url.database)
    workers = world.Workers(tmp_path, database, monitoring, plugins)
    yield workers
    workers.end()


@pytest.fixture
def past():
    """The start of agreements whose first three intervals are over."""
    return int(time.time()) // 60 * 60 - 4 * 60
