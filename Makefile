# Every target sets up what it needs, and at the second call starts at once.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# The results side and the painter in each of their states, engines and photos of every kind: slow, so beside the others
BOARD = $(addprefix tests/browser/test_,feed.py batch_card.py photos.py several.py words.py library.py viewer.py \
	proof.py painter.py engines.py sizes.py doors.py) tests/test_region.py tests/test_retouching.py \
	tests/test_retouching_faults.py
BESIDE = $(BOARD) tests/browser/test_space.py

.PHONY: run test board rehearse soak lint bench bench-short clean

run: $(VENV)/.run
	$(BIN)/python app.py

test: $(VENV)/.dev
	$(BIN)/python tests/browser/chromium.py
	@echo "The browser tests and the others, side by side:"
	@$(BIN)/python -m pytest -q tests/browser $(BESIDE:%=--ignore=%) & browser=$$!; \
	$(BIN)/python -m pytest -q --ignore tests/browser $(BESIDE:%=--ignore=%); others=$$?; \
	wait $$browser && exit $$others

board: $(VENV)/.dev
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m pytest -q $(BOARD)

rehearse: $(VENV)/.dev
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m deploy.rehearse_space
	$(BIN)/python -m pytest tests/browser/test_space.py
	$(BIN)/python -m deploy.rehearse_docker

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -s tests/faults/soak_faults.py tests/faults/soak_kill.py tests/faults/soak_crowd.py \
		tests/faults/soak_deploy.py tests/faults/soak_processes.py tests/faults/soak_batch.py

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m benchmarks

bench-short: $(VENV)/.dev
	$(BIN)/python -m benchmarks --short

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
