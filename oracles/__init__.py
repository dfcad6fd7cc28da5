"""Adapters for monitoring services: ask what a service did in an interval, get an exact answer.

This package knows nothing of chains, keys or agreements.
"""

from oracles.base import (
    NO_DATA,
    NOT_APPLICABLE,
    Absence,
    Answer,
    AnyService,
    Interval,
    MonitoringService,
    Options,
    Query,
    Reading,
    SampleStore,
    Spec,
    Value,
    canonical,
)
from oracles.composite import connect
from oracles.errors import (
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MissingExtra,
    MonitoringError,
    Throttled,
    Unavailable,
    UnknownService,
)
from oracles.registry import available, load
from oracles.units import LARGEST_CODE, METRICS, UNITS, Metric, Unit, encode

__all__ = [
    "LARGEST_CODE",
    "METRICS",
    "NOT_APPLICABLE",
    "NO_DATA",
    "UNITS",
    "Absence",
    "AccessRefused",
    "Answer",
    "AnyService",
    "BadRequest",
    "GarbageAnswer",
    "Interval",
    "Metric",
    "MissingExtra",
    "MonitoringError",
    "MonitoringService",
    "Options",
    "Query",
    "Reading",
    "SampleStore",
    "Spec",
    "Throttled",
    "Unavailable",
    "Unit",
    "UnknownService",
    "Value",
    "available",
    "canonical",
    "connect",
    "encode",
    "load",
]
