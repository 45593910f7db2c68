# Each target stands alone on a machine with Python 3.11, make and the package registries.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# Prefect's usage telemetry and promotion stay off in everything that make starts.
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT := false
export PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS := false

.PHONY: setup demo serve test test-all test-cluster lint bench docs clean

setup: $(READY)

$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "reelflow needs Python 3.11 or newer: make PYTHON=python3.11 …" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv sync --locked --quiet --compile-bytecode
	@touch $@

demo: $(READY)
	@$(BIN)/reelflow demo --output reelflow-demo

serve: $(READY)
	@$(BIN)/python -m deployments.serve

test: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal

# What takes longer, or needs PostgreSQL, Redis, Chromium or a second ffmpeg; without them those tests are skipped.
test-all: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal -m slow

# Load on many clips and on several workers: for a machine that has nothing else to do, and not part of CI.
test-cluster: $(READY)
	$(BIN)/pytest -m cluster

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

# A quick look at all benchmarks, under a quarter of an hour on two idle cores. One with all its rounds: make bench
# ONLY=one_clip; all of them so, an hour: make bench FULL=1; another number of rounds: ROUNDS=3
bench: $(READY)
	$(BIN)/python -m benchmarks $(ONLY) $(if $(FULL),--full) $(if $(ROUNDS),--rounds $(ROUNDS))

# The site, into site/. MkDocs and its theme are installed here, since only this needs them. A dead link fails, though not
# with --quiet, which keeps warnings from --strict too.
docs: $(READY)
	@$(BIN)/uv sync --locked --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open site/index.html"

clean:
	rm -rf .venv .bench reelflow-demo site
