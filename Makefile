# Three doors, each from nothing: `make riff PROMPT="church bells"`, `make run`, `make test`.
PYTHON ?= python3.11
PROMPT ?= church bells
BIN := .venv/bin
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: riff run test lint lock clean

riff: .venv/ready
	$(BIN)/riff make "$(PROMPT)"

run: .venv/ready
	$(BIN)/riff up

test: .venv/ready-dev
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# torch first and by itself: where a CPU build is on offer, pip takes it and nothing of CUDA comes along.
.venv/torch:
	@command -v $(PYTHON) >/dev/null || { echo "Riffmarket needs Python 3.11: install it, or say make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check "torch==2.13.*"
	@touch $@

.venv/ready: .venv/torch pyproject.toml requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/ready-dev: .venv/ready requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

LOCK = $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --override requirements.overrides pyproject.toml

lock: .venv/ready-dev
	$(LOCK) -o requirements.lock
	$(LOCK) --extra dev -o requirements-dev.lock

clean:
	rm -rf .venv
