"""Rules for all tests: which need what, and what none may do."""

import logging
from pathlib import Path

import pytest
import structlog

TESTS = Path(__file__).parent
THIS_MACHINE = ["127.0.0.1", "::1", "localhost"]
LONGEST = [
    TESTS / name for name in ("faults", "relayer/scaleout", "relayer/test_network.py", "scripts")
]
"""They begin first, so that at the end no core waits for one of them."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # Contract tests import from brownie what its pytest plugin has compiled: `make test-contracts`.
    if collection_path == TESTS / "contracts" and not config.pluginmanager.hasplugin(
        "pytest-brownie"
    ):
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if TESTS / "e2e" in item.path.parents:
            item.add_marker(pytest.mark.e2e)
        if not item.get_closest_marker("network"):
            # A test that reaches for the real AWS or a public chain fails at once instead of passing by luck.
            item.add_marker(pytest.mark.allow_hosts(THIS_MACHINE))
    items.sort(key=lambda item: not any(item.path.is_relative_to(path) for path in LONGEST))


@pytest.fixture(autouse=True)
def own_logging(monkeypatch):
    """What a test sets up of logging is undone after it: the next one in this process may look at what is logged."""
    configure = structlog.configure

    def forgettable(**options):
        configure(**options | {"cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", forgettable)
    loggers = [logging.getLogger(name) for name in (None, "relayer", "oracles")]
    before = [(each, each.level, list(each.handlers)) for each in loggers]
    yield
    structlog.reset_defaults()
    for each, level, handlers in before:
        each.setLevel(level)
        each.handlers = handlers
