# Every target sets up what it needs: virtual environments from the pinned requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCS := .venv-docs
PACK := .venv-pack
CHECKED := src lib rehearsal packing docs tests
PROSE := README.md CONTRIBUTING.md CHANGES.md SECURITY.md terraform/README.md docs/index.md docs/tutorial \
  docs/how-to docs/reference docs/explanation actions.yaml config.yaml charmcraft.yaml
# Charmcraft asks for build packages through python3-apt, which is on no registry: where the
# system's Python has it, charmcraft runs on that Python and is shown it.
APT := $(wildcard /usr/lib/python3/dist-packages/apt /usr/lib/python3/dist-packages/apt_pkg.*.so)
PACK_PYTHON := $(shell /usr/bin/python3 -c 'import apt, ensurepip, sys; \
  assert sys.version_info >= (3, 11)' 2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help rehearse rehearse-real packages test unit explore contract embedded real sample \
  security chaos long integration integration-embedded lint format docs reference pack bench profile requirements clean

help:  ## Show what there is to make.
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-20s %s\n", $$1, $$2}'

$(VENV)/.rehearsal: requirements-rehearsal.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-rehearsal.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.rehearsal $(VENV)/.integration

$(VENV)/.integration: requirements-integration.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-integration.txt
	@touch $@ $(VENV)/.rehearsal

$(DOCS)/.docs: requirements-docs.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.txt
	@touch $@

$(PACK)/.pack: requirements-pack.txt
	$(PACK_PYTHON) -m venv $(PACK)
	$(PACK)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-pack.txt
	$(if $(filter /usr/bin/python3,$(PACK_PYTHON)),ln -sfn $(APT) $(PACK)/lib/python3*/site-packages/)
	@touch $@

rehearse: $(VENV)/.rehearsal  ## Back up a charmed MAAS on an embedded Juju model, with the real charm.
	$(BIN)/python -m rehearsal rehearse

rehearse-real: $(VENV)/.rehearsal  ## The same on a real PostgreSQL with a real pgBackRest: 3 minutes.
	$(BIN)/python -m rehearsal rehearse --real-postgresql

packages:  ## Install that PostgreSQL and pgBackRest, and a Prometheus, where they are missing.
	.ci/packages

test: $(VENV)/.dev $(PACK)/.pack  ## Run all tests but those on a real Juju and a real PostgreSQL.
	$(BIN)/pytest -n 2 --dist loadgroup -m 'not long' --ignore tests/real tests

long: $(VENV)/.dev  ## Run what `make test` leaves out: whole stories on the embedded model.
	$(BIN)/pytest -n 2 --dist loadgroup -m long --timeout 1800 --ignore tests/real tests

unit: $(VENV)/.dev  ## Run the tests that need no server.
	$(BIN)/pytest -n 2 tests/unit

# One fault in so many strikes; with SAMPLE=1 it is each of them, and takes over 20 minutes.
SAMPLE ?= 3

explore: $(VENV)/.dev  ## Let everything go wrong, in memory: 5 minutes.
	PYTHONPATH=src:lib PYTHONHASHSEED=0 $(BIN)/python -m tests.exploration --sample $(SAMPLE)
	$(BIN)/pytest -q tests/exploration/test_meddling.py --hypothesis-profile explore

contract: $(VENV)/.dev  ## Hold every adapter to its port.
	$(BIN)/pytest tests/contract

embedded: $(VENV)/.dev  ## Run the tests on the embedded model.
	$(BIN)/pytest -n 2 --dist loadgroup tests/embedded

real: $(VENV)/.dev  ## Run the tests on a real PostgreSQL, the whole rehearsal among them.
	$(BIN)/pytest -n 2 --dist loadgroup tests/real

sample: $(VENV)/.dev  ## Run the part of the exploration that is among the tests.
	$(BIN)/pytest -n 2 tests/exploration

security: $(VENV)/.dev  ## Be hostile: what docs/explanation/security.md claims.
	$(BIN)/pytest -n 2 tests/security

chaos: $(VENV)/.dev  ## Kill, stop and cut off real processes in mid-operation: 8 minutes.
	$(BIN)/python -m tests.chaos

integration: $(VENV)/.integration  ## Run the tests on the Juju controller that the CLI is logged in to.
	$(BIN)/pytest --real --timeout 7200 tests/integration $(PYTEST_OPTIONS)

integration-embedded: $(VENV)/.integration  ## The same on an embedded controller, behind a juju command.
	$(BIN)/pytest --timeout 1800 tests/integration $(PYTEST_OPTIONS)

lint: $(VENV)/.dev $(PACK)/.pack  ## Check style, imports, types, spelling, prose and workflows.
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/codespell
	$(BIN)/proselint --config .proselintrc.json check $(PROSE)
	PYTHONPATH=src $(BIN)/lint-imports --no-cache
	$(BIN)/pyright
	$(BIN)/pyright --project packing
	$(BIN)/zizmor --offline --quiet .github

format: $(VENV)/.dev  ## Format the code.
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

docs: $(DOCS)/.docs  ## Build the documentation into docs/_build; a warning is an error.
	$(DOCS)/bin/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build
	@echo 'open docs/_build/index.html'

reference: $(VENV)/.dev  ## Write the tables, diagrams and examples of the documentation.
	PYTHONPATH=src:lib $(BIN)/python -m docs.generate

pack: $(PACK)/.pack  ## Check and pack the charm with charmcraft; print its size and import time.
	$(PACK)/bin/python -m packing

bench: $(VENV)/.dev  ## Print how fast it is.
	$(BIN)/python -m tests.bench

profile: $(VENV)/.dev  ## Print where the CPU seconds of dispatches go: 3 minutes.
	$(BIN)/python -m tests.bench --only-profile

requirements: $(VENV)/.dev  ## Pin the requirements anew, with hashes and no address.
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	for name in requirements requirements-thin-charm requirements-rehearsal \
	    requirements-integration requirements-dev requirements-docs requirements-pack; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate --upgrade $$name.in -o $$name.txt || exit 1; \
	done

clean:  ## Remove the environments, and what was built and left behind.
	rm -rf $(VENV) $(DOCS) $(PACK) .rehearsal .pytest_cache .ruff_cache .hypothesis docs/_build
