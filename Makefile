# `make demo` and `make test` are all that a newcomer needs; each builds the environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Debian's packages that the checks need, and those that the tests need beside them; program=package where they differ.
TOOLS := systemd-analyze=systemd udevadm=udev
SERVERS := curl faketime influxd=influxdb ip=iproute2 losetup=mount mkfs.ext4=e2fsprogs mosquitto openssl unshare=util-linux \
	victoria-metrics

.PHONY: demo test check bench torture fuzz mutants fmt lock tools servers clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed-demo
	@$(BIN)/prehod demo $(ARGS)

test: $(VENV)/.installed-develop servers
	$(BIN)/pytest --numprocesses 3 --dist worksteal $(ARGS)

check: $(VENV)/.installed-develop tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/project/test_systemd.py

bench: $(VENV)/.installed-develop servers
	$(BIN)/python tests/benchmarks/pipeline.py $(ARGS)

torture: $(VENV)/.installed-develop servers
	$(BIN)/prehod sim torture $(ARGS)

fuzz: $(VENV)/.installed-fuzz
	$(BIN)/python tests/fuzz/run.py $(ARGS)

mutants: $(VENV)/.installed-mutants
	$(BIN)/python -m tests.mutation.run $(ARGS)

fmt: $(VENV)/.installed-develop
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# From Debian, as root or with sudo. Where neither is possible the tests of what is missing skip and say so.
tools: PROGRAMS := $(TOOLS)
servers: PROGRAMS := $(TOOLS) $(SERVERS)
tools servers:
	@missing=; for program in $(PROGRAMS); do \
		PATH="$$PATH:/usr/sbin:/sbin" command -v $${program%=*} >/dev/null || missing="$$missing $${program#*=}"; done; \
	test -z "$$missing" || { \
		missing=$$(printf '%s\n' $$missing | sort -u | tr '\n' ' '); \
		if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo=sudo; \
		else echo "some tests will skip for want of: sudo apt-get install $$missing"; exit 0; fi; \
		echo "installing $$missing..."; \
		{ $$sudo apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing; } >/dev/null \
		|| echo "could not install $$missing; some tests will skip"; }

# One environment; a stamp for each purpose. What goes in is what .ci/locked names, with hashes, on every machine.
$(VENV)/.installed-%: .ci/locked/%.txt pyproject.toml | $(VENV)/bin/pip
	@echo "installing what $* needs into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Newer versions of everything, for the next release.
lock: | $(VENV)/bin/pip
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	@.ci/lock

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "Prehod needs Python: sudo apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Prehod needs Python 3.11 or newer; this is $$($(PYTHON) --version)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
		|| { rm -rf $(VENV); echo "Python cannot make an environment: sudo apt-get install python3-venv"; exit 1; }

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
