.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 7860
MINUTES ?= 60
MOMENTS ?= 200
# Wheels alone: nothing that is fetched runs while it is installed.
INSTALL := python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
LOCK := $(VENV)/supply/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate -c constraints.txt --custom-compile-command 'make lock'

.PHONY: help run test soak check format fuzz docs bench assets lock audit sbom system gpu clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.installed  ## install what is needed and open the studio on the embedded family (PORT=7860)
	$(BIN)/m2n2 studio --port $(PORT)

test: $(VENV)/.developed system  ## install what is needed and run the whole suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10

soak: $(VENV)/.developed system  ## bring faults about at random moments of runs, their workers, exports, merges and votes, and print a table (MOMENTS=200; an hour); tests too long for `make test`
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m soak
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.faults --moments $(MOMENTS)

check: $(VENV)/.developed  ## format check, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.developed  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: $(VENV)/.developed  ## give every reader of outside data odd inputs for an hour (MINUTES=60); prints inputs and findings
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --minutes $(MINUTES)

docs: $(VENV)/.developed  ## write the reference pages of docs/ from the program
	$(BIN)/python -m studio.reference_pages

bench: $(VENV)/.developed system  ## run the benchmarks; each prints a table (40 GB of disk; an hour, and hours more for runs of search and digits that benchmarks/results lacks)
	$(BIN)/python -m benchmarks

gpu: $(VENV)/.developed  ## on a machine with a GPU: its tests, and a benchmark that writes gpu.md (28 GB of memory or disk; MINUTES=60 at most)
	@$(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || { echo "torch sees no GPU here, so there is nothing to test or measure."; exit 1; }
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m gpu
	$(BIN)/python -m benchmarks.gpu --minutes $(MINUTES) --out gpu.md

assets: $(VENV)/.developed  ## train the embedded family again (hours; see assets/README.md)
	$(BIN)/python -m assets.training

system:  # Chromium and a Japanese font, for the browser tests and the pages benchmark
	@sh tests/system.sh

lock: $(VENV)/.supplied  ## write requirements*.txt, versions with hashes for every platform, from constraints.txt
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml --extra dev --extra bench -o requirements-dev.txt
	$(LOCK) --group supply -o requirements-supply.txt

audit: $(VENV)/.supplied  ## ask the databases of known vulnerabilities about every pinned version (needs the internet)
	$(VENV)/supply/bin/pip-audit --disable-pip --require-hashes -r requirements.txt -r requirements-dev.txt -r requirements-supply.txt

sbom: $(VENV)/.installed $(VENV)/.supplied  ## write sbom.json, what is installed here in CycloneDX's form
	$(VENV)/supply/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o sbom.json $(BIN)/python

$(VENV)/.installed: pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "m2n2-studio needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 run"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(INSTALL) -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.developed: $(VENV)/.installed requirements-dev.txt
	$(BIN)/$(INSTALL) -r requirements-dev.txt
	@touch $@

$(VENV)/.supplied: requirements-supply.txt
	$(PYTHON) -m venv $(VENV)/supply
	$(VENV)/supply/bin/$(INSTALL) -r requirements-supply.txt
	@touch $@

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache *.egg-info
