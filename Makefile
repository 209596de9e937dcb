# The menu. `make run` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?= quick
CORES ?= 2
GRID ?= workflow/grid.yaml
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SNAKEMAKE := $(BIN)/snakemake --snakefile workflow/Snakefile --cores $(CORES) --rerun-incomplete --quiet rules host
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPATH :=

.DEFAULT_GOAL := help
.PHONY: help setup run evidence figures grid test bench lint notebooks readme lab clean

help: ## this menu
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "variables: PROFILE=smoke|quick|full, CORES=2, GRID=workflow/grid.yaml, DATA=file of your own spectrum"

$(READY): requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

setup: $(READY) ## create the environment and install (about two minutes)

run: $(READY) ## execute notebooks 00-04, write figures/ and runs/ (only what changed)
	$(SNAKEMAKE) --config profile=$(PROFILE) $(if $(DATA),data_path=$(DATA)) -- report
	@$(BIN)/python -m nblib.reporting.outputs $(PROFILE)

evidence: $(READY) ## notebooks 05 and 06: the sweep and the benchmark over seeds (about an hour and a half, resumable)
	$(SNAKEMAKE) --config profile=$(PROFILE) -- evidence

figures: $(READY) ## draw the figures of 05, 06 and the benchmarks again from records/, training nothing
	for name in 05_lambda_sweep 06_benchmark; do \
	  $(BIN)/python -m nblib.reporting.notebooks notebooks/$$name.ipynb build/figures/$$name.ipynb -p profile quick -p from_record true || exit 1; done
	for name in attention growth throughput time_to_quality; do $(BIN)/python benchmarks/$$name.py --redraw || exit 1; done

grid: $(READY) ## run a grid of notebook parameters, resumable (GRID=...)
	$(SNAKEMAKE) --configfile $(GRID) --keep-going -- grid

test: $(READY) ## the whole test suite, notebooks included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/test
	NBLIB_RUNS=$(CURDIR)/build/test/runs NBLIB_FIGURES=$(CURDIR)/build/test/figures NBLIB_RECORDS=$(CURDIR)/records \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests notebooks --nbval-lax -n $(CORES) --dist loadfile

bench: $(READY) ## the benchmarks, to records/benchmarks/ and figures/ (about an hour; leave the machine alone)
	for name in attention growth throughput scaling time_to_quality log_tokens recipe; do $(BIN)/python benchmarks/$$name.py || exit 1; done

lint: $(READY) ## ruff, and its formatter
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: $(READY) ## run the notebooks with smoke defaults and store their outputs (what the tests compare)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

readme: $(READY) ## renew the README's figures from records/
	$(BIN)/python -m nblib.reporting.outputs --readme

lab: $(READY) ## JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=. notebooks

clean: ## remove runs/ (trained models too); the environment and figures stay
	rm -rf runs build
