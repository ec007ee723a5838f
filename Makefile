# Every target sets up what it needs: on a fresh machine with Python 3.11+ and make, one command is enough.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS ?= .venv-bench
PEERS_READY := $(PEERS)/.ready

OTHER_PYTHONS ?= 3.11 3.12 3.13
# Tests start processes of their own and wait for them half of the time; more than a few at once only wait for each other.
TESTS_AT_ONCE ?= 4
SHARED_OUT := --numprocesses $(TESTS_AT_ONCE) --dist worksteal

.PHONY: help setup demo demo-pipeline demo-request-reply demo-publish-subscribe demo-census demo-duplicates demo-supervised \
	test test-quick test-feeds test-pythons check lint format lock schema claims chaos fuzz bench bench-quick bench-lock bench-service clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-24s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with the locked dependencies and the orchestrator command

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "cannot set up: $(PYTHON) is older than Python 3.11 (name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS))" >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q orchestrator roles # under supervisord each process is an interpreter of its own
	@touch $@

demo: demo-request-reply demo-publish-subscribe demo-pipeline ## run the three patterns, one after another

demo-pipeline: $(READY) ## ventilator, three workers, sink: 100 tasks in parallel
	@$(BIN)/orchestrator run topology.yaml --pattern pipeline

demo-request-reply: $(READY) ## three clients and a server in lockstep
	@$(BIN)/orchestrator run topology.yaml --pattern request_reply

demo-publish-subscribe: $(READY) ## weather updates to three subscribers
	@$(BIN)/orchestrator run topology.yaml --pattern publish_subscribe

demo-census: $(READY) ## real input: every module of Python's standard library, parsed and counted
	@$(BIN)/orchestrator run examples/census.yaml

demo-duplicates: $(READY) ## real input: files of the same content below FOLDER (default: this one)
	@folder=$$(cd "$${FOLDER:-.}" && pwd) || exit 2; FOLDER="$$folder" $(BIN)/orchestrator run examples/duplicates.yaml

demo-supervised: $(READY) ## the three patterns as services under supervisord: scaled, hurt, and taken down with balanced books
	@ORCHESTRATOR=$(BIN)/orchestrator PYTHON=$(BIN)/python examples/supervised.sh

test: $(READY) ## run all tests
	@$(BIN)/python -m pytest $(SHARED_OUT)

test-quick: $(READY) ## run the tests that are not slow
	@$(BIN)/python -m pytest $(SHARED_OUT) -m "not slow"

test-feeds: $(READY) ## publish-subscribe with numbers while its processes are killed, many times (SEEDS=100)
	@FEED_SEEDS=$(or $(SEEDS),100) $(BIN)/python -m pytest $(SHARED_OUT) tests/system/test_feeds_under_faults.py

test-pythons: $(READY) ## test-quick with each other supported Python that is found, in a .venv of its own
	@set -o pipefail; mine=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	.ci/other-pythons $(OTHER_PYTHONS) | while read -r version python; do \
		[ "$$version" != "$$mine" ] || continue; \
		echo "Python $$version"; \
		$(MAKE) --no-print-directory VENV=.venv-$$version PYTHON="$$python" test-quick < /dev/null || exit 1; \
	done

lint: $(READY) ## ruff, ruff format, mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

check: lint test ## everything that must be green before a change lands

format: $(READY) ## let ruff mend what it can
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

schema: $(READY) ## write topology.schema.json anew
	@$(BIN)/orchestrator schema > topology.schema.json

lock: ## resolve requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --extra dev --no-header --generate-hashes pyproject.toml -o requirements.lock

claims: $(READY) ## what the ZeroMQ guide claims, measured; writes claims/claims.md (SEED=1, ONLY=4,7, ENGINE=supervisor)
	@$(BIN)/python claims/prove.py $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(ENGINE),--engine $(ENGINE))

chaos: $(READY) ## what could break it, for ten minutes; writes the table in docs/reliability.md (SEED=1, MINUTES=10, ONLY=orphans)
	@$(BIN)/python -m chaos --write --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

fuzz: $(READY) ## topologies and messages made by chance, for five minutes; what is answered wrongly is kept as a case (SEED=1, MINUTES=5)
	@$(BIN)/python -m chaos --fuzz --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED))

bench: $(READY) $(PEERS_READY) ## side by side with plain pyzmq and others; writes benchmarks/results.md (ONLY=pipeline,launch, PAIRS=5)
	@BENCH_VENV=$(PEERS) $(BIN)/python -m benchmarks.bench $(if $(ONLY),--only $(ONLY)) $(if $(PAIRS),--pairs $(PAIRS))

bench-quick: $(READY) $(PEERS_READY) ## the same in under a minute: fewer lines, one pair each, nothing written
	@BENCH_VENV=$(PEERS) $(BIN)/python -m benchmarks.bench --quick $(if $(ONLY),--only $(ONLY)) $(if $(PAIRS),--pairs $(PAIRS))

$(PEERS_READY): $(wildcard benchmarks/requirements/*.txt)
	$(PYTHON) -m venv $(PEERS)
	@for file in $^; do \
		$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $$file \
			|| echo "cannot install what $$file names: those lines will be skipped" >&2; \
	done
	@touch $@

bench-lock: ## resolve the counterparts' versions anew (needs uv)
	cd benchmarks/requirements && for file in *.in; do \
		uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --generate-hashes $$file -o $${file%.in}.txt || exit 1; \
	done

bench-service: $(READY) ## 200 processes under supervisord: how long until all are in place, and until all are gone
	@$(BIN)/python benchmarks/service.py

clean: ## remove what was built and the records of old runs
	rm -rf $(VENV) .venv-* .runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
