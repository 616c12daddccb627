# Every target installs what it needs first (apt-get, as root or by sudo).
.PHONY: run build sim test demo bench fuzz lint asan tsan ad conformance conformance-pool clean deps deps-test deps-bench

SHELL := /bin/bash
JOBS ?= $(shell nproc)
PRESET ?= release
FUZZ_SECONDS ?= 600

build: deps
	@cmake --preset release >/dev/null
	cmake --build build/release -j$(JOBS) --target flotilla

run: build
	@tools/run

demo: build
	@tools/demo

# Builds everything (release), the fuzzers, and runs all of it through CTest.
test: deps-test
	@cmake --preset $(PRESET) -DFLOTILLA_TESTS=ON >/dev/null
	cmake --build build/$(PRESET) -j$(JOBS)
	@cmake --preset fuzz >/dev/null
	cmake --build build/fuzz -j$(JOBS) --target fuzzers
	ctest --test-dir build/$(PRESET) --output-on-failure

# The bare state machine, the pool beside Samba+CTDB and beside one node, one node beside smbd; docs/bench.md has figures.
bench: deps-bench
	@cmake --preset release -DFLOTILLA_TESTS=ON >/dev/null
	cmake --build build/release -j$(JOBS) --target flotilla smb_load coherence_bench pool_engine_bench
	build/release/coherence_bench --benchmark_min_time=0.3
	build/release/pool_engine_bench --benchmark_min_time=0.3
	bench/pool
	bench/recovery
	bench/compare.py --bytes 268435456 --files 2000 --rounds 3

# Runs SEEDS seeds of the simulator from FIRST on, on all cores.
SEEDS ?= 20000
FIRST ?= 1
sim: deps-test
	@cmake --preset $(PRESET) -DFLOTILLA_TESTS=ON >/dev/null
	cmake --build build/$(PRESET) -j$(JOBS) --target flotilla_sim
	build/$(PRESET)/flotilla_sim --seeds $(SEEDS) --first $(FIRST) --jobs $(JOBS)

asan tsan: deps-test
	@cmake --preset $@ >/dev/null
	cmake --build build/$@ -j$(JOBS)
	ctest --test-dir build/$@ --output-on-failure -LE 'fuzz|lint'

fuzz: deps-test
	@cmake --preset fuzz >/dev/null
	cmake --build build/fuzz -j$(JOBS) --target fuzzers
	tools/fuzz $(FUZZ_SECONDS)

lint: deps-test
	@cmake --preset fuzz >/dev/null
	tools/lint

# smbtorture, compared with tests/conformance/expected.tsv: best of, and one plain share. MATCH=REGEX runs a part.
conformance: deps-test build
	tests/conformance/run.py --mode best $(if $(MATCH),--match '$(MATCH)')
	tests/conformance/run.py --mode plain $(if $(MATCH),--match '$(MATCH)')

# The tests of two connections, the two on different nodes of tools/lab.
conformance-pool: deps-test build
	tests/conformance/run.py --mode pool $(if $(MATCH),--match '$(MATCH)')

# Beside a Samba AD domain controller in namespaces of its own (root): part of `make test` too.
ad: deps-test build
	tests/e2e/ad_test.py

deps:
	@tools/install-deps

deps-test:
	@tools/install-deps --test

deps-bench:
	@tools/install-deps --test --bench

clean:
	rm -rf build
