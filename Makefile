.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 7860

.PHONY: help run test check format docs bench assets system clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.installed  ## install what is needed and open the studio on the embedded family (PORT=7860)
	$(BIN)/m2n2 studio --port $(PORT)

test: $(VENV)/.installed system  ## install what is needed and run the whole suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --durations=10

check: $(VENV)/.installed  ## format check, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed  ## write the reference pages of docs/ from the program
	$(BIN)/python -m studio.reference_pages

bench: $(VENV)/.installed system  ## run the benchmarks; each prints a table (40 GB of disk; an hour, and hours more for runs of search and digits that benchmarks/results lacks)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks

assets: $(VENV)/.installed  ## train the embedded family again (hours; see assets/README.md)
	$(BIN)/python -m assets.training

system:  # Chromium and a Japanese font, for the browser tests and the pages benchmark
	@sh tests/system.sh

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "m2n2-studio needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 run"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache *.egg-info
