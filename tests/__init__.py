"""Mirrors contracts, oracles, relayer and scripts; `make test` runs all of it."""
