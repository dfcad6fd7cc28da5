import pytest

from tests.relayer.exchange.kit import Member


@pytest.fixture
def member(tmp_path):
    """Makes reporters by their index; ends them all."""
    made = []

    def make(index, **options):
        made.append(Member(index, tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
