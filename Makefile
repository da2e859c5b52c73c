# Two commands for newcomers: `make demo` and `make test`. Each creates the environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where the machine's own default index lacks a package, pip's usual settings (pip.conf, PIP_*) apply.
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo test lint typecheck lock bench clean
help:
	@echo "make demo    watch the whole story on a simulated Azure (no account needed)"
	@echo "make test    everything CI runs: ruff, mypy --strict, tests on SQLite and PostgreSQL"
	@echo "make bench   measure the poll cycle against bare aiohttp and the openai SDK"
	@echo "make lock    renew requirements-dev.txt (maintainers; needs uv)"

$(VENV)/.ok: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "watcher needs Python 3.11 or newer; set PYTHON=python3.x" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements-dev.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.ok
	@$(BIN)/watcher demo

test: lint typecheck
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(VENV)/.ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.ok
	$(BIN)/mypy

bench: $(VENV)/.ok
	$(BIN)/python benchmarks/poll.py

lock:
	uv pip compile pyproject.toml --group dev --group build --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -o requirements-dev.txt

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
