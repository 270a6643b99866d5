# make demo   install into .venv and try seqfer on a clip that it renders itself
# make test   install what the tests need and run them
# make check  lint, types and tests, as before a commit

VENV := .venv
BIN := $(VENV)/bin

# The first Python of a supported version, unless one is given: make demo PYTHON=/usr/bin/python3.11
SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for python in python3.12 python3.11 python3.10 python3 python; do \
	"$$python" -c '$(SUPPORTED)' 2>/dev/null && echo "$$python" && break; done)

.PHONY: demo test check clean

demo: $(VENV)/.installed
	$(BIN)/seqfer demo

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

$(VENV)/bin/python:
	$(if $(shell "$(PYTHON)" -c '$(SUPPORTED)' 2>/dev/null && echo fits),,$(error seqfer needs \
		Python 3.10, 3.11 or 3.12; install one, or name it: make PYTHON=/path/to/python3.11))
	"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist seqfer-out/seqfer-demo seqfer-out/seqfer-demo.mp4 .pytest_cache .mypy_cache .ruff_cache .hypothesis
