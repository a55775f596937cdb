# Everything a newcomer needs: Python 3.11 or newer, and make.
# `make demo` starts the service with sample infants; `make test` runs the tests. Both set up
# `.venv` from the hash-locked requirements the first time, and again only when those change.

PYTHON ?= python3
PORT   ?= 8080
UV     ?= uv

# What is quick of the tests that call the code in their own process, and what of the code they answer for.
COVERED  := tests/unit tests/guidelines tests/conformance --ignore tests/guidelines/test_row_mutants.py
MEDICINE := cds_service/clinical.py,cds_service/guidelines/*,cds_service/fhir/reading/*,cds_service/language/*,cds_service/cdshooks/*

VENV := .venv
RUN  := $(VENV)/bin
PIP  := $(RUN)/python -m pip --disable-pip-version-check
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-emit-index-url $(LOCK_ARGS)

# Hundreds of tests start the program: what is compiled is kept, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo install test prove flaky mutants records test-servers engines fuzz check format docs site coverage load bench cohort-bench profile lock clean release advisories

help:
	@echo "make demo         the service with sample infants on http://127.0.0.1:$(PORT) (PORT=... for another)"
	@echo "make test         all tests that need nothing but Python (ARGS=... goes to pytest)"
	@echo "make prove        every long proof whole: all combinations of facts, orders, infants and stories; an hour"
	@echo "make flaky        twenty times in as many orders: which tests pass only sometimes (ARGS=... for a part)"
	@echo "make mutants      small mistakes in the arithmetic of the medicine, found by the tests or not; an hour"
	@echo "make records      public records in a folder (ARGS=FOLDER): what of them is used, and what is only named"
	@echo "make fuzz         the fuzzers for some five minutes, with new examples every time"
	@echo "make test-servers against HAPI FHIR and other real servers (needs Java 17, Maven, npm)"
	@echo "make engines      the exported guideline in engines of DMN and CQL, about some 5,000 cases (needs the same)"
	@echo "make check        format, lint, types, at most 15 paths through a function, spelling, wording, generated documents, guideline data"
	@echo "make format       format the code"
	@echo "make docs         rewrite the generated documents"
	@echo "make site         one site of all documents, in build/site"
	@echo "make coverage     which branches the tests reach, and whether that is enough"
	@echo "make load         more calls than it can answer, one client next to a flood, the dearest bodies; four minutes"
	@echo "make bench        this service compared with an earlier build and its peers, and which goals are met"
	@echo "make cohort-bench a million children at once: time by step, memory, and the same cards as over HTTP (ARGS=\"--children 20000\")"
	@echo "make profile      where the time of a call goes, part by part"
	@echo "make install      only set up $(VENV), with the development tools"
	@echo "make lock         resolve requirements/*.txt again (needs uv; LOCK_ARGS=--upgrade for newer versions)"
	@echo "make release      wheel and source, their bill of materials and provenance, in dist/"
	@echo "make advisories   what is known against the packages it needs (asks osv.dev)"
	@echo "make clean        remove $(VENV) and every cache"

demo: $(VENV)/.runtime
	$(RUN)/cds-service serve --demo --host 127.0.0.1 --port $(PORT)

install: $(VENV)/.dev

test: $(VENV)/.dev
	$(RUN)/python -m pytest -n auto --dist worksteal $(ARGS)

prove: $(VENV)/.dev
	CDS_TEST_SAMPLE=all $(RUN)/python -m pytest -n auto --dist worksteal -m "long or sampled" $(ARGS)

# The same seed is the same order: ARGS="--shuffle 7" with `make test`.
flaky: $(VENV)/.dev
	@failed=; for seed in $$(seq 20); do \
	  echo "in order $$seed"; \
	  $(RUN)/python -m pytest -n auto --dist worksteal -q --shuffle $$seed $(ARGS) || failed="$$failed $$seed"; \
	done; \
	[ -z "$$failed" ] || { echo "failed in the orders$$failed"; exit 1; }

# At most an hour, or as many as ARGS="--minutes 10" says.
mutants: $(VENV)/.dev $(VENV)/.mutants
	$(VENV)/mutants/bin/python tests/mutants/run.py --python $(abspath $(RUN)/python) $(ARGS)

# ARGS="FOLDER": a folder for each country, see docs/records.md.
records: $(VENV)/.dev
	$(RUN)/python tests/records/bulk.py $(ARGS)

fuzz: $(VENV)/.dev
	$(RUN)/python -m pytest -n auto --hypothesis-profile=fuzz tests/hostile/test_fuzz.py $(ARGS)
# HAPI FHIR runs for as long as the command behind it.
test-servers: $(VENV)/.dev
	$(RUN)/python tests/servers/started.py \
	  $(RUN)/python -m pytest -n auto --dist worksteal tests/servers $(ARGS)

# Some 5,000 cases; in CI as many as CDS_TEST_SAMPLE says there.
engines: $(VENV)/.dev
	CDS_TEST_SAMPLE=28 $(RUN)/python tests/servers/started.py \
	  $(RUN)/python -m pytest tests/servers/test_engines.py $(ARGS)

# The same commit gives the same bytes; what is not committed stays out.
release: $(VENV)/.dev
	rm -rf dist
	$(RUN)/python deploy/release.py packages dist

# Needs the internet: names and versions of what is installed with the wheel go to osv.dev.
advisories: release
	$(RUN)/python deploy/release.py advisories dist/*.cdx.json

check: $(VENV)/.dev
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/codespell
	$(RUN)/python -m pytest --quiet tests/test_prose.py
	$(RUN)/mypy
	$(RUN)/python -m pytest --quiet \
	  tests/test_architecture.py::test_no_function_has_more_ways_than_a_reader_can_follow
	$(RUN)/python docs/reference.py --check
	$(RUN)/python tests/conformance/table.py --check
	$(RUN)/cds-service describe --check
	$(RUN)/cds-service check

format: $(VENV)/.dev
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

docs: $(VENV)/.dev
	$(RUN)/python docs/reference.py
	$(RUN)/python tests/conformance/table.py
	$(RUN)/cds-service describe

# Every warning is an error: a link without a goal, a page that no other leads to.
site: $(VENV)/.docs
	$(VENV)/docs/bin/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env \
	  --conf-dir docs --doctree-dir build/doctrees . build/site
	@echo "open build/site/docs/index.html"

# A floor for the medicine, and a lower one for all (in pyproject.toml): what servers, browsers and
# whole programs reach is not counted. ARGS="tests/functional" for more.
coverage: $(VENV)/.dev
	@mkdir -p .cache/coverage
	$(RUN)/coverage erase
	env -u CDS_TEST_SAMPLE $(RUN)/coverage run -m pytest -n auto --dist worksteal --quiet -m "not long and not sampled" $(COVERED) $(ARGS)
	$(RUN)/coverage combine --quiet
	$(RUN)/coverage report
	$(RUN)/coverage report --include '$(MEDICINE)' --fail-under 95

load: $(VENV)/.dev
	$(RUN)/python tests/load/run.py

bench: $(VENV)/.dev
	$(RUN)/python bench/run.py $(ARGS)

# ARGS="--children 20000" for fewer than a million; the export is kept in build/.
cohort-bench: $(VENV)/.dev
	$(RUN)/python bench/cohort.py $(ARGS)

profile: $(VENV)/.dev
	$(RUN)/python bench/parts.py $(ARGS)

# The three sets share one resolution: runtime first, the others held to what it chose.
lock:
	@command -v $(UV) >/dev/null || { \
	  echo "make lock needs uv: install it with pip, or set UV=/path/to/uv"; exit 1; }
	$(LOCK) pyproject.toml --output-file requirements/runtime.txt
	$(LOCK) --group build --output-file requirements/build.txt
	$(LOCK) pyproject.toml --group dev --constraint requirements/runtime.txt \
	  --constraint requirements/build.txt --output-file requirements/dev.txt
	$(LOCK) --group cohort --output-file requirements/cohort.txt
	$(LOCK) --group spark --output-file requirements/spark.txt
	$(LOCK) --group mutants --output-file requirements/mutants.txt
	$(LOCK) --group docs --output-file requirements/docs.txt

clean:
	rm -rf $(VENV) .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; choose one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up $(VENV) (once; about half a minute)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv module is missing (Debian and Ubuntu: the package python3-venv)"; exit 1; }

# A stamp is written last, so an interrupted set-up is resumed.
$(VENV)/.runtime: pyproject.toml requirements/build.txt requirements/runtime.txt | $(VENV)/bin/python
	@$(PIP) install --quiet --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP) install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.docs: requirements/docs.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/docs
	@$(VENV)/docs/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes \
	  -r requirements/docs.txt
	@touch $@

$(VENV)/.mutants: requirements/mutants.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/mutants
	@$(VENV)/mutants/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes \
	  -r requirements/mutants.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@
