"""Contract tests: run by brownie, see `make test-contracts`."""
