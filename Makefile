# audit-flow: everything CI runs, runs here. Needs Python >= 3.11 and make; `make help` lists the targets.
#
# Each target sets up what it needs. An environment is made anew when one of its requirement files
# changes, and every package is checked against the SHA-256 written there:
#
#   .venv        requirements/uv.txt (by pip), then requirements/dev.txt (by uv)
#   .venv-train  the same way from requirements/train.txt, then torch by pip, because PyTorch
#                publishes one release as several files and only pip heeds a machine's own settings
#                of where to look. First requirements/torch-cpu.txt, the CPU-only build (2.13.0+cpu):
#                the package index has none, but it is all that is needed here, so a machine that is
#                told of a folder or an index with it is spared CUDA's gigabytes. Where there is none,
#                requirements/torch.txt, the index's own file, and requirements/torch-cuda.txt if that
#                file does not import without CUDA's libraries. pip is never left to resolve
#                (--no-deps): all that torch needs, and its hash, is in these files.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
TRAIN := .venv-train
BIN := $(VENV)/bin

SUM = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
LOCKED := $(VENV)/.locked-$(call SUM,requirements/uv.txt requirements/dev.txt)
READY := $(VENV)/.installed-$(call SUM,pyproject.toml)
TRAIN_LOCKED := $(TRAIN)/.locked-$(call SUM,requirements/uv.txt requirements/train.txt requirements/model.txt requirements/torch-cpu.txt requirements/torch.txt requirements/torch-cuda.txt)
TRAIN_READY := $(TRAIN)/.installed-$(call SUM,pyproject.toml)

TYPED := $(wildcard audit_flow flows tests benchmarks requirements examples/check.py)
BENCHMARKS := benchmarks/digests/bench.py benchmarks/signing/measure.py benchmarks/verify/bench.py benchmarks/dashboard/listing.py benchmarks/flows/overhead.py benchmarks/contamination/overlap.py benchmarks/scores/judge_claims.py benchmarks/scores/read_rows.py benchmarks/scores/error_rates.py benchmarks/false_blocks/run.py benchmarks/scale/run.py
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-input --require-hashes
PYTEST := -m pytest --timeout 600

# Nothing of this calls home: no analytics, no telemetry.
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 180
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := true
# A Python that was active before must not shine through.
unexport PYTHONPATH
unexport PYTHONHOME
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup audit test check test-slow test-long test-train retrain incidents false-blocks bench fuzz tamper lock clean
.DELETE_ON_ERROR:

help:  ## list the targets
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

audit: $(READY)  ## audit the examples: digit-adder and cluster-adder pass, reflection-70b fails
	@$(BIN)/python examples/check.py

test: $(READY)  ## every test but the slow ones
	$(BIN)/python $(PYTEST) -n $(WORKERS) -m "not slow and not train"

check: $(READY)  ## format, lint, types, floors of imports, documentation
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python $(PYTEST) -n $(WORKERS) -m "not slow" tests/house

test-slow: $(READY)  ## the slow tests: servers, browsers, built wheels, large files
	$(BIN)/python $(PYTEST) -n $(WORKERS) -m "slow and not train and not long"

test-long: $(READY)  ## the slow tests that CI does not wait for: every command struck at every place
	$(BIN)/python $(PYTEST) -n $(WORKERS) -m "long"

test-train: $(TRAIN_READY)  ## the tests that need torch and transformers
	$(TRAIN)/bin/python $(PYTEST) -m train tests/train tests/reproduce/test_against_transformers.py

retrain: $(TRAIN_READY)  ## train the digit-adder example anew, every stage of dvc.yaml
	PATH="$(CURDIR)/$(TRAIN)/bin:$$PATH" $(TRAIN)/bin/dvc repro --force --no-run-cache

incidents: $(READY)  ## judge known incidents and false alarms, and made-up ones
	$(BIN)/python benchmarks/incidents/run.py
	$(BIN)/python benchmarks/incidents/synthetic.py

false-blocks: $(READY)  ## how often honest releases are blocked, by the whole gate
	$(BIN)/python benchmarks/false_blocks/run.py

bench: $(READY)  ## the benchmarks, side by side with other tools
	@set -e; for each in $(BENCHMARKS); do echo "== $$each"; $(BIN)/python $$each; done

# ENGINE=atheris searches by coverage; it needs the package atheris, which is not in the lock.
FUZZ_SECONDS ?= 120
ENGINE ?= own
fuzz: $(READY)  ## spoil the input of every reader for FUZZ_SECONDS; SEED=N for other cases
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) --engine $(ENGINE) --seed $(or $(SEED),0)

tamper: $(READY)  ## the tamper table: every mutation of a good release, and what stops it
	$(BIN)/python -m tests.tamper --workers $(WORKERS)

setup: $(READY)  ## only set up .venv

lock: $(VENV)/bin/uv  ## compile requirements/*.in and pyproject.toml into hashed requirements/*.txt
	$(BIN)/python requirements/lock.py $(BIN)/uv

clean:  ## remove the environments, caches and build results
	rm -rf $(VENV) $(TRAIN) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `lock` must work while the lock itself is broken: it needs uv alone.
$(VENV)/bin/uv:
	$(call NEW_VENV,$(VENV))

$(LOCKED): | python-is-new-enough
	@echo "make: setting up $(VENV) from requirements/dev.txt" >&2
	$(call NEW_VENV,$(VENV))
	$(call INSTALL,$(VENV),requirements/dev.txt)
	@touch $@

$(READY): $(LOCKED)
	$(call INSTALL_PROJECT,$(VENV))
	@touch $@

$(TRAIN_LOCKED): | python-is-new-enough
	@echo "make: setting up $(TRAIN) from requirements/train.txt" >&2
	$(call NEW_VENV,$(TRAIN))
	$(call INSTALL,$(TRAIN),requirements/train.txt --no-deps)
	$(call INSTALL,$(TRAIN),requirements/model.txt --no-deps)
	@$(TRAIN)/bin/python $(PIP_INSTALL) --no-deps -r requirements/torch-cpu.txt 2>/dev/null \
		|| { echo "make: no CPU-only torch here; taking the package index's" >&2; \
		$(TRAIN)/bin/python $(PIP_INSTALL) --no-deps -r requirements/torch.txt; }
	@$(TRAIN)/bin/python -c "import torch" 2>/dev/null \
		|| $(TRAIN)/bin/python $(PIP_INSTALL) --no-deps -r requirements/torch-cuda.txt
	@$(TRAIN)/bin/python -c "import torch; print('make: torch', torch.__version__)" >&2
	@touch $@

$(TRAIN_READY): $(TRAIN_LOCKED)
	$(call INSTALL_PROJECT,$(TRAIN))
	@touch $@

.PHONY: python-is-new-enough
python-is-new-enough:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "make: got `command -v $(PYTHON) >/dev/null && $(PYTHON) --version 2>&1 | head -1 || echo no $(PYTHON)`, expected Python 3.11 or newer." \
		"Name one: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }

define NEW_VENV
@$(PYTHON) -m venv --clear $(1)
@$(1)/bin/python $(PIP_INSTALL) -r requirements/uv.txt
endef

# Compiled at once: a machine that writes no bytecode would compile MLflow at every start.
INSTALL = @$(1)/bin/uv pip install --quiet --compile-bytecode --python $(1)/bin/python --require-hashes -r $(2)

# By the build backend of the lock: no build environment is fetched.
INSTALL_PROJECT = @rm -f $(1)/.installed-* && $(1)/bin/uv pip install --quiet \
	--python $(1)/bin/python --no-deps --no-build-isolation --editable .
