# Two commands for newcomers: `make demo` and `make test`. Each creates the environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where the machine's own default index lacks a package, pip's usual settings (pip.conf, PIP_*) apply.
PIP := $(BIN)/python -m pip --disable-pip-version-check
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
UPGRADE ?=

.DELETE_ON_ERROR:
.PHONY: help demo test lint typecheck truth fuzz crash lock bench clean
help:
	@echo "make demo    watch the whole story on a simulated Azure (no account needed)"
	@echo "make test    everything CI runs: ruff, mypy --strict, tests on SQLite and PostgreSQL"
	@echo "make truth   watch simulated months of accounts and hold every claim against what happened (SEEDS=22 FIRST=572; SEED=n replays one)"
	@echo "make fuzz    spoil Azure's answers in 100,000 ways for each decoder (MUTATIONS=100000)"
	@echo "make crash   kill the real daemon hundreds of times and see whether anything is lost or told twice (KILLS=500; SEED=n)"
	@echo "make bench   measure polls against bare aiohttp and the openai SDK, telling against Alertmanager, and the page"
	@echo "make lock    renew the locks, requirements*.txt (maintainers; needs uv; UPGRADE=--upgrade takes newer versions)"
	@echo "make clean   remove the environment and the caches"

$(VENV)/.ok: requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer, or name one with PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "watcher needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) --version 2>&1`; name another: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Creating $(VENV) and installing what requirements-dev.txt locks; this takes a minute or two, once." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --require-hashes -r requirements-dev.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.ok
	@$(BIN)/watcher demo

# A test that hangs is ended and named, in place of a run that never ends.
NO_HANGING := -o faulthandler_timeout=120 -o faulthandler_exit_on_timeout=true

test: lint typecheck
	$(BIN)/python -m pytest -n auto --dist loadgroup $(NO_HANGING)

lint: $(VENV)/.ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.ok
	$(BIN)/mypy

# Seeds are months of three or four accounts each; 22 take about two minutes on two cores.
truth: $(VENV)/.ok
	@$(BIN)/python -m tests.truth $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) $(if $(WORKERS),--workers $(WORKERS))

MUTATIONS ?= 100000
fuzz: $(VENV)/.ok
	WATCHER_TEST_MUTATIONS=$(MUTATIONS) $(BIN)/python -m pytest -q -n auto tests/azure/test_azure_mutations.py -k no_mutation

# On SQLite and PostgreSQL side by side.
crash: $(VENV)/.ok
	@$(BIN)/python -m tests.crash $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.ok
	$(BIN)/python benchmarks/poll.py
	$(BIN)/python benchmarks/fleet.py
	$(BIN)/python benchmarks/alerts.py
	$(BIN)/python benchmarks/web.py

# Development first: what runs in production is then locked to the very versions that are tested.
lock:
	@command -v uv >/dev/null || { echo "uv is missing; it makes the locks, and nothing else here needs it" >&2; exit 1; }
	$(COMPILE) $(UPGRADE) pyproject.toml --group dev --group build -o requirements-dev.txt
	$(COMPILE) $(UPGRADE) pyproject.toml --extra postgres --extra charts --constraint requirements-dev.txt --no-annotate -o requirements.txt
	$(COMPILE) $(UPGRADE) --group build --constraint requirements-dev.txt --no-annotate -o requirements-build.txt

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
