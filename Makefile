# `make` alone says what there is. Everything is set up inside this folder: .venv/ (Python packages)
# and .cache/ (the 32-bit MicroPython); `make clean` takes both away.

PY := .venv/bin/python

.PHONY: help demo test check faults bench deb clean

help:
	@echo "make demo            a simulated street until Ctrl-C, or for SECONDS=n, then a summary"
	@echo "make test            every test; what is missing is installed first. ONLY=tests/gateway for a part"
	@echo "make check           format, lint, types"
	@echo "make faults          a gateway under 200 seeded faults. RUNS=n SEED=n ONLY=word"
	@echo "make bench           the benchmarks, one JSON line a figure. ONLY=name for one of them; an hour: ONLY=soak SOAK_MINUTES=60"
	@echo "make deb             dist/derb_*.deb for a gateway, all packages inside. ARCH=arm64 PYTHON_VERSION=3.11 for a Pi"
	@echo "make clean           takes away all that was set up or built here"

demo:
	@sh tools/setup/setup.sh demo
	@.venv/bin/derb demo $(if $(SECONDS),--seconds $(SECONDS))

# Bytecode is kept whatever the environment says: the tests start hundreds of programs, each of which would compile itself anew.
test:
	@sh tools/setup/setup.sh test $(ONLY)
	@PYTHONDONTWRITEBYTECODE= $(PY) -m pytest $(if $(ONLY),$(ONLY),--every-suite -n 4 --dist worksteal)

check:
	@sh tools/setup/setup.sh check
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy

faults:
	@sh tools/setup/setup.sh test
	@DERB_CAMPAIGN=full RUNS=$(or $(RUNS),200) SEED=$(or $(SEED),20261128) ONLY="$(ONLY)" $(PY) -m pytest -q -p no:cacheprovider tests/e2e/test_faults.py

bench:
	@sh tools/setup/setup.sh bench >&2
	@$(PY) tests/bench/run.py $(ONLY)

deb:
	@sh tools/setup/setup.sh deb
	@$(PY) tools/setup/deb.py $(if $(ARCH),--arch $(ARCH)) $(if $(PYTHON_VERSION),--python-version $(PYTHON_VERSION))

clean:
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find firmware gateway tools tests -name __pycache__ -type d -prune -exec rm -rf {} +
