# The menu. `make run` and `make test` do all the set-up themselves. Whatever runs writes below runs/ and build/;
# `make publish` alone renews records/, figures/, README.md and docs/.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?=
CORES ?= 2
GRID ?= workflow/grid.yaml
DATA ?=
OPTIONS ?=
RECORD ?=
TASK ?=
EXTENSIONS ?=
LOCK ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKFLOW := $(BIN)/python workflow/run.py
IMPORTED := ipykernel.kernelapp, ipywidgets, nbconvert, papermill, pytest, seaborn, snakemake.cli, \
  fontTools.subset, matplotlib.backends.backend_pdf, torch._dynamo, torch.onnx, \
  nblib.measured.command, evidence.unknown.unknown_backgrounds, evidence.pages.publish
INSTALLED := $(if $(LOCK),--require-hashes -r requirements-$(LOCK).lock,-r requirements.txt -c constraints.txt)
# byte code is kept, or each of a hundred processes would compile what it imports
TEST := env -u PYTHONDONTWRITEBYTECODE NBLIB_RUNS=$(CURDIR)/build/test/runs $(BIN)/python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 3
# in order of cost; those that write no record of their own (train_wide, thresholds) are run by hand
BENCHMARKS := attention readouts growth throughput scaling time_to_quality log_tokens recipe busy resume detector_costs measured \
  multitaper false_alarms hard_shapes own_spectra together dependent_bins flag_labels calibrate on_off doors workbench workbench_times wide wide_cnn left_out campaign
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPATH :=
export PROFILE CORES GRID DATA OPTIONS RECORD TASK EXTENSIONS

.DEFAULT_GOAL := help
.PHONY: help setup run evidence story grid lab publish reproduce figures test types suite test-fast test-install campaign lint bench clean

help: ## this menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'variables: PROFILE=smoke|brief|quick|full, CORES=2, GRID=workflow/grid.yaml, DATA="file, folder or pattern of your own spectra", OPTIONS="of nblib detect"'

# byte code of what is imported (the line before the last), not of all that is installed: half a minute less
$(READY): requirements.txt constraints.txt pyproject.toml evidence/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e evidence
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c 'import $(IMPORTED)'
	@touch $(READY)

setup: $(READY) ## create the environment and install (about two minutes); LOCK=cpu or gpu: by hash, see docs/trust.md

run: $(READY) ## notebooks 00-04, short, to runs/brief (resumable); PROFILE=quick: as published; DATA=FILE: your own spectra
	@$(WORKFLOW) report --profile "$$PROFILE" --cores "$$CORES" --data="$$DATA" --options="$$OPTIONS"

evidence: $(READY) ## notebooks 05 to 07: the sweep, the benchmark over seeds, unknown backgrounds (hours, resumable)
	@$(WORKFLOW) evidence --profile "$$PROFILE" --cores "$$CORES"

story: $(READY) ## what 06 compares: train and judge what is not measured yet (hours; goes on where it was cut off)
	$(BIN)/python -m evidence story

grid: $(READY) ## a grid of notebook parameters, one table at the end, resumable (GRID=...)
	@$(WORKFLOW) grid --grid "$$GRID" --cores "$$CORES" --profile "$$PROFILE"

lab: $(READY) ## JupyterLab on copies of the notebooks, in runs/lab
	@$(BIN)/python workflow/lab.py

publish: $(READY) ## records/, figures/ and the generated pages from runs/quick, or PROFILE=full (nothing else writes there)
	@$(BIN)/python -m evidence publish $$PROFILE

reproduce: $(READY) ## run again what a record says and name every number that differs (RECORD=runs/models/KEY/record.json)
	@$(BIN)/python -m evidence reproduce "$$RECORD" --task "$$TASK" --extensions "$$EXTENSIONS"

figures: $(READY) ## the figures of 05, 06 and the benchmarks drawn again from records/ into runs/, nothing trained
	for name in 05_lambda_sweep 06_benchmark; do \
	  $(BIN)/python -m nblib run $$name -o build/figures/$$name.ipynb profile=quick from_record=true || exit 1; done
	for name in attention growth throughput time_to_quality; do $(BIN)/python -m evidence.benchmarks.$$name --redraw || exit 1; done

test: $(READY) ## the whole test suite, notebooks included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/test
	@$(MAKE) --no-print-directory --jobs=2 types suite

types: $(READY)
	$(BIN)/mypy

suite: $(READY)
	$(TEST) tests notebooks --nbval-lax

test-fast: $(READY) ## the tests that are not slow, in about a minute
	$(TEST) tests -m "not slow"

test-install: $(READY) ## the wheel in empty environments, by hash; killed grids; bugs planted in notebooks' code (minutes; called by .ci/run)
	$(BIN)/python -m pytest -n 0 tests/install.py tests/kills.py tests/planted.py

campaign: $(READY) ## 20,000 damaged files, hostile ones, drawn inputs, kills (under an hour; goes on where it was cut off)
	$(BIN)/python -m evidence.benchmarks.campaign $(OPTIONS)

lint: $(READY) ## ruff, its formatter, and mypy
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

bench: $(READY) ## all benchmarks, to runs/benchmarks (hours; leave the machine alone)
	for name in $(BENCHMARKS); do $(BIN)/python -m evidence.benchmarks.$$name || exit 1; done

clean: ## remove runs/ (trained models and edited copies of notebooks too) and build/; the environment stays
	rm -rf runs build
