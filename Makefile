# The front door. Underneath is CMake: see CMakePresets.json and `cmake --build`.

JOBS := $(shell nproc)
BUILD := build/release
CMAKE_ARGUMENTS :=
-include Makefile.local# written by ./configure

.PHONY: all run test test-asan test-tsan fuzz bench soak lint format install deb clean help

all: ## build build/release/postern
	@scripts/install-dependencies --build
	@cmake --preset release $(CMAKE_ARGUMENTS) > /dev/null
	@cmake --build $(BUILD) --target postern postern_manual_pages -j $(JOBS)

run: all ## start Postern in front of a private Dovecot on loopback, and show how to log in
	@scripts/install-dependencies --run
	@exec scripts/run-demo $(BUILD)/postern

test: ## install what is missing, build with both compilers, run every test
	@scripts/install-dependencies --test
	@exec scripts/test

test-asan: ## the unit tests and the end-to-end tests with address and undefined-behaviour sanitizers
	@scripts/install-dependencies --test
	@exec scripts/test --asan

test-tsan: ## the same with the thread sanitizer
	@scripts/install-dependencies --test
	@exec scripts/test --tsan

fuzz: ## fuzz every parser and whole sessions, SECONDS=60 each; TARGET=NAME: that one; COVERAGE=1: see what is reached
	@scripts/install-dependencies --test
	@cmake --preset $(if $(COVERAGE),coverage,fuzz) > /dev/null
	@cmake --build --preset $(if $(COVERAGE),coverage,fuzz) -j $(JOBS)
	@exec tests/fuzz/run $(or $(SECONDS),60) $(TARGET) $(if $(COVERAGE),--coverage)

bench: ## measure Postern beside NGINX, HAProxy, Dovecot and Perdition: some 16 minutes; QUICK=1: 3 minutes
	@scripts/install-dependencies --bench
	@cmake --preset release $(CMAKE_ARGUMENTS) > /dev/null
	@cmake --build $(BUILD) --target postern postern_bench -j $(JOBS)
	@exec bench/run $(if $(QUICK),--quick)

soak: ## Postern under load with abusive clients, reloads, upgrades and dying servers: MINUTES=30
	@scripts/install-dependencies --bench
	@cmake --preset release $(CMAKE_ARGUMENTS) > /dev/null
	@cmake --build $(BUILD) --target postern postern_bench -j $(JOBS)
	@exec bench/soak $(MINUTES)

lint: ## the rules that a program can check
	@scripts/install-dependencies --test
	@scripts/lint

format: ## let clang-format decide
	@scripts/lint --fix

install: all ## install below DESTDIR and the prefix that configure was given
	@DESTDIR="$(DESTDIR)" cmake --install $(BUILD)

deb: ## build a Debian package, build/postern_VERSION_ARCHITECTURE.deb; needs no root
	@scripts/install-dependencies --package
	@packaging/build-deb

clean: ## remove all that was built
	rm -rf build Makefile.local

help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## /  make \1	/p' Makefile | expand -t 22
