import pytest

from relayer.store import Store
from tests.postgres import running_postgres


@pytest.fixture(scope="session")
def postgres():
    """One server for all of these tests; each has a database of its own."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def server(postgres):
    """The same for tests that stop it."""
    yield postgres
    if not postgres.running:
        postgres.start()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request, tmp_path):
    """Makes empty databases, of each kind in turn."""
    made = []

    def new():
        if request.param == "postgresql":
            return request.getfixturevalue("postgres").new_database()
        made.append(tmp_path / f"{len(made)}.sqlite")
        return made[-1]

    return new


@pytest.fixture
def database(new_database):
    return new_database()


@pytest.fixture
def open_store():
    """Opens stores, and closes them at the end of the test."""
    opened = []

    def open_it(where, **options):
        opened.append(Store(where, **options))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store, database, clock):
    return open_store(database, clock=clock)


class Clock:
    """Goes when it is told to."""

    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()
