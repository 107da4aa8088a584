# Prunella's commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
TOOLS := .tools
UV := $(shell command -v uv 2>/dev/null || echo $(TOOLS)/bin/uv)
RUN := $(UV) run --no-sync
SYNC = $(UV) sync --locked --no-editable --python "$$(command -v $(PYTHON))"
MARKET ?=
ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}'

.PHONY: demo
demo: setup-small ## Run the whole system for about 90 seconds: trade, break things, heal (MARKET=path plays a recording)
	@$(RUN) prunella demo $(if $(MARKET),--market $(MARKET)) $(ARGS)

.PHONY: test
test: setup ## Run all tests (Rust and Python)
	@cargo test --quiet --workspace --exclude prunella-python
	@$(RUN) pytest $(ARGS)

.PHONY: setup
setup: tools-found ## Make the environment: Python packages, the developers' tools and the compiled core
	@$(SYNC)

# What users need, without the packages of tests and models; removes nothing that is there already.
.PHONY: setup-small
setup-small: tools-found
	@$(SYNC) --no-dev --inexact

.PHONY: tools-found
tools-found: $(UV)
	@command -v cargo >/dev/null || { echo "cargo not found: install a Rust toolchain (https://rustup.rs), then run again"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1)"; exit 1; }

$(TOOLS)/bin/uv:
	@echo "uv is not installed: putting it into $(TOOLS)/ (nothing else on this machine changes)"
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'

.PHONY: fmt
fmt: setup ## Format Rust and Python
	@cargo fmt
	@$(RUN) ruff format
	@$(RUN) ruff check --fix --quiet

.PHONY: lint
lint: setup ## Check format, lints and import contracts
	@cargo fmt --check
	@cargo clippy --quiet --workspace --all-targets -- -D warnings
	@$(RUN) ruff format --check
	@$(RUN) ruff check
	@PYTHONPATH=python $(RUN) lint-imports

.PHONY: types
types: setup ## Check types, and that the stub of the compiled core is true
	@$(RUN) mypy
	@$(RUN) python -m mypy.stubtest prunella._core --mypy-config-file pyproject.toml

.PHONY: docs
docs: setup ## Write docs/reference/ anew from the source
	@$(RUN) python docs/generate.py

.PHONY: proto
proto: setup ## Write the Python modules of proto/ anew
	@$(RUN) python proto/schemas.py

.PHONY: evaluate
evaluate: setup-small ## Break a stack, let every arm heal it, score it: about four minutes (ARGS='--out folder')
	@$(RUN) prunella evaluate --quick $(ARGS)

.PHONY: bench
bench: tools-found ## Print latency and throughput on this machine, beside other systems
	@$(SYNC) --group bench
	@$(RUN) prunella bench $(ARGS)

.PHONY: bench-compare
bench-compare: tools-found ## Measure and tell what changed since a report (BASE=file)
	@$(SYNC) --group bench
	@$(RUN) prunella bench --compare $(BASE) $(ARGS)

.PHONY: nightly
nightly: tools-found ## Simulate 100,000 lives of the core with crashes; tells how far it is
	cargo test --release --package prunella-simulation -- --ignored --nocapture

.PHONY: services
services: ## Install and start the servers that the tests use (Debian packages; needs root)
	@bash .ci/services

.PHONY: all
all: test lint types ## Everything that CI checks

.PHONY: clean
clean: ## Remove what was built
	@rm -rf target .venv $(TOOLS) .mypy_cache .ruff_cache .pytest_cache .hypothesis
