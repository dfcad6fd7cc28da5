# Every target sets up what it needs first (scripts/toolchain/setup.sh); nothing outside this folder is touched.
.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash

# The chain: anvil (default) or ganache.
CHAIN ?= anvil
ifeq ($(filter $(CHAIN),anvil ganache),)
$(error CHAIN is anvil or ganache, not '$(CHAIN)')
endif

# Another active environment must not leak into this one.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# In recipes only: set-up has to find the system's Python, not the one in .venv.
in_env := PATH="$(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$$PATH"
python := $(in_env) python
brownie := $(in_env) python -m scripts.toolchain.brownie_cli
pytest := $(in_env) python -m pytest

.PHONY: help
help: ## list the targets
	@echo 'Makegood: a cloud SLA that pays its own penalties. Targets:'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install compiler, chains and Python packages into this folder (every target does)
	@scripts/toolchain/setup.sh

# Compiled ahead of time, so that the demonstration starts at once.
build/compiled: package-lock.json brownie-config.yaml $(shell find contracts -name '*.sol') | setup
	@echo 'makegood: compiling the contracts (15 s) ...' >&2
	@$(brownie) compile > .cache/compile.log 2>&1 || { cat .cache/compile.log >&2; exit 1; }
	@touch $@

.PHONY: demo
demo: setup build/compiled ## an SLA is breached and pays, on a local chain (CHAIN=ganache, JSON=1)
	@$(in_env) makegood demo --chain $(CHAIN) $(if $(JSON),--json)

.PHONY: test
test: test-contracts test-python test-e2e ## all tests

.PHONY: test-contracts
test-contracts: setup build/compiled ## contract tests, through brownie (CHAIN=ganache, ARGS='-k name')
	@$(python) -m scripts.toolchain.contract_tests $(CHAIN) $(ARGS)

# The longest begin first (tests/conftest.py). Much of their time goes by in waiting for a chain: with more workers than cores,
# others use the cores meanwhile.
.PHONY: test-python
test-python: setup build/compiled ## Python tests (ARGS='-k name')
	$(pytest) tests -m 'not e2e' -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-e2e
test-e2e: setup build/compiled ## contracts, monitoring services and relayers together (ARGS='-k name')
	$(pytest) tests -m e2e $(ARGS)

.PHONY: lint
lint: setup ## ruff, mypy, solhint
	$(in_env) ruff check .
	$(in_env) ruff format --check .
	$(in_env) mypy
	$(in_env) solhint --noPoster --disc --max-warnings 0 'contracts/**/*.sol'

.PHONY: artifacts
artifacts: setup ## compile and export the ABIs to relayer/contracts/
	$(python) -m scripts.export

.PHONY: artifacts-check
artifacts-check: setup ## fail if the exported ABIs are not those of the contracts
	$(python) -m scripts.export --check

.PHONY: schema
schema: setup ## write the JSON Schema of SLA documents anew
	$(python) -m relayer.document.schema

.PHONY: gas
gas: setup ## what each operation costs, as JSON (ARGS=--record)
	@$(python) -m tests.gas $(ARGS)

# Analysis tools need other versions of what we use: they have an environment of their own.
.venv-audit/ready: scripts/assurance/requirements.txt | setup
	$(in_env) python -m venv --clear .venv-audit && echo '*' > .venv-audit/.gitignore
	$(in_env) uv pip sync --quiet --python .venv-audit/bin/python --require-hashes scripts/assurance/requirements.txt
	@touch $@

.PHONY: fuzz fuzz-short breakages mutants compilers coverage
fuzz: setup ## a deep fuzz campaign over the contracts (1,000,000 calls)
	@$(python) -m scripts.assurance.fuzz --deep $(ARGS)
fuzz-short: setup ## a short one
	@$(python) -m scripts.assurance.fuzz --short $(ARGS)
breakages: setup ## show that every invariant can fail
	@$(python) -m scripts.assurance.breakages $(ARGS)
mutants: setup build/compiled ## mutation testing of the contracts (ARGS='--sample 200 --brownie')
	@$(python) -m scripts.assurance.mutate $(ARGS)
coverage: setup ## which branches of the contracts the tests take; fails below 98 % (ARGS='-k name')
	@$(python) -m scripts.assurance.coverage $(ARGS)
compilers: setup ## the lowest and the newest compiler that the contracts allow
	@$(python) -m scripts.assurance.compilers

.PHONY: symbolic slither
symbolic: setup .venv-audit/ready ## proofs by halmos
	@$(python) -m scripts.assurance.symbolic $(ARGS)
slither: setup .venv-audit/ready ## static analysis
	@$(python) -m scripts.assurance.slither

.PHONY: bench soak
bench: setup ## how fast the relayer is, as JSON (ARGS='naive scale signing scaleout hanging simulate'; ten minutes)
	@$(python) -m tests.bench $(ARGS)
soak: setup build/compiled ## three relayers under random faults for half an hour (ARGS='--minutes 10 --feeds 40')
	@$(python) -m tests.soak $(ARGS)

.PHONY: lock
lock: setup ## resolve pyproject.toml and package.json into the lock files again (ARGS='--upgrade')
	$(in_env) scripts/toolchain/lock.sh $(ARGS)

.PHONY: clean
clean: ## remove what was built, keep what was installed (and brownie's accounts, in .home)
	rm -rf build interfaces reports .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.venv/*' -not -path './node_modules/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## remove what was installed, too
	rm -rf .venv .venv-audit node_modules .cache *.egg-info
