# Everything starts here: `make demo` dubs a clip, `make test` runs every test. Each sets up what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

DEMO_LANGUAGE ?= es
COVERAGE_FLOOR ?= 80

.PHONY: help setup setup-tests build samples demo test test-services lint coverage tsan bench clean

help: ## list the targets
	@printf 'make TARGET, where TARGET is one of:\n\n'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' \
	    | while IFS=$$'\t' read -r name what; do printf '  %-12s %s\n' "$$name" "$$what"; done

setup: ## install what is missing: Debian packages, the worker's Python, the default models
	@scripts/setup packages
	@scripts/setup worker
	@scripts/setup models

setup-tests: setup
	@scripts/setup tests
	@scripts/setup browser

build: ## build .build/release/dubmill
	@scripts/setup packages
	@scripts/require-swift
	@swift build -c release --product dubmill

samples: ## build the sample clips into samples/built
	@scripts/setup packages
	@scripts/setup voices
	@samples/build

demo: setup build samples ## dub the sample monologue to Spanish and say where it is
	@scripts/demo samples/built/monologue.en.mp4 --to $(DEMO_LANGUAGE) --out out/demo

test: setup-tests samples ## run every test, Swift and Python
	@scripts/require-swift
	@scripts/test

test-services: ## run the tests that need services of their own: an object store, schemathesis, promtool, which this installs
	@scripts/setup packages
	@scripts/setup services
	@scripts/setup api
	@scripts/require-swift
	@swift build --build-tests
	@swift test --skip-build --filter "SeaweedTests|Buckets|Operations"

lint: ## check the format of Swift, and shell scripts where shellcheck is installed
	@scripts/require-swift
	@swift format lint --strict -r Sources Tests Fuzz Package.swift
	@if command -v shellcheck > /dev/null; then shellcheck $$(grep -lE "^#!.*\bbash" $$(git ls-files scripts .ci)); fi
	@echo 'lint: clean'

coverage: setup-tests samples ## run the Swift tests and print how many of our lines they reach
	@scripts/require-swift
	@scripts/coverage --floor $(COVERAGE_FLOOR)

tsan: setup-tests samples ## run the runner's tests under ThreadSanitizer
	@scripts/require-swift
	@swift test --scratch-path .build-tsan --sanitize=thread --filter DubRunnerTests

bench: setup build samples ## measure against the ffmpeg program and write docs/benchmarks.md
	@scripts/bench

clean: ## remove what was built here; models and the worker's Python stay
	@rm -rf .build .build-* out samples/built
