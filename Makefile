# Everything that one does with this repository. `make help` lists it; continuous integration runs `make test` and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Cargo, npm and the stamps below are not made for two of each at once.
.NOTPARALLEL:

export CARGO_TARGET_DIR ?= $(CURDIR)/target
BUILT := $(CARGO_TARGET_DIR)/debug
# Passed to the daemon by `make run`, such as ARGS="--data-dir /srv/photos".
ARGS ?=

# Without a desktop the link is only printed.
DESKTOP := $(if $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname)),--open)

# Always the same packages: cargo chooses features for the set that it is given, and another set would build the heavy dependencies again.
BUILD := cargo build --quiet -p inframe -p inframe-models -p inframe-tests

WEIGHTS := models/node_modules/@vladmandic/face-api/model
PACK := models/pack/face-api
NPM_CI := npm ci --no-audit --no-fund --loglevel=error

# Stamps: a second `make run` goes straight to the daemon. Each lies inside what it vouches for, so that deleting the folder deletes the stamp.
MODELS_INSTALLED := models/node_modules/.installed
MODELS_CONVERTED := $(PACK)/.converted
WEBUI_INSTALLED := webui/node_modules/.installed
WEBUI_BUILT := webui/dist/.built
BROWSER_INSTALLED := tests/browser/node_modules/.installed
API_FUZZ := tests/schemathesis
API_FUZZ_INSTALLED := $(API_FUZZ)/.venv/.installed
PEERS := models/benches/peers
PEERS_INSTALLED := $(PEERS)/node_modules/.installed

CONVERTER := $(wildcard models/src/convert/*.rs models/src/convert.rs models/src/bin/convert.rs)
WEBUI_SOURCES := $(shell find webui -name node_modules -prune -o -name dist -prune -o -type f -print 2>/dev/null)

##@ Use
.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Install, convert, build what is missing, start the daemon; prints a launch link and opens it where there is a desktop
	@$(BUILT)/inframe run $(DESKTOP) $(ARGS)

.PHONY: demo
demo: build ## Three daemons, real photos, one person who finds herself; then three dashboards until Ctrl-C
	@$(BUILT)/demo $(ARGS)

.PHONY: release
release: setup ## The shipped binary, optimised and stripped
	cargo build --profile dist -p inframe
	@echo "$(CARGO_TARGET_DIR)/dist/inframe"

##@ Work on it
.PHONY: setup
setup: $(MODELS_CONVERTED) $(WEBUI_BUILT) ## Install the pinned packages, convert the model weights, build the web UI

.PHONY: build
build: setup ## Build the daemon and the demo (development profile)
	@$(BUILD) --bins

.PHONY: test
test: setup $(BROWSER_INSTALLED) ## Everything that continuous integration checks
	@.ci/suite

.PHONY: lint
lint: setup ## Formatting, clippy, documentation and dependency rules, warnings denied
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps
	@if command -v cargo-deny > /dev/null; then cargo deny --log-level error check bans licenses sources; fi

.PHONY: format
format: ## Format the Rust code
	cargo fmt --all

.PHONY: bench
bench: build ## Measure what an idle daemon costs in memory and processor time (the demo measures the rest)
	@$(BUILT)/measure

.PHONY: bench-faces
bench-faces: build $(PEERS_INSTALLED) ## Time finding faces against the npm package, onnxruntime and dlib on the same photos (10 minutes; ROUNDS=5)
	@node models/benches/peers/bench.mjs

.PHONY: bench-privacy
bench-privacy: setup ## What announced templates hide and give away, as tables (a minute; INFRAME_EVAL_DIR=a folder whose `faces` are labelled photos)
	@cargo bench --quiet --profile dev -p inframe --bench privacy

.PHONY: bench-vault
bench-vault: setup ## Time taking photos into the vault and serving them against plain loops that do the same work, and the ciphers alone (3 minutes)
	@cargo bench --quiet --profile dev -p inframe --bench vault
	@cargo bench --quiet --profile dev -p inframe --bench serve

.PHONY: bench-transfer
bench-transfer: build ## Time a large video and 1,000 photos between two daemons against rsync, syncthing and plain TCP (12 minutes with PHOTOS=200; ROUNDS=3, PHOTOS=1000, MIB=1024)
	@$(BUILT)/transfer

.PHONY: bench-lines
bench-lines: build ## Time photos over lines that are narrow, far, lossy, out of order or cut, against rsync (5 minutes; root, for network namespaces; ONLY="300 ms")
	@$(BUILT)/lines $(if $(ONLY),"$(ONLY)")

.PHONY: chaos
chaos: build ## Kills, power cuts, full disks and bit flips by the thousand; writes tests/reliability.md (up to two hours; SEED=1, MINUTES=10 for each, ONLY=flips,power)
	@$(BUILD) -p inframe-chaos --bins
	@$(BUILT)/chaos --seed $(or $(SEED),1) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(ONLY),--only $(ONLY)) --results $(BUILT)/chaos-results --page tests/reliability.md

.PHONY: hostile
hostile: build ## Hostile peers against a real daemon, one after the other; writes tests/hostile.md (6 minutes; ONLY="1;16a")
	@$(BUILD) -p inframe-hostile --bins
	@$(BUILT)/hostile $(if $(ONLY),--only "$(ONLY)",--page tests/hostile.md)

.PHONY: scale
scale: ## Events of 50, 200 and 1,000 members in one process, with the real protocol (15 minutes of processor time, 13 GB of memory; SIZES="50 200", MINUTES=60, CHURN=20, SEED=1)
	@cargo run --quiet -p inframe-scale --bin scale -- $(SIZES)

.PHONY: chaos-worker
chaos-worker: build ## Kill decode processes at random during imports (KILLS=200)
	INFRAME_CHAOS_KILLS=$(or $(KILLS),200) cargo test -q -p inframe-tests --test e2e workers_killed_at_random -- --nocapture

.PHONY: golden-vault
golden-vault: build ## Keep a small vault of this format in tests/golden/vaults, which every later version has to read
	cargo test -q -p inframe-tests --test e2e make_the_golden_vault -- --ignored --nocapture

.PHONY: fuzz
fuzz: setup ## Damage files of every kind at random and give them to our parsers (FUZZ=200000 of each)
	INFRAME_FUZZ=$(or $(FUZZ),200000) cargo test -q -p inframe --lib d8_damaged -- --nocapture

.PHONY: fuzz-api
fuzz-api: build $(API_FUZZ_INSTALLED) ## Calls of every operation of the HTTP API that its description allows and forbids, as owner and as everybody else (long; EXAMPLES=200, SEED=1, ONLY=owner,locked; needs Python)
	@$(API_FUZZ)/.venv/bin/python $(API_FUZZ)/run.py --examples $(or $(EXAMPLES),200) --seed $(or $(SEED),1) --only "$(ONLY)"

# The same with a few calls each, for the suite: a minute.
.PHONY: fuzz-api-short
fuzz-api-short: $(API_FUZZ_INSTALLED)
	@$(API_FUZZ)/.venv/bin/python $(API_FUZZ)/run.py --short

SANCOV := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks
FUZZED := $(CARGO_TARGET_DIR)/fuzz
HOST := $(shell rustc -vV 2>/dev/null | sed -n "s/^host: //p")

.PHONY: fuzz-protocol
fuzz-protocol: ## Fuzz every decoder of the protocol, led by the code that is reached; grows protocol/fuzz/corpus (FUZZ_SECONDS=60 each, ONLY="records"; needs a C++ compiler)
	RUSTFLAGS="$(SANCOV)" CARGO_TARGET_DIR=$(FUZZED) cargo build -q --release -p inframe-fuzz --features libfuzzer --bin fuzz-target --target $(HOST)
	cargo run -q -p inframe-fuzz --bin fuzz-campaign -- $(FUZZED)/$(HOST)/release/fuzz-target $(FUZZED)/work $(or $(FUZZ_SECONDS),60) $(ONLY)

.PHONY: clean
clean: ## Remove everything that these commands made
	rm -rf $(CARGO_TARGET_DIR) models/node_modules $(PEERS)/node_modules $(PEERS)/.venv $(API_FUZZ)/.venv webui/node_modules tests/browser/node_modules webui/dist
	rm -f $(MODELS_CONVERTED) $(PACK)/*.onnx

$(MODELS_INSTALLED): models/package.json models/package-lock.json
	cd models && $(NPM_CI)
	@touch $@

$(MODELS_CONVERTED): $(MODELS_INSTALLED) $(CONVERTER)
	$(BUILD) --bin convert
	$(BUILT)/convert $(WEIGHTS) $(PACK)
	@touch $@

$(WEBUI_INSTALLED): webui/package.json webui/package-lock.json
	cd webui && $(NPM_CI)
	@touch $@

$(WEBUI_BUILT): $(WEBUI_INSTALLED) $(WEBUI_SOURCES)
	cd webui && npm run --silent build
	@touch $@

$(BROWSER_INSTALLED): tests/browser/package.json tests/browser/package-lock.json
	cd tests/browser && $(NPM_CI)
	@touch $@

$(API_FUZZ_INSTALLED): $(API_FUZZ)/requirements.txt
	python3 -m venv $(API_FUZZ)/.venv && $(API_FUZZ)/.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

# Python is asked for last: the comparison goes on without it and says so.
$(PEERS_INSTALLED): $(PEERS)/package.json $(PEERS)/package-lock.json $(PEERS)/requirements.txt
	cd $(PEERS) && $(NPM_CI)
	python3 -m venv $(PEERS)/.venv && $(PEERS)/.venv/bin/pip install --quiet --no-deps -r $(PEERS)/requirements.txt \
		|| echo "no onnxruntime and no dlib: Python or its packages cannot be installed"
	@touch $@
