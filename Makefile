# make install   system packages and .venv/bin/jettison
# make demo      a real Go service: from a fat image to a few megabytes, measured
# make test      everything CI runs: lint, types, unit and integration tests
# make faults    500 MB through a registry of which a third of all requests fails
# make lint      ruff and mypy
# make golden    the texts of tests/golden/instructions anew (then read the difference)
# make fuzz      100,000 Dockerfiles, made up and spoilt, through parse, plan and lint
# make kill-test 200 kills at random moments, and what is left (KILLS=200 SEED=1)
# make reproducible  the examples, built as root and as a user, are the same image
# make bases     every base of the catalogue, of real packages, with its smoke test
# make bench     ratios against the builders found on this machine

PYTHON ?= python3
FUZZ ?= 100000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.PHONY: install demo test faults kill-test lint golden fuzz bases bench lock clean
.DELETE_ON_ERROR:

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml scripts/system-packages
	scripts/system-packages run
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps -e .
	$(BIN)/python -m compileall -q src
	touch $@

$(DEV): $(STAMP) requirements-dev.lock
	scripts/system-packages test
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

demo: install
	scripts/system-packages demo
	$(BIN)/python scripts/demo.py

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(DEV) lint
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

golden: $(DEV)
	GOLDEN=write $(BIN)/python -m pytest -q -p no:xdist tests/golden/instructions

fuzz: $(DEV)
	FUZZ=$(FUZZ) $(BIN)/python -m pytest -q -p no:xdist tests/fuzz/test_fuzz.py

faults: $(DEV)
	JETTISON_TEST_MEGABYTES=500 $(BIN)/python -m pytest -s tests/integration/registry/test_chaos.py

kill-test: $(DEV)
	$(BIN)/python -m tests.integration.store.killing $(KILLS) $(SEED)

# The examples on a real Debian: the same image as root and as a user (needs root and a network).
reproducible: $(DEV)
	scripts/debian-base bookworm
	$(BIN)/jettison save -o $(VENV)/debian.tar debian:bookworm
	JETTISON_EXAMPLE_BASE=$(CURDIR)/$(VENV)/debian.tar \
	  $(BIN)/python -m pytest tests/integration/build/test_reproducible.py

# Packages are those of the host's apt sources (needs a network and a machine of Debian's kind).
bases: $(DEV)
	JETTISON_TEST_CATALOGUE=1 $(BIN)/python -m pytest -s tests/integration/distroless/test_catalogue.py

bench: install
	$(BIN)/python scripts/bench.py $(BENCH_ARGS)

# Renews both lock files from pyproject.toml (needs uv).
lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
