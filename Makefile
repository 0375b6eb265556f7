# Everything a newcomer runs. `make demo` and `make test` set up what they need and are
# quick the second time. Another interpreter: make PYTHON=/path/to/python3.12 test

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)
BIN := .venv/bin
# Each file of tests runs in one of these processes; each of them has peers of its own. Tests
# wait for their peers: three are quicker than two, also on two cores.
JOBS ?= 3
# They get the files in the order of their names: those that take long come first, the many
# small ones of tests/unit last.
OPTIONS = -n $(JOBS) --dist loadfile --no-loadscope-reorder
PEERS = PACSFW_REQUIRE_PEERS=$${PACSFW_REQUIRE_PEERS-1}
PYTEST = $(PEERS) $(BIN)/pytest $(OPTIONS)
# The tests start Python a thousand times: compile the modules once.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-full coverage attack faults fuzz bench-find bench-receive bench-move bench-parse bench-sinks bench-startup hook-pages lint clean

help:  ## show this list
	@grep -E '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv/.installed  ## watch a collection from a PACS of synthetic studies
	$(BIN)/pacsfw demo

test: lint  ## lint, type check and the test suite against real PACS (a few minutes)
	sh scripts/install-peers.sh
	$(PYTEST) -m "not full"

test-full: lint  ## the same with the tests that take long
	sh scripts/install-peers.sh
	$(PYTEST)

coverage: .venv/.installed-dev  ## branch coverage of `make test`, and the floor that it may not fall below
	sh scripts/install-peers.sh
	$(BIN)/coverage erase
	$(PEERS) $(BIN)/coverage run -m pytest $(OPTIONS) -m "not full"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench-find: .venv/.installed-dev  ## find beside DCMTK findscu (STUDIES=10000)
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_find.py

bench-receive: .venv/.installed-dev  ## the receiver beside DCMTK, Orthanc and others (OBJECTS=1000)
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_receive.py; receive=$$?; \
	$(BIN)/python benchmarks/bench_retrieve.py && exit $$receive

bench-move: .venv/.installed-dev  ## move by C-MOVE, C-GET, WADO beside other programs (STUDIES=60); resuming
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_move.py; moved=$$?; \
	$(BIN)/python benchmarks/bench_resume.py && exit $$moved

attack: .venv/.installed-dev  ## a receiver under attack beside a C-MOVE, SECONDS=600
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_attack.py --seconds $(or $(SECONDS),600)

fuzz: .venv/.installed-dev  ## bytes that break a parser, SECONDS=60 for each parser
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m fuzzing --seconds $(or $(SECONDS),60)

bench-parse: .venv/.installed-dev  ## ten tags of many files beside other readers (FILES=3000)
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_parse.py; read=$$?; \
	$(BIN)/python benchmarks/bench_parse_tree.py && exit $$read

bench-sinks: .venv/.installed-dev  ## a million rows through each sink (ROWS=1000000)
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_sinks.py --rows $(or $(ROWS),1000000)

bench-startup: .venv/.installed-dev  ## the command line's answer with 0 and 50 plugins
	$(BIN)/python benchmarks/bench_startup.py

hook-pages: .venv/.installed-dev  ## write docs/hooks anew from the docstrings
	$(BIN)/python scripts/hook_pages.py

faults: .venv/.installed-dev  ## campaign: faulty PACS, kills, full disk, bad network (FAULTS='--kills 20')
	sh scripts/install-peers.sh
	PYTHONPATH=tests $(BIN)/python -m faults.campaign $(FAULTS)

lint: .venv/.installed-dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove the environment, the demo and everything built
	rm -rf .venv demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "pacsfw needs Python 3.11 or newer; none was found." \
		"Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "pacsfw needs Python 3.11 or newer; $(PYTHON) is not." >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.installed-dev: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,contrib]'
	touch $@ .venv/.installed
