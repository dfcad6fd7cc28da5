import pytest

from relayer.protocol.scope import ALL
from tests import samples
from tests.contracts.oracle import desk


@pytest.fixture
def open_desk(oracle, start, at):
    """`open_desk(panel, **measurement)`: a new feed; without arguments two of three reporters and windows of 60 minutes."""

    def open_one(panel=None, descriptor=b"\xde" * 32, scope=ALL, **changes):
        fields = {"start": start} | changes
        feed = samples.feed(fields.pop("start"), panel or desk.panel(), descriptor, scope, **fields)
        return desk.Desk(oracle, feed, at)

    return open_one


@pytest.fixture
def feed(open_desk):
    """Two of three reporters, tolerance 0, windows of 60 intervals of a minute."""
    return open_desk()
