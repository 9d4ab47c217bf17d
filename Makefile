# `make demo` and `make test` are all that a newcomer needs; each builds the environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SERVERS := mosquitto influxd victoria-metrics faketime
PACKAGES := mosquitto influxdb victoria-metrics faketime

.PHONY: demo test check bench torture fuzz fmt servers clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed-demo
	@$(BIN)/prehod demo $(ARGS)

test: $(VENV)/.installed-test servers
	$(BIN)/pytest --numprocesses 3 --dist worksteal $(ARGS)

check: $(VENV)/.installed-check $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_systemd.py

bench: $(VENV)/.installed-test servers
	$(BIN)/python tests/benchmarks/pipeline.py $(ARGS)

torture: $(VENV)/.installed-test servers
	$(BIN)/prehod sim torture $(ARGS)

fuzz: $(VENV)/.installed-test $(VENV)/.installed-fuzz
	$(BIN)/python tests/fuzz/run.py $(ARGS)

fmt: $(VENV)/.installed-check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Real servers, and a wrong clock to run under, from Debian, as root or with sudo. Where neither is possible their tests skip and say so.
servers:
	@missing=; for program in $(SERVERS); do \
		command -v $$program >/dev/null || test -x /usr/sbin/$$program || missing=yes; done; \
	test -z "$$missing" || { \
		if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo=sudo; \
		else echo "real servers are missing; for their tests: sudo apt-get install $(PACKAGES)"; exit 0; fi; \
		$$sudo apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null \
		|| echo "could not install $(PACKAGES); their tests will skip"; }

# One environment; a stamp for each set of extras, renewed when pyproject.toml changes.
$(VENV)/.installed-%: pyproject.toml | $(VENV)/bin/pip
	@echo "installing prehod[$*] into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "Prehod needs Python: sudo apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Prehod needs Python 3.11 or newer; this is $$($(PYTHON) --version)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
		|| { rm -rf $(VENV); echo "Python cannot make an environment: sudo apt-get install python3-venv"; exit 1; }

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
