# The only list of commands. Each makes .venv from the lock file when it is missing.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SERVERS := browser prometheus valkey postgres bolt kafka model sandbox vm containers ssh
QUICK := not slow $(foreach server,$(SERVERS),and not needs_$(server))

.PHONY: demo test check bench docs lock clean
.DEFAULT_GOAL := check

$(INSTALLED): requirements.lock pyproject.toml lab/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "opsmith needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e ./lab
	@touch $@

demo: $(INSTALLED)  ## investigate recorded incidents, offline
	@$(BIN)/python examples/demo.py

check: $(INSTALLED)  ## the five-minute lane: lint, types, house, quick tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "$(QUICK)"

test: $(INSTALLED)  ## everything, with the real servers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/components.py
	$(BIN)/python -m pytest

bench: $(INSTALLED)  ## measurements; needs DATA=folder of labelled incidents
	$(BIN)/python bench/rca.py --data $(DATA)

docs: $(INSTALLED)  ## regenerate the generated pages
	$(BIN)/python tools/reference.py

lock:  ## resolve the versions again (maintainers)
	tools/lock

clean:
	rm -rf .venv .tools build dist
