# What one can do with Stele's sources. `make help` lists it; scripts/install brings what a fresh Debian 12 lacks.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build run sim mutants test chaos test-asan test-tsan fuzz lint format docs clean bench bench-quick bench-soak install-build install-peers

# A clone in another folder finds what this one has compiled.
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1

DATA ?= build/run
JOBS ?= $(shell nproc)

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install-build:
	@if [ -x scripts/install ]; then scripts/install build; fi

install-peers:
	@if [ -x scripts/install ]; then scripts/install peers; fi

build/%/build.ninja: CMakePresets.json
	cmake --preset $*

build: install-build  ## the program, at build/release/stele
	@$(MAKE) --no-print-directory build/release/build.ninja
	cmake --build --preset release -j $(JOBS)

run: build  ## build, then one broker on port 9092 with its data in build/run (DATA=<dir> for another place)
	@mkdir -p $(DATA)
	build/release/stele broker --data $(DATA)

test: install-build install-peers build  ## everything: unit tests, house checks, and every witness that is installed
	tests/run

chaos: install-build install-peers build  ## real faults on real processes: kills, bad disks, power loss (SEED=n for the same moments again)
	tests/chaos/run $(if $(SEED),--seed $(SEED))

test-asan: install-build  ## unit tests under the address and undefined behaviour sanitizers
	@$(MAKE) --no-print-directory build/asan/build.ninja
	cmake --build --preset asan -j $(JOBS)
	ctest --test-dir build/asan --output-on-failure -j $(JOBS)

test-tsan: install-build  ## unit tests under the thread sanitizer
	@$(MAKE) --no-print-directory build/tsan/build.ninja
	cmake --build --preset tsan -j $(JOBS)
	ctest --test-dir build/tsan --output-on-failure -j $(JOBS)

TIME ?= 60
fuzz: install-build  ## every fuzzer for TIME seconds (60) under the sanitizers; TARGETS="a b" for some of them
	tests/fuzz/run --time $(TIME) --jobs $(JOBS) $(TARGETS)

sim: build  ## SEEDS=n whole brokers in the simulated world (1,000 by default; FIRST=k DURABILITY=replicated|synced|any)
	build/release/stele_sim --seeds $(or $(SEEDS),1000) --first $(or $(FIRST),1) --jobs $(JOBS) \
	  --durability $(or $(DURABILITY),any) --stored tests/sim/swarm/stored_seeds.txt

mutants: install-build  ## one known bug put back at a time: how many seeds until the simulator sees it (NAMES="a b" for some)
	tests/mutants/run --jobs $(JOBS) $(NAMES)

bench-quick: install-build install-peers build/release/build.ninja  ## the five main loads beside Kafka and two floors, in under three minutes
	bench/run --quick

bench: install-build install-peers build/release/build.ninja  ## every load, unattended; tables and charts into docs/benchmarks.md and docs/benchmarks
	bench/run --all --docs

bench-soak: install-build install-peers build/release/build.ninja  ## an hour each (MINUTES=n) of steady load on Stele and Kafka while retention deletes
	bench/run --load soak --minutes $(or $(MINUTES),60)

lint: build/release/build.ninja  ## house checks, format, clang-tidy on what differs from main (ALL=1 for all sources)
	ctest --test-dir build/release --output-on-failure -R '^check_'
	tools/tidy $(if $(ALL),--all)

format: build/release/build.ninja  ## clang-format on every C++ file
	python3 tests/checks/format.py build/release --fix

docs: build/release/build.ninja  ## docs/configuration.md and docs/protocol.md, from the program's own tables
	cmake --build --preset release --target stele
	build/release/stele docs configuration >docs/configuration.md
	build/release/stele docs protocol >docs/protocol.md

clean:  ## remove what was built (not the data in build/run)
	rm -rf build/release build/debug build/asan build/tsan build/fuzz build/mutants
