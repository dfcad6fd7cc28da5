"""The rules that exist on both sides: the Python twin of the contracts' arithmetic and of what is signed.

Pure: no input, no output, no clock. Shared vectors check every function here against the contracts.

========================  =============================================================
:mod:`.measurement`       times, windows, comparison and threshold of a feed
:mod:`.feed`              panels of reporters, feeds and their ids
:mod:`.readings`          codes of readings and how they agree
:mod:`.tally`             verdicts and how they are counted
:mod:`.terms`             what both parties sign
:mod:`.credit`            what the consumer gets back
:mod:`.typed_data`        digests, signing and recovery (EIP-712)
========================  =============================================================
"""
