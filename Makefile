PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: app test test-slow check setup browser clean

## Open the dashboard on the sample cohort.
app: $(STAMP)
	$(BIN)/multifair sample
	$(BIN)/multifair app

## Run the checks and every test, those in a real browser included.
test: $(STAMP) browser check
	$(BIN)/python -m pytest -n 2 --dist loadfile

## The checks that take minutes: real predictions, memory over thousands of steps, simulations.
test-slow: $(STAMP) browser
	$(BIN)/python -m pytest -m slow

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	touch $@

## Debian and Ubuntu: install chromium when no browser is found. Elsewhere the tests say that they skip.
browser:
	@if command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null 2>&1; then :; \
	elif command -v apt-get >/dev/null 2>&1; then \
	  echo "No browser found: installing chromium through apt for the browser tests"; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq chromium; \
	  else sudo -n apt-get update -qq && sudo -n apt-get install -y -qq chromium; fi \
	  || echo "chromium could not be installed: browser tests will be skipped"; \
	else echo "No Chrome or Chromium found: browser tests will be skipped"; fi

clean:
	rm -rf $(VENV)
