# `make demo`, `make test` and `make check` make .venv first; nothing else needs to be installed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
TESTS  ?=

.PHONY: demo test test-gpu bench-gpu check format lint types man clean

demo: $(VENV)/.installed
	$(BIN)/vlmd demo

# Most tests wait for processes, so four at a time suit two cores.
test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 4 --maxschedchunk 1 $(TESTS)

# On a machine with an NVIDIA GPU: models of real dimensions with random weights. Need neither a video nor a network.
test-gpu: $(VENV)/.installed
	$(BIN)/python -m pytest -m gpu tests/gpu $(TESTS)

bench-gpu: $(VENV)/.installed
	$(BIN)/python tools/bench_gpu.py $(BENCH)

check: format lint types test

# In CI files are not changed behind anybody's back: there, unformatted code fails.
format: $(VENV)/.installed
	$(BIN)/ruff format $(if $(CI),--check) .

lint: $(VENV)/.installed
	$(BIN)/ruff check .

types: $(VENV)/.installed
	$(BIN)/mypy

# What is installed beside the package, made from the help: the man page, and what shells complete.
man: $(VENV)/.installed
	$(BIN)/python tools/make_man_page.py
	$(BIN)/vlmd completion bash > tools/share/bash-completion/completions/vlmd
	$(BIN)/vlmd completion zsh > tools/share/zsh/site-functions/_vlmd
	$(BIN)/vlmd completion fish > tools/share/fish/vendor_completions.d/vlmd.fish

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# torch first and alone: where pip finds a CPU build of the pinned version, that is what installs. SoccerNet, the
# reference that spotting is tested against, without what it needs to download videos.
$(VENV)/.installed: pyproject.toml tools/constraints.txt
	@echo "installing into $(VENV); the first time this takes some minutes"
	$(PYTHON) -c 'import sys; sys.exit("vlmd needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint tools/constraints.txt torch
	$(PIP) install --constraint tools/constraints.txt --editable '.[dev]'
	$(PIP) install --constraint tools/constraints.txt --no-deps SoccerNet==0.2.0
	@touch $@
