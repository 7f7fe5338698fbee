# The commands that people and CI share. `make install` is done once and again when a lock file changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
FAST_TESTS := tests/unit tests/property tests/contract tests/test_house.py
REAL_TESTS := tests/simulation tests/fault tests/e2e tests/mutation

.PHONY: install install-dev demo test lint check format bench fault mutants e2e volumes lock clean

install: $(INSTALLED)

install-dev: $(INSTALLED_DEV)

# --no-build-isolation: the build backend comes from the lock as well, never from the index of the day.
$(INSTALLED): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes --requirement requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(INSTALLED_DEV): $(INSTALLED) requirements-dev.lock
	$(PIP) install --quiet --require-hashes --requirement requirements-dev.lock
	touch $@

demo: install
	$(BIN)/stagewatch demo $(ARGS)

test: install-dev
	$(BIN)/python -m pytest -n 2 $(FAST_TESTS)
	$(BIN)/python -m pytest $(REAL_TESTS)

lint: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/stagewatch check

# Where the surroundings forbid byte code, pytest would rewrite every test again in each of its processes.
check: lint
	PYTHONDONTWRITEBYTECODE= HYPOTHESIS_PROFILE=check $(BIN)/python -m pytest --quiet -n 2 -m "not slow" $(ARGS) $(FAST_TESTS)

format: install-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/stagewatch bench $(ARGS)

# Kills, zombies, take-overs and worse on a real broker: a few of each, ARGS="--long" for the whole table,
# ARGS="--fault kill --times 200 --seed 7" for one kind, ARGS=--list for all kinds.
fault: install-dev
	$(BIN)/python -m tests.fault $(ARGS)

# Small faults put into the engine and the definitions: do the tests find them? All of them without ARGS;
# ARGS="--sample 600 --seed 1" for an estimate with its interval, ARGS="--module deadlines.py" for one file,
# ARGS="--changed --budget 8m" as CI does, ARGS=--help for the rest.
mutants: install-dev
	$(BIN)/python -m tests.mutation $(ARGS)

# Real Kafka, Connect, Debezium and PostgreSQL.
e2e: install-dev
	$(BIN)/python -m pytest $(ARGS) tests/e2e

# S2-13 with its times held too: on a machine that is there for it alone.
volumes: install-dev
	STAGEWATCH_TIMES=hold $(BIN)/python -m pytest -s $(ARGS) tests/e2e/test_s2_13_volumes.py

# Needs uv on the path. The runtime lock rules: the development lock only adds to it.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make lock" pyproject.toml requirements-build.in -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make lock" --extra dev --constraint requirements.lock \
	  pyproject.toml requirements-build.in -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
