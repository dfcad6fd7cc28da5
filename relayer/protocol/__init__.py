"""The rules that exist on both sides: the Python twin of the contracts' arithmetic and of what is signed.

Pure: no input, no output, no clock. Shared vectors check every function here against the contracts.

========================  =============================================================
:mod:`.calendar_months`   months in UTC
:mod:`.measurement`       times, windows, comparison and threshold of a feed
:mod:`.scope`             hours of the week and range of values of a feed
:mod:`.feed`              panels of reporters, feeds and their ids
:mod:`.readings`          codes of readings and how they agree
:mod:`.merkle`            the tree of readings whose root a reporter signs
:mod:`.report`            signed readings as the oracle takes them
:mod:`.tally`             verdicts and how they are counted
:mod:`.terms`             what both parties sign
:mod:`.credit`            what the consumer gets back
:mod:`.typed_data`        digests, signing and recovery (EIP-712)
========================  =============================================================
"""
