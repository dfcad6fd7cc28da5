"""The raw answers behind signed readings: kept, encrypted, handed over, and checked by whoever gets them.

================  ==================================================================================
:mod:`.cipher`    encryption at rest: what the database holds of raw answers
:mod:`.package`   the file in which evidence is handed over
:mod:`.export`    making that file from a relayer's database
:mod:`.verify`    what the file proves, to anyone who has the SLA document
:mod:`.judged`    what the chain made of the readings
================  ==================================================================================
"""
