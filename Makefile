# Two commands: `make reproduce` (raw images to report) and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.DEFAULT_GOAL := help
.PHONY: help install install-peers install-cpu reproduce methods claims tables paper test mutants faults check format ui bench bench-gpu lock schema clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(STAMP) ## create .venv from requirements.lock
$(STAMP): requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; choose one with: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	touch $@

install-peers: $(STAMP) ## what rows of stable-pretraining need besides (docs/peers.md)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps --compile-bytecode -r requirements-peers.lock

install-cpu: ## the same without CUDA: PyTorch for the CPU alone, from download.pytorch.org (not checked by hashes)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	sed -e '/--hash=/d' -e 's/ *\\$$//' -e '/^nvidia-/d' -e '/^cuda-/d' -e '/^triton==/d' requirements.lock > $(VENV)/cpu.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --torch-backend cpu --compile-bytecode -r $(VENV)/cpu.txt
	touch $(STAMP)

reproduce: $(STAMP) ## raw images to report: runs experiments/quickstart.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --profile local reproduce_all

methods: $(STAMP) ## every method of the project on the same images: runs experiments/all_methods.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --profile local reproduce_all --config 'studies=[experiments/all_methods.yaml]'

claims: $(STAMP) ## the studies of feature transformation and the ablations, with a verdict on every claim (hours)
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --profile local reproduce_claims

tables: $(STAMP) ## the tables that studies declare, from the records alone
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --profile local tables

paper: $(STAMP) ## these tables in one document, and its PDF where a LaTeX is installed
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --profile local paper

test: $(STAMP) ## the test suite, three tests at a time with one thread each; those on Slurm wait most of the time
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadgroup

mutants: $(STAMP) ## put faults in one at a time: does some test find each? (minutes)
	$(BIN)/python tests/mutants.py

faults: $(STAMP) ## damage random files; kill, signal and stop trainings at random moments, twenty times each (minutes)
	OMP_NUM_THREADS=1 PYTHONPATH=.:tests $(BIN)/python tests/many_faults.py 20

check: $(STAMP) ## format, lint, types, import rules, known vulnerabilities of the lock
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_rooms.py tests/spec/test_schema.py
	PYTHONPATH=. $(BIN)/python tests/audit.py

format: $(STAMP) ## format all code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .
	$(BIN)/snakefmt Snakefile workflow

ui: $(STAMP) ## the MLflow UI over results/
	$(BIN)/python -m pipelines track ui

bench: $(STAMP) ## benchmarks that need a CPU and no cluster, beside peers; results in benchmarks/results
	for name in moco_throughput steps feature_transform chunks gradient_mean scaling views shards decoding handover photographs large_sets large_features protocols orchestration many_jobs imports tracking; do \
	  $(BIN)/python benchmarks/$$name.py --json benchmarks/results/$$name.json || exit 1; done
	$(BIN)/python benchmarks/table.py --write

bench-gpu: $(STAMP) ## the same on a GPU: steps beside lightly, chunks, scaling, and time to accuracy on CIFAR-10
	for name in moco_throughput_gpu steps_gpu chunks_gpu scaling_gpu time_to_accuracy; do \
	  $(BIN)/python benchmarks/$${name%_gpu}.py --device cuda --json benchmarks/results/$$name.json || exit 1; done
	$(BIN)/python benchmarks/table.py --write

schema: $(STAMP) ## write the JSON schemas of studies and of the workflow config anew
	$(BIN)/python -m pipelines.spec.schema

clean: ## delete results, not the environment
	rm -rf results .snakemake

lock: ## write both lock files anew from pyproject.toml (newest versions the ranges allow)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet --upgrade --output-file requirements.lock
	$(BIN)/uv pip compile --group stable-pretraining --constraints requirements.lock --universal --python-version 3.11 --generate-hashes \
	  $$(sed -n 's/^\([^ ]*\)==.*/--no-emit-package \1/p' requirements.lock) --no-emit-index-url --no-annotate --no-header --quiet --upgrade \
	  --output-file requirements-peers.lock
