"""Makegood's relayer: the daemon that reads, signs and submits, and the command line `makegood`."""

__version__ = "0.1.0"
