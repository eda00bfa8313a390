# The commands of Noonday; `make` alone lists them. Everything is installed into .venv, from pinned hashes.

PORT     ?= 8080
DATABASE ?= sqlite:///.noonday/noonday.db
CLOCK    ?=
PAUSE    ?=
PYTHON   ?=
WORKERS  ?= 2
TESTS    ?=
RACES    ?= 10000
STAGE    ?= dev
FUNCTION ?=
ACCOUNT  ?=

# The newest Python that Noonday is tested on comes first; PYTHON= names another.
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python)
BIN     := .venv/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check --quiet
SAY     := @printf '\n\033[1m%s\033[0m\n'
ifdef NO_COLOR
SAY     := @printf '\n%s\n'
endif
# What is typed and linted: everything that is Python.
TYPED   := $(wildcard app.py .ci/pins.py chalicelib cli infra noonday tests examples docs/*.py benchmarks)

.DEFAULT_GOAL := help
.PHONY: help demo run test test-cloud test-time test-race bench pins docs fmt clean package permissions deploy deployer-policy destroy
.NOTPARALLEL:

help:
	@echo 'Noonday, a serverless job scheduler with a memory.'
	@echo
	@echo '  make demo        start Noonday, run the jobs in examples/, show what came of them'
	@echo '  make run         serve on this machine until Ctrl-C'
	@echo '                     PORT=8080   DATABASE=$(DATABASE)'
	@echo '                     DATABASE may be mysql://user@host:3306/name too;'
	@echo '                     CLOCK=2026-12-24T17:59:50Z starts a clock that is moved by hand'
	@echo '                     PAUSE="a restored backup" begins paused: nothing is launched yet'
	@echo
	@echo '  make test        style, types, import rules and every test (TESTS=tests/cli for some)'
	@echo '  make test-cloud  of these, what is about AWS: the deployed zip under the runtime of Lambda'
	@echo '  make test-time   the long comparison of schedules over all zones and years'
	@echo '  make test-race   eight processes race for one slot, RACES=10000 times, on every database'
	@echo '  make bench       how fast it is'
	@echo '  make docs        write the generated parts of docs/ anew'
	@echo '  make fmt         format the code, and mend what can be mended'
	@echo '  make package     build the stack of a stage on AWS, STAGE=dev, into build/; nothing is deployed'
	@echo '  make permissions what roles that a stage names need in IAM; FUNCTION=launch: what it has'
	@echo '  make deploy      bring a stage to AWS, or up to date: STAGE=dev; docs/deploying.md'
	@echo '  make deployer-policy  print what whoever deploys needs, as a policy of IAM: STAGE=dev'
	@echo '  make destroy     take a stage off AWS, after a question; a snapshot of its database remains'
	@echo '  make pins        resolve the requirements anew (UPGRADE=1: to the newest)'
	@echo '  make clean       remove .venv, caches and the demonstration; your databases stay'
	@echo
	@echo 'The first of them sets up .venv, which takes a minute. README.md has the rest.'

demo: .venv/.project
	@$(BIN)/python -m examples.demo

run: .venv/.project
	@echo 'In another terminal, for the command noonday: export PATH="$(CURDIR)/.venv/bin:$$PATH"'
	@NOONDAY_AUTH="$${NOONDAY_AUTH:-local}" exec $(BIN)/python -m chalicelib.local \
		--port "$(PORT)" --database "$(DATABASE)" $(if $(CLOCK),--clock "$(CLOCK)") \
		$(if $(PAUSE),--pause "$(PAUSE)")

test: .venv/.dev .venv/.project
	$(SAY) 'Style'
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet . && echo 'as ruff wants it'
	$(SAY) 'Types'
	@$(BIN)/mypy $(TYPED)
	$(SAY) 'Import rules'
	@report=$$($(BIN)/lint-imports --no-cache) || { echo "$$report"; exit 1; }; echo "$$report" | tail -n 1
	$(SAY) 'Tests'
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(TESTS)

test-cloud: .venv/.dev .venv/.project
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal tests/cloud tests/cloud_zip

test-time: .venv/.dev .venv/.project
	@$(BIN)/pytest -n $(WORKERS) -m alltime tests/schedule

test-race: .venv/.dev .venv/.project
	@NOONDAY_TEST_RACE=$(RACES) $(BIN)/pytest -s tests/engine/test_race.py

bench: .venv/.dev .venv/.project
	@for file in benchmarks/engine.py benchmarks/history.py benchmarks/schedule.py benchmarks/starting.py; do \
		[ ! -e "$$file" ] || $(BIN)/python -m $$(echo "$${file%.py}" | tr / .) || exit 1; \
	done

package: .venv/.dev .venv/.project
	@$(BIN)/python -m infra.package $(STAGE)

permissions: .venv/.dev .venv/.project
	@ACCOUNT="$(ACCOUNT)" $(BIN)/python -m infra.permissions $(STAGE) $(FUNCTION)

deploy: .venv/.dev .venv/.project
	@$(BIN)/python -m infra.deploy $(STAGE)

deployer-policy: .venv/.dev .venv/.project
	@$(BIN)/python -m infra.deployer $(STAGE)

destroy: .venv/.dev .venv/.project
	@$(BIN)/python -m infra.destroy $(STAGE)

pins: .venv/.dev
	@$(BIN)/python .ci/pins.py $(if $(UPGRADE),--upgrade)

docs: .venv/.dev .venv/.project
	@$(BIN)/python -m docs.generate

fmt: .venv/.dev
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info \
		.noonday/demo
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- .venv: made once; the pins are installed again only when they have changed -------------------------

.venv/bin/python:
	@for python in $(PYTHONS); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
		"$$python" -c 'import ensurepip, sqlite3, ssl, venv' >/dev/null 2>&1 || { bare=$$python; continue; }; \
		echo "Setting up .venv with $$("$$python" --version) (once)"; \
		"$$python" -m venv --clear .venv && exit 0; \
		rm -rf .venv; exit 1; \
	done; \
	if [ -n "$$bare" ]; then \
		version=$$("$$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "$$bare cannot make a virtual environment (it lacks ensurepip, sqlite3, ssl or venv)." >&2; \
		echo "On Debian or Ubuntu: sudo apt-get install python$$version-venv" >&2; \
	else \
		echo "Noonday needs Python 3.11 or newer; tried: $(PYTHONS)." >&2; \
		echo "On Debian 12 or Ubuntu 24.04: sudo apt-get install python3 python3-venv" >&2; \
		echo "If it is somewhere else: make PYTHON=/path/to/python3.12 ..." >&2; \
	fi; \
	exit 1

.venv/.local: requirements-local.txt | .venv/bin/python
	@echo 'Installing what Noonday needs to run'
	@$(PIP) install --require-hashes --requirement requirements-local.txt
	@touch $@

.venv/.dev: requirements-dev.txt | .venv/bin/python
	@echo 'Installing what the tests need'
	@$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch .venv/.local $@

# The project itself, editable and without the network: setuptools is among the pins.
.venv/.project: pyproject.toml .venv/.local
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
