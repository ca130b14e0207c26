# The commands of this project. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TOOLS := $(CURDIR)/tests/.tools
# What tests/setup.sh installed; at the end, so that the machine's own python3 stays the one that runs.
export PATH := $(TOOLS)/bin:$(PATH):$(TOOLS)/venv/bin

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
REVISION = $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

.PHONY: help setup test lint format clippy docs scripts audit advisories bench torture fuzz docker

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: ## Install what the tests need and this machine lacks
	tests/setup.sh

# With `required`, a test whose foreign client is missing fails; a plain `cargo test` says that it skips.
test: setup ## Run all tests: unit, integration, documentation, container
	ANSWERBACK_TEST_TOOLS=required cargo test --locked
	tests/container.sh

lint: setup format clippy docs scripts audit ## Check formatting, lints, documentation, scripts, dependencies

format:
	cargo fmt --all -- --check

clippy:
	cargo clippy --locked --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps

scripts:
	shellcheck .ci/run tests/*.sh examples/tests/shell/*.sh

audit: advisories
	cargo deny --locked --log-level warn check --hide-inclusion-graph bans licenses sources

# The database of known vulnerabilities comes from the internet. Without it this check cannot be made,
# which is said and is no failure, unless ADVISORIES=required asks for it (the workflow on GitHub does).
advisories:
	@mkdir -p target
	@if cargo deny --locked check --hide-inclusion-graph advisories >target/advisories.log 2>&1; then \
	  tail -n 1 target/advisories.log; \
	elif grep -q 'failed to fetch advisory database' target/advisories.log && [ '$(ADVISORIES)' != required ]; then \
	  printf '\n*** NOT CHECKED: known vulnerabilities of the dependencies. Their database could not be fetched.\n'; \
	  printf '*** Run `make advisories` where there is internet access.\n\n'; \
	else \
	  cat target/advisories.log; exit 1; \
	fi

bench: ## Measure against a bare server, and print the ratios
	cargo bench --locked

torture: setup ## Kill the service and cut its power many times, and look for what was lost
	cargo test --locked --release --test torture -- --kills 200 --cuts 50

FUZZ_SECONDS ?= 60

fuzz: ## Feed hostile bytes to framing, rules, templates and files, FUZZ_SECONDS each (nightly, cargo-fuzz)
	@cargo fuzz --version >/dev/null 2>&1 || { echo 'cargo-fuzz is missing: cargo install cargo-fuzz, and rustup toolchain install nightly'; exit 1; }
	for target in framing matchers templates config; do \
	  cargo +nightly fuzz run -O -a -s none $$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10; \
	done

docker: ## Build the container image answerback:VERSION
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
	  --tag answerback:$(VERSION) --tag answerback:latest .
