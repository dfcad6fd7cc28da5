"""requests' connections, for vendors' libraries that use them: bounded in time and size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from oracles.clients.deadline import Deadline, watched
from oracles.clients.whole_answer import read_whole

if TYPE_CHECKING:
    import requests


class BoundedAdapter(HTTPAdapter):
    """To be mounted in a session. `seconds` is for a whole call, `name` begins messages."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__()
        self._name, self._seconds = name, seconds

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        self.poolmanager.pool_classes_by_scheme = watched(self.poolmanager.pool_classes_by_scheme)

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        known = proxy in self.proxy_manager
        manager: Any = super().proxy_manager_for(proxy, **settings)
        if not known:
            manager.pool_classes_by_scheme = watched(manager.pool_classes_by_scheme)
        return manager

    def send(self, *args: Any, **settings: Any) -> requests.Response:
        """Send a request and read the answer.

        Raises MonitoringError where that takes too long, or the body is too large.
        """
        with Deadline(self._name, self._seconds):
            response = super().send(*args, **{**settings, "stream": True})
            response.raw = read_whole(self._name, response.raw)
        return response
