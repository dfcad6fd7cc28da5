"""What the tests of services share that are asked over TLS."""

from __future__ import annotations

import pytest

from tests.oracles.contract import Clock
from tests.oracles.tls_server import serving_tls

FIRST = 1_767_225_600


class OverTls:
    """The fixtures of test classes that read from a service of their own; `Fake` is what it is."""

    Fake: type

    @pytest.fixture
    def server(self):
        with serving_tls() as server:
            yield server

    @pytest.fixture
    def fake(self, server):
        fake = self.Fake()
        server.answer(fake)
        return fake

    @pytest.fixture
    def clock(self):
        return Clock(FIRST + 7200)
