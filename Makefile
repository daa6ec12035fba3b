# `make` shows what there is. Only Python 3.11 (or later) and make are needed to begin.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
DEMO := .demo-venv
ORACLES := .oracles-venv
BIN := $(VENV)/bin
PURELIB := -c "import sysconfig; print(sysconfig.get_path('purelib'))"
PIP_FLAGS := --quiet --disable-pip-version-check

# Tests start some hundred programs: without bytecode, each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env demo test check golden reference oracles proof bench clean

help:  ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: $(VENV)/.ready  ## build .venv with every target (some 3 GB), once

$(VENV)/.ready: pyproject.toml constraints.txt
	@tools/need.sh "$(PYTHON)"
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[cpu,pytorch,keras-cpu,gluon,dev]"
	$(BIN)/python -m pip check
	@touch $@

demo: $(DEMO)/.ready  ## check, build and run specs/digits_cnn.nn without any framework
	@$(DEMO)/bin/python -m nnspec.demo

$(DEMO)/.ready: pyproject.toml constraints.txt
	test -x $(DEMO)/bin/python || "$(PYTHON)" -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[cpu]"
	@touch $@

test: env  ## lint, types, rooms, and every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: env  ## the same without the frameworks: a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not framework and not slow"

golden: env  ## write the expected outputs of tests/cases/golden and layout anew (then read the diff)
	NNSPEC_UPDATE_GOLDEN=1 $(BIN)/python -m pytest tests/test_golden.py tests/test_layout.py

reference: env  ## write docs/catalogue anew from the declarations (NNSPEC_RECORD=1 make test writes its figures)
	NNSPEC_UPDATE_GOLDEN=1 $(BIN)/python -m pytest tests/test_reference.py

oracles: $(ORACLES)/.ready  ## other people's models compute tests/cases/oracles anew (then run tests/test_oracles.py)
	for name in torchvision timm transformers; do \
		$(ORACLES)/bin/python tools/oracles/of_$$name.py || exit 1; \
	done
	for name in keras gluon; do $(BIN)/python tools/oracles/of_$$name.py || exit 1; done

# What both environments need, torch above all, stands in .venv only.
$(ORACLES)/.ready: tools/oracles/requirements.txt | env
	test -x $(ORACLES)/bin/python || $(BIN)/python -m venv $(ORACLES)
	$(ORACLES)/bin/python -m pip install $(PIP_FLAGS) --no-deps -r tools/oracles/requirements.txt
	$(BIN)/python $(PURELIB) > "$$($(ORACLES)/bin/python $(PURELIB))/shared.pth"
	@touch $@

proof: $(ORACLES)/.ready  ## long runs: mutated texts, random models, killed commands, weights that others trained, networks at their true size (hours; goes on where it stopped)
	$(BIN)/python tests/proof/fuzz.py --count 100000
	$(BIN)/python tests/proof/models.py --count 2000
	$(BIN)/python tests/proof/kills.py
	$(BIN)/python tests/proof/updates.py
	$(BIN)/python tests/proof/resumed.py
	$(BIN)/python tests/proof/trained.py
	$(BIN)/python tests/proof/full_size.py
	$(BIN)/python tests/proof/onnx_zoo.py

bench: env  ## measure: start-up, scaling, training steps and runs, ONNX export, ONNX of the zoo
	for name in startup scaling train_step train_run onnx_export zoo_onnx; do \
		$(BIN)/python benchmarks/$$name.py || exit 1; \
	done

clean:  ## remove what was built, the environments too
	rm -rf $(VENV) $(DEMO) $(ORACLES) build dist
