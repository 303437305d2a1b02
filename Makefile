# One verb each. Everything installs into .venv from requirements.lock (hashes, no index host).
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help run test test-services drills lint bench docs lock clean

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python {sys.version.split()[0]} given; 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

run: .venv/installed  ## ingest 5,000 real EURUSD bars through every stage (embedded profile)
	$(BIN)/backbone rehearse --profile embedded --output reports/rehearsal

test: .venv/installed  ## the hermetic tests, on all cores, with coverage
	$(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist worksteal --cov --cov-report=term:skip-covered

test-services: .venv/installed  ## the tests on real TimescaleDB, Redis and Kafka, which they start themselves
	$(BIN)/python -m pytest tests/services -q --override-ini addopts="-ra --strict-markers --strict-config --import-mode=importlib"

drills: .venv/installed  ## the long fault runs on a real TimescaleDB, which they start, kill and freeze themselves
	$(BIN)/python -m pytest tests/faults/drills -q -s --override-ini addopts="-ra --strict-markers --strict-config --import-mode=importlib"

lint: .venv/installed  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed  ## benchmarks, as ratios against the bare client in the same run
	$(BIN)/python -m tests.benchmarks

docs: .venv/installed  ## build the documentation site into site/
	$(BIN)/python docs/api_reference.py
	$(BIN)/zensical build --clean

lock:  ## resolve requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --group dev --extra report --extra institutional --python-version 3.11 --generate-hashes --universal --no-emit-index-url --no-emit-find-links --no-header -q -o requirements.lock

clean:  ## remove everything that make created
	rm -rf .venv data reports site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
