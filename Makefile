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
# Unit tests that need no other program and little time.
QUICK := tests/test_architecture.py tests/test_docs_architecture.py tests/unit/test_convert.py \
	$(addprefix tests/unit/,config dicom dimse ledger plugins report) \
	$(addprefix tests/unit/steps/,convert deliver find ingest move tags) \
	--ignore tests/unit/dimse/test_client.py --ignore tests/unit/steps/find/test_resume.py

.PHONY: help demo test test-full coverage attack faults fuzz bench-find bench-receive bench-move bench-parse bench-callbacks bench-sinks bench-startup compare-dcmdump hook-pages layers quick lock lowest lint clean

help:  ## show this list
	@grep -E '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv/.installed  ## run a collection from a PACS with synthetic studies
	$(BIN)/pacsfw demo

quick: lint  ## lint and a fast selection of unit tests (under a minute)
	$(BIN)/pytest -q -n 2 --dist loadfile $(QUICK)

test: lint  ## lint, type check and the test suite against real PACS (a few minutes)
	sh scripts/install-peers.sh
	$(PYTEST) -m "not full"

test-full: lint  ## the same, including slow tests
	sh scripts/install-peers.sh
	$(PYTEST)

coverage: .venv/.installed-dev  ## branch coverage of `make test`, with a floor
	sh scripts/install-peers.sh
	$(BIN)/coverage erase
	$(PEERS) $(BIN)/coverage run -m pytest $(OPTIONS) -m "not full"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench-find: .venv/.installed-dev  ## compare find with DCMTK findscu (STUDIES=10000)
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_find.py

bench-receive: .venv/.installed-dev  ## compare the receiver with DCMTK, Orthanc and others (OBJECTS=1000)
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_receive.py; receive=$$?; \
	$(BIN)/python benchmarks/bench_retrieve.py && exit $$receive

bench-move: .venv/.installed-dev  ## compare move by C-MOVE, C-GET, WADO with other programs (STUDIES=60); resuming
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_move.py; moved=$$?; \
	$(BIN)/python benchmarks/bench_resume.py && exit $$moved

attack: .venv/.installed-dev  ## attack a receiver during a C-MOVE (SECONDS=600)
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_attack.py --seconds $(or $(SECONDS),600)

fuzz: .venv/.installed-dev  ## bytes that break a parser, SECONDS=60 for each parser
	$(BIN)/pip $(INSTALL) --group fuzz
	$(BIN)/python -m fuzzing --seconds $(or $(SECONDS),60)

bench-parse: .venv/.installed-dev  ## compare reading ten tags with other readers (FILES=3000)
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_parse.py; read=$$?; \
	$(BIN)/python benchmarks/bench_parse_tree.py && exit $$read

bench-callbacks: .venv/.installed-dev  ## what callbacks cost while files are read (FILES=1500)
	$(BIN)/python benchmarks/bench_callbacks.py --files $(or $(FILES),1500)

compare-dcmdump: .venv/.installed-dev  ## compare rows with dcmdump, file by file (FOLDER=...)
	sh scripts/install-peers.sh
	PYTHONPATH=tests $(BIN)/python -m support.against_dcmdump $(FOLDER)

bench-sinks: .venv/.installed-dev  ## write a million rows to each sink (ROWS=1000000)
	sh scripts/install-peers.sh
	$(BIN)/python benchmarks/bench_sinks.py --rows $(or $(ROWS),1000000)

bench-startup: .venv/.installed-dev  ## start time of the command line with 0 and 50 plugins
	$(BIN)/python benchmarks/bench_startup.py

hook-pages: .venv/.installed-dev  ## rewrite docs/hooks from the docstrings
	$(BIN)/python scripts/hook_pages.py

layers: .venv/.installed-dev  ## write the layers into CONTRIBUTING.md
	$(BIN)/python scripts/layers.py

lock: .venv/.installed-dev  ## renew requirements-dev.lock
	$(BIN)/python scripts/lock.py

lowest: .venv/.installed-dev  ## tests with the oldest dependencies that pyproject.toml allows
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip $(INSTALL) 'pip>=25.1'
	$(BIN)/python scripts/lowest.py > .venv-lowest/lowest.txt
	.venv-lowest/bin/pip $(INSTALL) --constraint .venv-lowest/lowest.txt --editable '.[dicomweb]' --group test
	.venv-lowest/bin/pytest -n $(JOBS) --dist loadfile tests/unit/config tests/unit/plugins tests/unit/cli

faults: .venv/.installed-dev  ## campaign: faulty PACS, kills, full disk, bad network (FAULTS='--kills 20')
	sh scripts/install-peers.sh
	PYTHONPATH=tests $(BIN)/python -m faults.campaign $(FAULTS)

lint: .venv/.installed-dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove the environment, the demo and everything built
	rm -rf .venv .venv-lowest demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "pacsfw needs Python 3.11 or newer; none was found." \
		"Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "pacsfw needs Python 3.11 or newer; $(PYTHON) is not." >&2; exit 1; }
	$(PYTHON) -m venv .venv

# The version is in __init__.py, so the metadata of the editable install follows that file.
PROJECT := pyproject.toml framework/pacsfw/__init__.py
INSTALL := install --quiet --disable-pip-version-check

.venv/.installed: .venv/bin/pip $(PROJECT)
	$(BIN)/pip $(INSTALL) --editable .
	touch $@

# The pip that comes with Python 3.11 does not know dependency groups.
.venv/.installed-dev: .venv/bin/pip $(PROJECT) requirements-dev.lock
	$(BIN)/python -m pip $(INSTALL) 'pip>=25.1'
	$(BIN)/pip $(INSTALL) --constraint requirements-dev.lock --editable . --group dev --group contrib
	touch $@ .venv/.installed
