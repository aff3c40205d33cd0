# Callsheet: `make demo` and `make test` do all the set-up they need. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
TOOLS  := build/tools
FUZZER := build/fuzzer
FUZZED := $(FUZZER)/.installed
TOOLED := $(TOOLS)/.installed

# As many tests at a time as there are cores, those of one file in one process: they share what is slow to set up.
ABREAST := -n auto --maxprocesses 4 --dist loadfile

# Worlds that the simulator of faults lives, real processes that are killed, and variants that three workers share.
SEEDS ?= 10000
KILLS ?= 20
VARIANTS ?= 600
SECONDS ?= 60
RANDOM_KILLS := tests/e2e/test_killed.py::test_killed_at_random_and_run_again_it_has_paid_once_and_archived_all

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-fast faults kills quality test-scale bench check format docs schema fuzz sbom advisories release lock ui clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP)  ## create .venv with the pinned dependencies

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Callsheet needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q callsheet
	@touch $@

demo: $(STAMP)  ## a real campaign, free and offline: clips in, archive and review board out
	$(BIN)/callsheet run specs/hello.yaml --sandbox --yes

test: $(STAMP)  ## every test but the slow ones
	$(BIN)/python -m pytest $(ABREAST) -m "not slow"

test-slow: $(STAMP)  ## the slow ones: runs that are killed or stopped, servers, browsers, renders
	$(BIN)/python -m pytest $(ABREAST) -m slow

test-fast: $(STAMP)  ## the pure part, in seconds
	$(BIN)/python -m pytest $(ABREAST) tests/unit tests/test_architecture.py -q

faults: $(STAMP)  ## crashes and faults by the thousand, in virtual time (SEEDS=10000); what they cost, and what they cost others
	$(BIN)/python -m tests.faults --seeds $(SEEDS)

kills: $(STAMP)  ## kill -9 of real runs at random instants, and run again (KILLS=20)
	CALLSHEET_TEST_KILLS=$(KILLS) $(BIN)/python -m pytest $(RANDOM_KILLS) tests/steps/test_killed.py -s -q

quality: $(STAMP)  ## the quality checks on a corpus of defects and of good films: recall and false alarms
	$(BIN)/python -m tests.media.defects

test-scale: $(STAMP)  ## 600 variants on three workers, one of which is killed half-way (VARIANTS=600)
	$(BIN)/python -m tests.scale --variants $(VARIANTS)

bench: $(STAMP)  ## how fast it is, as ratios in one run (ONLY="authoring" for a part)
	$(BIN)/python -m bench $(ONLY)

check: $(STAMP)  ## ruff, mypy strict, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: $(STAMP)  ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: schema  ## write again what documents have from the code: the reference, licences, tables, schemas
	$(BIN)/python -m tests.reference
	$(BIN)/python -m tests.licences
	$(BIN)/python -m tests.media.matrix
	$(BIN)/python -m tests.media.vocabulary

schema: $(STAMP)
	$(BIN)/callsheet schema > specs/campaign.schema.json
	for name in sidecar stray manifest verdicts; do \
	  $(BIN)/callsheet schema --of $$name > docs/schemas/$$name.schema.json || exit 1; done

fuzz: $(FUZZED)  ## hostile campaigns, documents, answers and names, for SECONDS=60 each
	PYTHONPATH=$(FUZZER) $(BIN)/python -m tests.fuzz --seconds $(SECONDS)

$(FUZZED): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(FUZZER) 'atheris==3.*'
	@touch $@

sbom: $(TOOLED)  ## dist/sbom.json: what is installed, with licences (CycloneDX)
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml -o dist/sbom.json $(BIN)/python

advisories: $(TOOLED)  ## known holes in what the lock pins, by a public database
	$(TOOLS)/bin/pip-audit --disable-pip --require-hashes -r requirements.lock

# What only a release needs stays out of the lock and of .venv.
$(TOOLED): $(STAMP)
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check 'cyclonedx-bom==7.*' 'pip-audit==2.*'
	@touch $@

release: $(STAMP)  ## dist/: wheel and sdist, each installed alone and tried
	rm -rf dist && $(BIN)/python -m hatchling build -t wheel -t sdist -d dist
	$(BIN)/python -m tests.release dist

lock: $(STAMP)  ## compile the pins again (uv writes no index URL with these flags)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --python-version 3.11 --group dev pyproject.toml -o requirements.lock

ui: $(STAMP)  ## Prefect's UI on the runs made so far
	@$(BIN)/python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:4200/api/health', timeout=2)" 2>/dev/null \
	  && echo "Prefect's UI: http://127.0.0.1:4200" || $(BIN)/prefect server start

clean:  ## remove .venv and caches (never the archive or the ledger)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
