"""OpenSLO v1: service level objectives as people already write them, read as strictly as everything else here.

====================  =============================================================================
:mod:`.fields`        names, durations, numbers, labels: how each is written
:mod:`.model`         the objects: DataSource, Service, SLI, SLO
:mod:`.rules`         what their fields mean together
:mod:`.catalogue`     all objects of an SLA document's files, each name once
:mod:`.references`    an SLA document in which no name stands for an object any more
:mod:`.adapters`      which of our adapters a type of metric source is, and what it is asked
:mod:`.translation`   the same in our own words
:mod:`.levels`        one SLO in our own words
:mod:`.refusals`      what the contracts cannot judge, why, and what to write instead
:mod:`.places`        a level and its SLO while they are translated
====================  =============================================================================
"""

# Documents may hold SLOs, and SLOs are written in the quantities of documents: whoever comes first, documents are read first.
import relayer.document  # noqa: F401
