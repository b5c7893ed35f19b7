# Every target sets up what it needs: a virtual environment from the pinned requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHECKED := src rehearsal tests

.DEFAULT_GOAL := help
.PHONY: help rehearse test unit explore contract embedded chaos lint format bench requirements clean

help:  ## Show what there is to make.
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.rehearsal: requirements-rehearsal.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-rehearsal.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.rehearsal

rehearse: $(VENV)/.rehearsal  ## Back up a charmed MAAS on an embedded Juju model, with the real charm.
	$(BIN)/python -m rehearsal rehearse

test: $(VENV)/.dev  ## Run all tests.
	$(BIN)/pytest -n 2 --dist loadgroup tests

unit: $(VENV)/.dev  ## Run the tests that need no server.
	$(BIN)/pytest -n 2 tests/unit

explore: $(VENV)/.dev  ## Let everything go wrong at every moment, in memory: 10 minutes.
	PYTHONPATH=src PYTHONHASHSEED=0 $(BIN)/python -m tests.exploration
	$(BIN)/pytest -q tests/exploration/test_meddling.py --hypothesis-profile explore

contract: $(VENV)/.dev  ## Hold every adapter to its port.
	$(BIN)/pytest tests/contract

embedded: $(VENV)/.dev  ## Run the tests on the embedded model.
	$(BIN)/pytest -n 2 --dist loadgroup tests/embedded

chaos: $(VENV)/.dev  ## Kill, stop and cut off real processes in mid-operation: 8 minutes.
	$(BIN)/python -m tests.chaos

lint: $(VENV)/.dev  ## Check style, types and spelling.
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/codespell
	$(BIN)/pyright

format: $(VENV)/.dev  ## Format the code.
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

bench: $(VENV)/.dev  ## Print how fast it is.
	$(BIN)/python -m tests.bench

requirements: $(VENV)/.dev  ## Pin the requirements anew, with hashes and no address.
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	for name in requirements requirements-rehearsal requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate --upgrade $$name.in -o $$name.txt || exit 1; \
	done

clean:  ## Remove the environment and what rehearsals left.
	rm -rf $(VENV) .rehearsal .pytest_cache .ruff_cache .hypothesis
