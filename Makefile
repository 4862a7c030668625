# `make demo` shows the main job; `make test` runs everything that CI runs; `make lowest` runs the tests with the oldest
# dependencies; `make bench` measures; `make capacity` shows how far a fleet scales; `make linear` shows how the cost of
# long texts grows; `make soak` calls a failing service for minutes, and accounts for every call; `make fleet` kills
# workers on two hosts, and counts what happened; `make jobs` kills whole jobs fifty times; `make screenshots` renews the
# images of the docs.
# All create .venv if needed, run without root, and download only packages from PyPI.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -P
CHECKERS := run-mypy run-basedpyright run-verifytypes

.PHONY: demo fleet jobs test bench capacity linear lowest soak screenshots lint types unit install format clean
.PHONY: checks run-mypy run-basedpyright run-verifytypes run-collect
.DEFAULT_GOAL := test

# pyproject.toml alone decides what is installed, so nothing is downloaded again until it changes.
$(VENV)/.packages: pyproject.toml .ci/requirements
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV), once; this takes up to two minutes."
	@$(RUN) .ci/requirements | $(RUN) -m pip install --quiet --disable-pip-version-check -r /dev/stdin
	@touch $@

# Tests and examples run the built wheel, not the source tree.
install: $(VENV)/.packages
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --force-reinstall .

demo: install
	@$(RUN) examples/main_job.py

lint: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: install
	@$(MAKE) --no-print-directory --jobs $(CHECKERS)

# Every process that runs tests would rewrite all their assertions. What one has rewritten before, the others only read,
# which needs bytecode on the disk, even if the environment forbids it.
checks: install
	@$(MAKE) --no-print-directory --jobs $(CHECKERS) run-collect

run-collect:
	@$(RUN) -m pytest --collect-only -qq >/dev/null || true  # The tests show what is wrong.

run-mypy:
	$(RUN) -m mypy

run-basedpyright:
	$(RUN) -m basedpyright

run-verifytypes:
	cd $(VENV) && PATH="$(abspath $(VENV))/bin:$$PATH" VIRTUAL_ENV="$(abspath $(VENV))" \
	  basedpyright --verifytypes tingting_async --ignoreexternal

checks unit: export PYTHONDONTWRITEBYTECODE :=
unit: install
	@rm -f .coverage .coverage.*
	$(RUN) -m coverage run -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report

test: lint checks unit

$(VENV)/.bench-packages: pyproject.toml .ci/requirements | $(VENV)/.packages
	@$(RUN) .ci/requirements bench | $(RUN) -m pip install --quiet --disable-pip-version-check -r /dev/stdin
	@touch $@

# Without -P, because the scripts import each other. It takes a quarter of an hour; `make bench ARGS=--quick` two to three
# minutes. `--check` fails where a goal is missed; `--write` writes the tables to docs/performance.md and README.md.
bench: install $(VENV)/.bench-packages
	@$(VENV)/bin/python benchmarks/run.py $(ARGS)

# It needs PostgreSQL, and takes some minutes; `make capacity ARGS=--quick` half a minute. `--write` writes the tables to
# docs/scaling.md. Without -P, as above.
capacity: install $(VENV)/.bench-packages
	@$(VENV)/bin/python benchmarks/capacity.py $(ARGS)

# `make linear ARGS=page` measures only the cases with "page" in their name. All take about four minutes.
linear: install
	@$(RUN) benchmarks/linear.py $(ARGS)

# The tests with the oldest versions that pyproject.toml allows, in an environment of their own (a quarter of an hour).
# Type checkers run with the newest versions only, as the types of older ones differ.
LOWEST := .venv-lowest
lowest:
	@test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(LOWEST)/bin/uv pip compile --quiet --upgrade --python $(LOWEST)/bin/python --resolution lowest-direct --all-extras \
	  --group dev --output-file $(LOWEST)/requirements.txt pyproject.toml
	@$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python -r $(LOWEST)/requirements.txt
	@$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --no-deps --no-build-isolation \
	  --reinstall-package tingting-async .
	$(LOWEST)/bin/python -P -m pytest -n auto --dist loadfile --deselect tests/test_docs.py::test_types $(ARGS)

# `make soak ARGS="--calls 20000"` takes about ten seconds. `make soak ARGS=--no-ledger` sends without a ledger, and
# `make soak ARGS=--idle` sends to servers that close idle connections, for two minutes. Without -P, as above.
soak: install
	@$(VENV)/bin/python benchmarks/soak.py $(ARGS)

# `make fleet FLEET_JOBS=50 FLEET_SEEDS=1` takes minutes; the whole takes two to three hours. On a machine that does
# nothing else, `make fleet ARGS="-n 2 --dist worksteal"` takes half as long.
fleet: export FLEET_JOBS ?= 300
fleet: export FLEET_SEEDS ?= 5
fleet: install
	$(RUN) -m pytest tests/fleet --durations=0 $(ARGS)

# `make jobs JOB_KILLS=10` takes a minute; the whole takes about ten.
jobs: export JOB_KILLS ?= 50
jobs: install
	$(RUN) -m pytest tests/jobs/test_killed_jobs.py --durations=0 $(ARGS)

# It needs Chromium and a font for Devanagari (on Debian: `apt-get install chromium fonts-noto-core`).
screenshots: install
	@PYTHONPATH=tests $(RUN) docs/images/screenshots.py

format: install
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:
	rm -rf $(VENV) $(LOWEST) dist .coverage* .mypy_cache .pytest_cache .ruff_cache
