# One verb each. All of it works in .venv: `make run` installs the product alone, the others add what development needs.
# The locks hold hashes and no index host; nothing is resolved while installing, so that no later release changes anything.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# what was compiled is kept: the tests start hundreds of processes, each of which would compile the package anew
unexport PYTHONDONTWRITEBYTECODE

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
LOCKED := --require-hashes --only-binary :all:
ALONE := --override-ini addopts="-ra --strict-markers --strict-config --import-mode=importlib"
# what kills, freezes and empties the servers for minutes belongs to the drills
BREAKING := $(addprefix tests/services/test_,kafka_faults.py kafka_reading_faults.py secrecy.py topics_backbone.py)
UV := uv==0.13.9
# all but spark, whose pandas is an older one than everybody else's
EXTRAS := --extra all --extra browser --extra otel --extra test
COMPILE := pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-strip-extras --no-header --no-emit-index-url --no-emit-find-links

.PHONY: help run test test-seeds coverage sim fuzz test-install test-services test-data test-lakes test-spark drills drills-rolling lint audit sbom soak bench bench-rivals docs lock locks clean

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# $(1): the lock. What builds the project lies beside the environment, not in it.
define install
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python {sys.version.split()[0]} given; 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) $(LOCKED) -r $(1)
	$(PIP_INSTALL) $(LOCKED) --upgrade --target .venv/build -r requirements-build.lock
	PYTHONPATH=.venv/build $(PIP_INSTALL) --no-build-isolation -e .
	$(BIN)/python -m pip check
endef

.venv/product: requirements.lock requirements-build.lock pyproject.toml
	$(call install,requirements.lock)
	@touch $@

.venv/installed: requirements-dev.lock requirements.lock requirements-build.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch .venv/product $@

run: .venv/product  ## ingest 5,000 real EURUSD bars through every stage (embedded profile)
	$(BIN)/backbone rehearse --profile embedded --output reports/rehearsal

test: .venv/installed  ## the hermetic tests, on all cores
	$(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist worksteal

coverage: .venv/installed  ## the same with coverage, which takes a third longer
	$(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist worksteal --cov --cov-report=term:skip-covered

test-seeds: export WHOLE_CAMPAIGNS := 1
test-seeds: .venv/installed  ## all seeds, points and examples of the campaigns of which `make test` tries a part
	$(BIN)/python -m pytest -q -m campaign -n auto --maxprocesses 8 --dist worksteal

sim: .venv/installed  ## whole embedded backbones with seeded faults against a model: SEEDS=2000 of them, or SEED=17 alone
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200) --jobs 2)

fuzz: .venv/installed  ## damaged payloads and files, each campaign in processes of its own: SEED=1, PAYLOADS=100000, FILES=2000
	$(BIN)/python -m tests.fuzz --seed $(or $(SEED),1) --payloads $(or $(PAYLOADS),100000) --files $(or $(FILES),2000)

test-install: .venv/installed  ## locks, wheels and the tests of actors in clean environments, on every Python found (needs a package registry)
	$(BIN)/python -m pytest tests/install -q -n auto --maxprocesses 2 --dist loadscope --no-loadscope-reorder $(ALONE)

test-services: .venv/installed  ## the tests on real TimescaleDB, Redis and Kafka, which they start themselves
	$(BIN)/python -m pytest tests/services tests/integration -q -n auto --maxprocesses 2 --dist loadfile $(ALONE) $(addprefix --ignore=,$(BREAKING))

drills: .venv/installed  ## the long fault runs on real servers, which they start, kill and freeze themselves
	$(BIN)/python -m pytest tests/faults/drills $(BREAKING) -q -s $(ALONE)

drills-rolling: export BACKBONE_DRILL_MINUTES ?= 30
drills-rolling: .venv/installed  ## each server in turn killed, frozen and restarted, for BACKBONE_DRILL_MINUTES (30)
	$(BIN)/python -m pytest tests/faults/drills/test_rolling.py -q -s $(ALONE)

# pyspark has no wheel: its own is built, which takes a minute or two, and beside a pandas that it supports
.venv-spark/installed: requirements-spark.lock requirements-build.lock pyproject.toml
	$(PYTHON) -m venv .venv-spark
	.venv-spark/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
		-r requirements-build.lock
	.venv-spark/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --no-binary pyspark \
		--no-build-isolation -r requirements-spark.lock
	.venv-spark/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	.venv-spark/bin/python -m pip check
	@touch $@

test-spark: .venv-spark/installed  ## the jobs, the data source and a cluster of real Spark, in an environment of its own (needs Java 17 or 21)
	.venv-spark/bin/python -m pytest tests/spark -q $(ALONE)

test-data: .venv/installed  ## millions of real prices, where a folder of them lies beside the checkout, by CSV in nine dialects and by Parquet
	$(BIN)/python -m pytest tests/data -q $(ALONE)

.venv-lakes/installed: requirements-lakes.lock
	$(PYTHON) -m venv .venv-lakes
	.venv-lakes/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(LOCKED) -r $<
	@touch $@

test-lakes: .venv/installed .venv-lakes/installed  ## exports as tables of Iceberg and Delta Lake, with their own clients in .venv-lakes
	$(BIN)/python -m pytest tests/lakes -q $(ALONE)

lint: .venv/installed  ## ruff, mypy --strict, and pyright on what it must refuse
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --project pyproject.toml --pythonpath $(BIN)/python

.venv-audit/installed: requirements-audit.lock
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(LOCKED) -r $<
	@touch $@

audit: .venv/installed .venv-audit/installed  ## advisories, licences, secrets, bill of materials, workflows; says what could not be asked
	$(BIN)/python -m tests.audit

sbom: .venv/installed  ## write sbom.cdx.json, the bill of materials of a release, from requirements.lock
	$(BIN)/python -m tests.audit.sbom

soak: .venv/installed  ## a quarter of an hour of everything at once on each store, with a verdict for each bound
	BACKBONE_BENCH_MINUTES=$${BACKBONE_BENCH_MINUTES:-15} $(BIN)/python -m tests.benchmarks soak --strict

bench: .venv/installed  ## benchmarks, as ratios against the bare client in the same run
	$(BIN)/python -m tests.benchmarks

bench-rivals: .venv/installed  ## install the heavy clients that reads are measured beside into .venv-bench
	$(PIP_INSTALL) $(LOCKED) --upgrade --target .venv-bench -r requirements-bench.lock

docs: .venv/installed  ## build the documentation site into site/
	$(BIN)/python docs/generate.py
	$(BIN)/zensical build --clean --strict

lock: locks sbom  ## resolve the locks anew; versions move only where pyproject.toml asks, or all with UPGRADE=--upgrade

locks:
	scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && $(PYTHON) -m venv "$$scratch" && \
	"$$scratch/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: $(UV) && \
	"$$scratch/bin/uv" $(COMPILE) $(UPGRADE) pyproject.toml -o requirements.lock && \
	"$$scratch/bin/uv" $(COMPILE) $(UPGRADE) pyproject.toml $(EXTRAS) --group dev -c requirements.lock -o requirements-dev.lock && \
	"$$scratch/bin/uv" $(COMPILE) $(UPGRADE) --group bench -c requirements-dev.lock -o requirements-bench.lock && \
	"$$scratch/bin/uv" $(COMPILE) $(UPGRADE) --group build -o requirements-build.lock && \
	"$$scratch/bin/uv" $(COMPILE) $(UPGRADE) --group audit -o requirements-audit.lock && \
	"$$scratch/bin/uv" $(COMPILE) $(UPGRADE) --group lakes -c requirements-dev.lock -o requirements-lakes.lock && \
	"$$scratch/bin/uv" $(COMPILE) $(UPGRADE) pyproject.toml --extra institutional --extra spark --group spark -c requirements.lock -o requirements-spark.lock

clean:  ## remove everything that make created
	rm -rf .venv .venv-audit .venv-bench .venv-lakes .venv-spark data reports site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find actors backbone compose docs tests -name __pycache__ -type d -prune -exec rm -rf {} +
