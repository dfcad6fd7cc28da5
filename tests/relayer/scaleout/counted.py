"""An adapter that another package might bring: asks a server of the test's, and says which process asks."""

import json
import os
from fractions import Fraction
from http.client import HTTPConnection
from typing import ClassVar

from oracles import METRICS, MonitoringService, Unavailable, Value
from oracles import Options as BaseOptions
from oracles import Spec as BaseSpec


class Thing(BaseSpec):
    thing: str


class Where(BaseOptions):
    port: int
    per_call: int = 200


class Counted(MonitoringService):
    name = "counted"
    METRICS: ClassVar = {"availability": METRICS["availability"]}
    SETTLE_DELAY = 0
    Spec = Thing
    Options = Where

    def _read(self, queries, interval):
        size = self._options.per_call
        return [
            answer
            for begin in range(0, len(queries), size)
            for answer in self._ask(queries[begin : begin + size], interval)
        ]

    def _ask(self, queries, interval):
        things = [query.spec.thing for query in queries]
        asked = json.dumps({"by": os.getpid(), "start": interval.start, "things": things})
        connection = HTTPConnection("127.0.0.1", self._options.port, timeout=60)
        try:
            connection.request("POST", "/", asked)
            answers = json.loads(connection.getresponse().read())
        except OSError as error:
            return [Unavailable(str(error))] * len(queries)
        finally:
            connection.close()
        return [
            self._reading(query, interval, {"said": said})
            if isinstance(said, int)
            else Unavailable(said, retry_after=1)
            for query, said in zip(queries, answers, strict=True)
        ]

    @classmethod
    def conclude(cls, query, interval, raw):
        return Value(Fraction(raw["said"]))
