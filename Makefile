# make run    try it out, or watch your own servers: PGHEADROOM_DSN=postgresql://... make run
# make test   everything the tests need, then all of them; REQUIRE_ALL=1 fails where a part is missing

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test truth reliability arena load soak live lint fuzz wheel lock audit sbom clean

run: $(VENV)/run.stamp
	@exec $(BIN)/pgheadroom serve --demo

# Most tests wait for servers rather than for a processor: more of them run at once than there are.
TEST_WORKERS ?= 3
test: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.support.parts install $(if $(REQUIRE_ALL),--require-all)
	@REQUIRE_ALL=$(REQUIRE_ALL) $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

# Compares every published number with the server's own count, under a random mixed load, ten minutes
# on each major. SEED= for another load.
TRUTH_SECONDS ?= 600
truth: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.support.parts install --require-all
	TRUTH_SECONDS=$(TRUTH_SECONDS) REQUIRE_ALL=1 $(BIN)/python -m pytest tests/truth -n 2 -rA $(PYTEST_ARGS)

# Causes every fault of docs/reliability.md for as long as it says there (ten minutes), and rewrites its
# table.
reliability: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.support.parts install --require-all
	@mkdir -p dist && rm -f dist/reliability.jsonl
	RELIABILITY=long RELIABILITY_FIGURES=$(CURDIR)/dist/reliability.jsonl REQUIRE_ALL=1 \
	    $(BIN)/python -m pytest tests/reliability $(PYTEST_ARGS)
	$(BIN)/python -m tests.reliability.document dist/reliability.jsonl

# Plays stories of incidents and of ordinary days, and judges how early pages come: see docs/benchmarks.md.
ARENA_SEEDS ?= 0-4
arena: $(VENV)/dev.stamp
	@rm -rf dist/arena
	@for half in open kept; do \
	    echo "$$half half, seeds $(ARENA_SEEDS)"; \
	    $(BIN)/python -m benchmarks.arena.write dist/arena/$$half --half $$half --seeds $(ARENA_SEEDS) \
	        && $(BIN)/python -m benchmarks.arena.judge dist/arena/$$half || exit; \
	done

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Runs a million inputs through everything that parses foreign bytes: some ten minutes of one core.
# FUZZ_RUNS= sets how many, FUZZ= which harnesses; a failure is printed with its input.
FUZZ_RUNS ?= 1000000
fuzz: $(VENV)/fuzz.stamp
	@$(BIN)/python -m fuzz $(FUZZ_RUNS) $(FUZZ)

wheel: $(VENV)/dev.stamp
	$(BIN)/python -m build --no-isolation

# Updates the locked versions, within the limits of pyproject.toml.
lock: $(VENV)/dev.stamp
	$(BIN)/python requirements/lock.py

# Checks the locked versions for known vulnerabilities; says so if it cannot look them up.
audit: $(VENV)/dev.stamp
	@$(BIN)/python -m requirements.audit

# Lists the contents of the image, as dist/pgheadroom.cdx.json.
sbom: $(VENV)/dev.stamp
	$(BIN)/python -m requirements.sbom

# Watches fifty targets, a tenth of them failing at any time, for an hour: nothing may grow.
SOAK_SECONDS ?= 3600
soak: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.support.parts install
	@$(BIN)/python -m benchmarks.soak --seconds $(SOAK_SECONDS)

# Loads the pages with misbehaving clients: the daemon must stay on time, and small.
load: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.support.parts install
	@$(BIN)/python -m benchmarks.scrape_load

# Plays incidents and harmless days with real clients against a real server, and measures how early
# each is paged: 25 minutes. LIVE= names stories, or options (python -m benchmarks.live --help).
live: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.support.parts install
	@$(BIN)/python -m benchmarks.live $(LIVE)

clean:
	rm -rf $(VENV) dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "pgheadroom needs Python 3.11 or newer: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv \
	            && $(PYTHON) -m venv $(VENV); \
	    else \
	        echo "Python cannot make virtual environments here: apt-get install python3-venv" >&2; exit 1; \
	    fi; }

$(VENV)/run.stamp: $(VENV)/bin/python requirements/demo.txt requirements/build.txt pyproject.toml
	@echo "installing pgheadroom into $(VENV) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/demo.txt -r requirements/build.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "installing what the tests need into $(VENV) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/fuzz.stamp: $(VENV)/dev.stamp requirements/fuzz.txt
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/fuzz.txt \
	    || { echo "make fuzz needs atheris, which has wheels for Linux and Python 3.11 to 3.13" >&2; exit 1; }
	@touch $@
