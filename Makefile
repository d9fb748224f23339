# make demo         set up .venv, then train, evaluate and predict on the built-in molecules
# make test         the same environment plus the test tools: style, types, the whole test suite
# make lint         style and types only
# make bench        the speed benchmarks (see benchmarks/)
# make constraints  write constraints.txt from what is installed in .venv
# make clean        remove .venv and what the commands above wrote
#
# SCATTER=1 make test   also build torch_scatter (needs a C++ compiler and some minutes) and run its tests

SHELL := /bin/bash
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt
RUN ?= runs/demo
JOBS ?= 2
WHEELS ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/plstm_graph/wheels

.PHONY: demo test lint bench constraints scatter clean
.DELETE_ON_ERROR:

# torch comes first and alone: whatever asks for it later finds it installed and does not choose another build
$(VENV)/.installed: constraints.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) torch
	$(INSTALL) hatchling
	$(INSTALL) --no-build-isolation --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --no-build-isolation --editable '.[dev]'
	touch $@

# torch_scatter is compiled against the torch that is installed, so its wheel is kept by that version (pip would not)
$(VENV)/.installed-scatter: $(VENV)/.installed-dev
	folder="$(WHEELS)/torch-$$($(BIN)/python -c 'import torch; print(torch.__version__)')"; mkdir -p "$$folder" && \
	tag="$$($(BIN)/python -c 'import sys; print("cp%d%d" % sys.version_info[:2])')" && \
	version="$$(sed -n 's/^torch-scatter==//p' constraints.txt)" && \
	wheel="$$(ls "$$folder"/torch_scatter-"$$version"-"$$tag"-*.whl 2>/dev/null | head -n 1)" && \
	if [ -z "$$wheel" ]; then \
	  echo "building torch_scatter $$version once, for $$folder (about five minutes)" && \
	  FORCE_ONLY_CPU=$${FORCE_ONLY_CPU-1} MAX_JOBS=$(JOBS) $(PIP) wheel --quiet --no-cache-dir --no-build-isolation --no-deps \
	    --wheel-dir "$$folder" "torch_scatter==$$version" && \
	  wheel="$$(ls "$$folder"/torch_scatter-"$$version"-"$$tag"-*.whl | head -n 1)"; \
	fi && $(INSTALL) --no-deps "$$wheel"
	touch $@

scatter: $(VENV)/.installed-scatter

demo: $(VENV)/.installed
	BIN=$(BIN) tools/demo.sh $(RUN)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint $(if $(filter 1,$(SCATTER)),scatter)
	BIN=$(BIN) JOBS=$(JOBS) tools/test.sh

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

constraints: $(VENV)/.installed-dev
	$(BIN)/python tools/constraints.py

clean:
	rm -rf $(VENV) $(RUN) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
