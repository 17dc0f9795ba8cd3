# The developer's loop. CI calls the very same targets (.ci/run).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= logical

.DEFAULT_GOAL := help
.PHONY: help install up test check prove bench pictures lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv and install the locked dependencies

$(STAMP): requirements/dev.txt requirements/core.in requirements/embedded.in setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("idp needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + " (set PYTHON=/path/to/python3.11)") if sys.version_info < (3, 11) else 0'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies into $(VENV) …"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements/dev.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

up: install ## run everything here: Postgres, Redis, migrations, demo, web, worker, relying party
	@exec $(BIN)/idp up $(ARGS)

test: install ## the whole suite, in parallel, on throw-away services of its own
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: install ## style, types, architecture, migrations, dependencies, dead code, licences
	$(BIN)/python -m tests.house.check $(ARGS)

prove: install ## that no tenant reaches another, on the deployment that make up runs; and that the proof would notice
	@exec $(BIN)/idp prove --mutants $(ARGS)

bench: install ## this provider beside oidc-provider, one core each (needs node and wrk)
	$(BIN)/python -m benchmarks.run $(ARGS)

pictures: install ## every page in every state, light, dark, phone, desktop, right to left (needs chromium)
	@$(BIN)/python -m tests.pictures $(ARGS)

lock: ## renew requirements/*.txt from requirements/*.in (needs uv)
	cd requirements && uv pip compile -q --universal --generate-hashes --no-annotate --python-version 3.11 \
	    --custom-compile-command "make lock" --output-file dev.txt core.in embedded.in dev.in
	cd requirements && uv pip compile -q --universal --generate-hashes --no-annotate --python-version 3.11 \
	    --custom-compile-command "make lock" --constraint dev.txt --output-file image.txt core.in
