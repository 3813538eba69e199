# Two commands matter: `make demo` runs the main job, `make test` passes every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
WORKERS ?= 2

.PHONY: demo test setup format lint types imports unit fuzz lock bench exactness soak clean

demo: $(STAMP)
	@$(BIN)/flux-router demo

test: format lint types imports unit

setup: $(STAMP)

$(STAMP): requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

# Idle workers take tests from busy ones: some tests wait for half a minute.
unit: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term:skip-covered

# The properties of the rules and of the providers, on many more examples than `unit` tries.
fuzz: $(STAMP)
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -n $(WORKERS) --dist worksteal -m hypothesis \
	  tests/core tests/providers tests/config tests/flow tests/web

exactness: $(STAMP)
	$(BIN)/python -m bench.exactness $(foreach clone,$(CLONE),--clone $(clone))

bench: $(STAMP)
	$(BIN)/python -m bench.service
	$(BIN)/python -m bench.replicas
	$(BIN)/python -m bench.hostile
	$(BIN)/python -m bench.calls
	$(BIN)/python -m bench.match
	$(BIN)/python -m bench.bodies
	$(BIN)/python -m bench.git
	$(BIN)/python -m bench.closure

# About two minutes for each database that this machine has; SOAK="--seconds 600 --seed 7" for more.
soak: $(STAMP)
	$(BIN)/python -m bench.soak $(SOAK)

# Resolves the versions anew and pins them with hashes, for the service and for its development;
# needs uv. Extras stay in the pins: the pip that comes with Python 3.11 looks at the newest release of
# `coverage[toml]` first, and stops there for want of a hash, unless the pin names the extra, too.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --no-strip-extras --quiet
lock:
	$(LOCK) --output-file requirements.lock
	$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV)
