# SmartTrade. `make help` lists what there is; each target does its own set-up first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Where this is set, each of the many processes would compile all that it loads, longer than it runs.
unexport PYTHONDONTWRITEBYTECODE
# What is known of unchanged modules outlives the checkout: most of them are the libraries'.
export MYPY_CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/smarttrade/mypy

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PY     := $(BIN)/python
LOCKS  := requirements/bootstrap.txt requirements/dev.txt
STAMP  := $(VENV)/.installed
# Side by side, each one's output in one piece when it has ended.
BESIDE := --no-print-directory -j3 --output-sync=target
PYTEST := $(BIN)/pytest -q --durations=15
# What computes on virtual time does not mind to have only what others leave. Component tests give way to the
# attacks beside them, whose victim must not be slowed down by anything but the attack.
LEFT_OVER  := nice -n 19
GIVING_WAY := nice -n 10
# Component tests wait for processes as much as they compute; their conftest says which go first and together.
PARALLEL := -n 5 --dist loadscope --no-loadscope-reorder

.PHONY: help setup check fix test test-unit test-component test-attacks fuzz attack-table \
        test-simulation test-e2e simulate demo demo-down \
        chaos cluster-up cluster-down images crds lock bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make the virtual environment with the locked dependencies

$(STAMP): $(LOCKS) pyproject.toml
	@cluster/setup-venv "$(PYTHON)" "$(VENV)"
	@touch $@

check: setup ## Lint, format check, types, layers, bills of materials, audit of dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PY) -m supply check

fix: setup ## Apply what the linter and the formatter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test: setup ## Everything: check and every layer of tests
	@$(MAKE) $(BESIDE) check test-unit
	@echo "component tests, attacks and simulation, for minutes: each shows its output when it has ended"
	@$(MAKE) $(BESIDE) test-component test-attacks test-simulation
	@$(MAKE) --no-print-directory test-e2e

test-unit: setup ## Pure code, no processes
	$(PYTEST) -n 2 tests/unit

test-component: setup ## Real nats-server, kube-apiserver and exchange protocol as plain processes
	$(PY) -m cluster binaries nats-server etcd kube-apiserver kube-controller-manager kubectl helm >/dev/null
	$(GIVING_WAY) $(PYTEST) $(PARALLEL) tests/component

test-attacks: setup ## The attack matrix on the bus and in the containers; its other parts are component and end-to-end tests
	$(PY) -m cluster binaries nats-server >/dev/null
	$(PYTEST) tests/attacks/bus tests/attacks/containers

fuzz: setup ## A million malformed messages for every consumer; SEED=... repeats a run
	$(PY) -m tests.attacks.fuzz $(if $(SEED),--seed $(SEED))

attack-table: setup ## Write the attack matrix into the documentation
	$(PY) -m tests.attacks

test-simulation: setup ## Fault histories of the execution protocol on virtual time, a fixed set
	$(LEFT_OVER) $(PYTEST) -n 2 tests/simulation

test-e2e: setup ## The whole platform on a real cluster (made when absent)
	$(PY) -m cluster build
	$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder tests/e2e

simulate: setup ## The long search for a fault history that breaks execution
	$(PY) -m tests.simulation

chaos: setup ## Real processes under kills, pauses, partitions and faults of the exchange, judged by its journal
	$(PY) -m tests.chaos

demo: export DATA := $(DATA)
demo: setup ## Cluster, platform, simulated exchange and two accounts that trade; DATA=FILE replays a recording
	@$(PY) -m demo up

demo-down: setup ## Remove the demo's accounts and the platform, keep the cluster
	@$(PY) -m demo down

cluster-up: setup ## A real Kubernetes on this machine (kind where Docker answers)
	@$(PY) -m cluster up

cluster-down: setup ## Remove that cluster without a trace
	@$(PY) -m cluster down

images: setup ## Build the images and load them into the cluster
	@$(PY) -m cluster images

crds: setup ## Write the CRDs from the models
	$(PY) -m smarttrade.api.crds

lock: setup ## Resolve the dependencies anew into requirements/
	@cluster/lock "$(BIN)/uv"
	@$(PY) -m supply write

bench: setup ## Benchmarks side by side with their references; NAME=... for one
	@$(PY) -m benchmarks $(NAME)

clean: ## Remove what was made in the checkout (the cache folder and the cluster stay)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist benchmarks/results
