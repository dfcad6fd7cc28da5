"""Reading on many machines: the daemon writes down what is due, workers read it. Both know each other only through PostgreSQL.

============================  ================================================================
:mod:`.remote`                the daemon's side: a source that others read for
:mod:`.jobs`                  what is handed over, and the queue that it lies in
:mod:`.questions`             which question each reading answers, from the SLA documents
:mod:`.reader`                one job: read what is open of it, store the answers
:mod:`.worker`                the process that does jobs, until it is told to end
:mod:`.clock`                 the one clock that all machines share
============================  ================================================================

Nothing depends on a job being done only once: the first answer to an interval stands (:meth:`.Readings.save`), and only the
daemon signs and sends.
"""
