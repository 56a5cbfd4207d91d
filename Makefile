# Everything happens in .venv; a second run of any target does only what has changed.
PYTHON ?= python3
# Programs that start within milliseconds need their bytecode, whatever the shell's habits.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv --quiet
SYNC := VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip sync --require-hashes --compile-bytecode
OURS := VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --no-deps --no-build-isolation --editable .
COMPILE := $(UV) pip compile --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-header

MADE := $(VENV)/.made
TOOL := $(VENV)/.uv
RUN := $(VENV)/.run
FULL := $(VENV)/.full
DOMAIN := $(VENV)/domain
LEFT_OUT := $(VENV)/left-out

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test check lint types fix bench lock docs clean test-domain services

help:
	@echo "make demo    a server, an agent and a training job, from source folder to result"
	@echo "make test    every check and every test"
	@echo "make check   format, lint, types, layers"
	@echo "make fix     what the tools can put right by themselves"
	@echo "make bench   the figures, beside the limits of this machine"
	@echo "make docs    the pages that are made from the code"
	@echo "make lock    the lock files anew, from pyproject.toml"
	@echo "make clean   no environment, no caches"

# A developer's environment can do all that the demo's can, so it is used where there is one.
demo: $(if $(wildcard $(FULL)),$(FULL),$(RUN))
	$(BIN)/launchyard demo

# What comes before the tests with real programs takes one core each: side by side.
test: $(FULL)
	$(MAKE) --no-print-directory --jobs 3 --output-sync=target check test-domain services
	@sh tests/run.sh $(BIN)/python $(VENV)/failed --ignore=tests/domain $$(cat $(LEFT_OUT).options)
	@cat $(LEFT_OUT)

check: lint types

lint: $(FULL)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(FULL)
	$(BIN)/mypy

fix: $(FULL)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(FULL)
	$(BIN)/python -m bench

docs: $(FULL)
	$(BIN)/python -m tests.architecture.write_docs

# The domain's tests run where nothing else is installed, so that they cannot come to need more.
test-domain: $(DOMAIN)/.made
	PYTHONPATH=. $(DOMAIN)/bin/python -m pytest -q -p no:cacheprovider tests/domain

services:
	@sh tests/services.sh $(LEFT_OUT)

# The whole lock comes first; the next ones are parts of it, so that all agree. The last stand by
# themselves: the tool that installs, and the stock clients of the tests.
lock: $(TOOL)
	$(COMPILE) --all-extras --group dev -o requirements/all.lock pyproject.toml
	$(COMPILE) --extra server --group build -c requirements/all.lock \
		-o requirements/run.lock pyproject.toml
	$(COMPILE) --extra server --extra docker --extra kubernetes --group build \
		-c requirements/all.lock -o requirements/image.lock pyproject.toml
	$(COMPILE) --group domain -c requirements/all.lock -o requirements/domain.lock
	echo uv | $(COMPILE) -o requirements/uv.lock -
	for version in 0.28.2 0.31.0; do \
		echo "wandb==$$version" | $(COMPILE) -o requirements/stock-$$version.lock - || exit; done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis dist

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Launchyard needs Python 3.11 or later; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(TOOL): requirements/uv.lock $(MADE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r requirements/uv.lock
	@touch $@

$(RUN): requirements/run.lock pyproject.toml $(TOOL)
	$(SYNC) requirements/run.lock
	$(OURS)
	@touch $@

$(FULL): requirements/all.lock pyproject.toml $(TOOL)
	$(SYNC) requirements/all.lock
	$(OURS)
	@touch $@

$(DOMAIN)/.made: requirements/domain.lock $(TOOL)
	$(UV) venv --clear --python $(BIN)/python $(DOMAIN)
	VIRTUAL_ENV=$(CURDIR)/$(DOMAIN) $(UV) pip sync --require-hashes requirements/domain.lock
	@touch $@
