# Everything a person runs here. Each target installs what it needs into .venv/ first; `make help` lists them.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_TO_RUN := $(VENV)/.ready-to-run
PYTHONS := python3.11 python3.12 python3.13 python3 python
# One more than the cores of a small machine: tests that wait for a server or an emulator leave a core to others.
JOBS ?= 3

# Ctrl-C ends what runs here, and is no error: the shell outlives it, and 130 is what an interrupted command answers.
UNTIL_CTRL_C := trap : INT;
OR_CTRL_C := || { code=$$?; [ $$code -eq 130 ] || exit $$code; }

# Servers and workers that are started again and again load their byte-code instead of compiling it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install agent-clients run serve test test-deploy lint bench soak lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## install everything into .venv/ (the other targets do it by themselves)

# Apart from .venv/, because they pin packages of ours to other versions. docs/entities.md names the versions.
agent-clients: $(READY_TO_RUN) ## agents' clients for their tests, into .venv-agent-kit/ and .venv-mcp-1/
	@set -e; \
	install() { $(BIN)/python -m venv $$1; environment=$$1; shift; \
	  $$environment/bin/python -m pip install --quiet --disable-pip-version-check "$$@" \
	    || { rm -rf $$environment; exit 1; }; }; \
	install .venv-agent-kit google-adk==2.13.0 mcp==2.3.0; \
	install .venv-mcp-1 mcp==1.30.0

run: $(READY_TO_RUN) ## send 100 example records as a campaign to the sandbox, and show what became of each
	@$(UNTIL_CTRL_C) $(BIN)/python -m cli demo $(ARGS) $(OR_CTRL_C)

serve: $(READY_TO_RUN) ## keep connector, worker, webhook and sandbox up, and print their addresses
	@$(UNTIL_CTRL_C) $(BIN)/python -m cli serve $(ARGS) $(OR_CTRL_C)

test: $(READY) ## all tests but the long ones
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "not soak and not deploy" $(ARGS)

test-deploy: $(READY) ## the real pulumi command against a fake cloud, where it is installed (ten minutes)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m deploy tests/infra/e2e $(ARGS)

lint: $(READY) ## ruff, mypy --strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy function infra sandbox cli
	@PYTHONPATH=function:. $(BIN)/lint-imports --no-logo

bench: $(READY) ## the benchmarks, with a table at the end
	@$(BIN)/python -m tests.benchmarks $(ARGS)

soak: $(READY) ## the long fault runs
	@$(BIN)/python -m pytest -q -m soak $(ARGS)

lock: $(READY) ## write function/requirements.txt (complete, with hashes) from function/requirements.in
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" function/requirements.in --output-file function/requirements.txt

clean: ## remove .venv/ and every cache
	@rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find function infra sandbox cli tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Where all pinned versions are installed already, pip asks no registry: a complete .venv/ needs no network.
$(READY): $(READY_TO_RUN) requirements.txt infra/requirements.txt
	@echo "installing the rest into $(VENV)/ (once; a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(READY_TO_RUN): function/requirements.txt requirements-run.txt
	@set -e; \
	if [ ! -x $(BIN)/python ]; then \
	  for candidate in $(PYTHONS); do \
	    if command -v $$candidate >/dev/null 2>&1 \
	      && $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo "Python 3.11 or newer is needed; tried: $(PYTHONS). Install it (Debian: apt-get install python3-venv)." >&2; exit 1; \
	  fi; \
	  $$python -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "$$python can't make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }; \
	fi; \
	echo "installing into $(VENV)/ (once; half a minute)"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r function/requirements.txt; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-run.txt
	@printf '%s\n' '#!/bin/sh' 'root=$$(cd "$$(dirname "$$0")/../.." && pwd)' \
	  'PYTHONPATH="$$root" exec "$$root/$(BIN)/python" -m cli "$$@"' >$(BIN)/sms
	@chmod +x $(BIN)/sms
	@touch $@
