# Needs python3 (3.11 or later) and make; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
BENCHMARKS = $(filter-out benchmarks/_% benchmarks/gpu.py,$(sort $(wildcard benchmarks/*.py)))

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint docs test-docs bench gpu check clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.test ## run examples/quickstart.py on the digits data
	$(BIN)/python examples/quickstart.py

test: $(VENV)/.test ## run the tests, without the slow ones
	$(BIN)/python -m pytest -n 2

test-slow: $(VENV)/.test ## run the slow tests
	$(BIN)/python -m pytest -n 2 -m slow

lint: $(VENV)/.test ## ruff and mypy
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

docs: $(VENV)/.docs ## build the documentation, warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -b html $(SPHINXOPTS) docs docs/_build/html

test-docs: docs ## open every page in a browser (Chromium), run notebooks
	$(BIN)/python -m pytest -q docs

bench: $(VENV)/.test ## run every benchmark, except for that of make gpu
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script; done

gpu: $(VENV)/.test ## every claim that needs a GPU, in eight minutes
	$(BIN)/python benchmarks/gpu.py --json gpu.json

check: lint test docs ## lint, test and docs

clean: ## remove what the other targets made
	rm -rf $(VENV) docs/_build docs/auto_examples docs/api/backreferences docs/api/generated docs/sg_execution_times.rst
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis quickstart.png gpu.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e ".[test]"
	@touch $@

$(VENV)/.docs: $(VENV)/.test
	$(PIP_INSTALL) -e ".[docs]"
	@touch $@
