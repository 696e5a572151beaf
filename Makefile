# What can be done here. Needs Python 3.11 or newer and make; the rest is fetched into the virtual environment.
#   make sandbox   the whole thing on this machine, with a page to play with     (ARGS="--port 3001")
#   make test      every test, by four processes side by side                    (ARGS="-k freeze -x" HANDS=8)
#   make format    what ruff can put right by itself
#   make check     format, lint, types, audit, locks, tree: what .ci/run asks before the tests
#   make bench     throughput, latency, start and memory beside Bolt and aiohttp
#   make trace     which requirements are covered, and by which tests
#   make mutants   small changes to the policy's code that no test sees           (ARGS="votes rules.soak")
#   make chaos     kills, freezes, crashes and faults, until something is lost    (ARGS="--seed 7 --database sqlite")
#   make clients   GitHub's own client and GraphQL schema, from npm, for the tests that ask them
#   make run       the bot as it runs in production, from the environment
#   make lock      resolve pyproject.toml into the lock files                    (UPGRADE=1 for newer versions)
#   make clean     what was built or cached here

VENV ?= .venv
PYTHON ?=
ARGS ?=
HANDS ?= 4
BIN := $(VENV)/bin
UV := VIRTUAL_ENV="$(abspath $(VENV))" $(BIN)/uv
PATHS := bot commands deploy policy tests .ci
OCTOKIT := tests/bot/sandbox/octokit
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

.PHONY: sandbox test format bench trace mutants chaos clients run lock clean setup
.PHONY: check check-format check-lint check-types check-tree check-locks check-audit
.DELETE_ON_ERROR:

sandbox: $(VENV)/.runtime
	@$(BIN)/release-bot sandbox $(ARGS)

run: $(VENV)/.runtime
	@$(BIN)/release-bot serve $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest --numprocesses=$(HANDS) --dist=loadfile --no-loadscope-reorder $(ARGS)

# Each part can be made alone; `make -k check` goes on to the next where one fails.
check: check-format check-lint check-types check-tree check-locks check-audit

check-format: $(VENV)/.dev
	@echo "── format" && $(BIN)/ruff format --check $(PATHS)

check-lint: $(VENV)/.dev
	@echo "── lint" && $(BIN)/ruff check $(PATHS)

check-types: $(VENV)/.dev
	@echo "── types" && $(BIN)/mypy

check-tree: $(VENV)/.dev
	@echo "── tree" && $(BIN)/python .ci/tree.py

check-locks: $(VENV)/.dev
	@echo "── locks" && PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python .ci/lock.py

check-audit: $(VENV)/.dev
	@echo "── audit" && $(BIN)/python .ci/audit.py requirements.lock requirements-dev.lock

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix $(PATHS); $(BIN)/ruff format $(PATHS)

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench $(ARGS)

trace: $(VENV)/.dev
	@$(BIN)/python -m tests.trace $(ARGS)

mutants: $(VENV)/.dev
	@$(BIN)/python -m tests.mutants $(ARGS)

chaos: $(VENV)/.dev
	@$(BIN)/python -m tests.chaos $(ARGS)

clients: $(VENV)/.clients

setup: $(VENV)/.dev

lock: $(VENV)/.setup
	@$(COMPILE) pyproject.toml --extra attestations -o requirements.lock
	@$(COMPILE) pyproject.toml --extra attestations --extra dev -c requirements.lock -o requirements-dev.lock
	@printf 'hatchling\nuv\n' | $(COMPILE) - -c requirements-dev.lock -o requirements-setup.lock
	@printf 'hatchling\nuv\nmypy[mypyc]\n' | $(COMPILE) - -c requirements-dev.lock -c requirements-setup.lock -o requirements-build.lock

clean:
	rm -rf $(OCTOKIT)/node_modules .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .sandbox build dist *.egg-info
	find $(PATHS) -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment. Each stamp is as old as what it was made from.

$(VENV)/.setup: requirements-setup.lock
	@set -e; old='import sys; sys.exit(sys.version_info < (3, 11))'; \
	if ! $(BIN)/python -c "$$old" 2>/dev/null; then \
		found=; \
		for python in $(PYTHON) python3.11 python3.12 python3.13 python3.14 python3 python; do \
			if "$$python" -c "$$old" >/dev/null 2>&1; then found=$$python; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "Release Bot needs Python 3.11 or newer, and none was found on the PATH." >&2; \
			echo "Install one, or name it: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3" >&2; exit 1; \
		fi; \
		if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "$$found cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
		fi; \
		echo "making $(VENV) with $$found"; "$$found" -m venv --clear $(VENV); \
	fi; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-setup.lock
	@touch $@

$(VENV)/.runtime: $(VENV)/.setup requirements.lock pyproject.toml
	@echo "installing what it runs on"
	@$(UV) pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.setup requirements-dev.lock requirements.lock pyproject.toml
	@echo "installing what it runs on and what we test with"
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes requirements-dev.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.runtime $@

$(VENV)/.clients: $(VENV)/.dev $(OCTOKIT)/package.json $(OCTOKIT)/package-lock.json
	@echo "fetching GitHub's own client and schema"
	@cd $(OCTOKIT) && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent
	@touch $@
