# The two commands that matter: `make demo` and `make test`. Both install what a bare Debian or Ubuntu machine
# lacks, where they may; elsewhere they say what is missing.

# Flags in the environment would replace those of .cargo/config.toml, and the binary would not be static.
unexport RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS

CARGO ?= cargo
FIREDRILL := $(CARGO) run --release --locked --quiet --

.PHONY: help demo build test fuzz truth packets proof vm engine check schema sample bench stack-up stack-down

help:
	@echo 'make demo        a real drill against a shop of its own, in a minute (after the build)'
	@echo 'make build       the release binary, static; its path is printed'
	@echo 'make test        format, lints, and every test, those against Docker included'
	@echo 'make fuzz        mutations of tests/fuzz at the readers, a minute each'
	@echo 'make proof       kill runner, keeper, helpers, targets and dockerd, 750 times; the table says what stayed (nothing)'
	@echo 'make vm          faults on cgroup v2 and another kernel, in an emulated machine (installs QEMU; as root)'
	@echo 'make engine      the tests on another release of Docker Engine: SUITE=trixie, of Debian (as root)'
	@echo 'make truth       an outage measured to a request interval + 5 ms; wants a quiet machine'
	@echo 'make packets     the release build against real packets, held to the limits of the README; wants a quiet machine'
	@echo 'make check       format and lints only'
	@echo 'make schema      write scenarios/schema.json and README.md again'
	@echo 'make sample      run the demo and put its review into reports/sample'
	@echo 'make bench       measure load, faults and start side by side with peers (installs them)'
	@echo 'make stack-up    HAProxy, two nginx and a Redis, to drill against (make stack-down removes them)'

demo:
	@bash .ci/ready build docker
	@echo '== building (a few minutes the first time)'
	@$(CARGO) build --release --locked
	@$(FIREDRILL) demo

build:
	@bash .ci/ready build
	@$(CARGO) build --release --locked
	@find target -path '*/release/firedrill' -type f -printf '%p  %s bytes\n'

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --quiet --all-targets -- -D warnings

# Drills mostly wait: four at once leave two cores idle for two thirds of the time. Those whose figures are judged
# closely want the machine to themselves: they come last, one after the other.
AT_ONCE := 4
ALONE := demo:: alerts:: stack:: truth_outage:: rebuild:: load::a_frozen_server_is_told_as_it_was

test:
	@bash .ci/ready build docker
	@$(MAKE) --no-print-directory check
	@CARGO=$(CARGO) bash .ci/test -- --test-threads $(AT_ONCE) $(addprefix --skip ,$(ALONE))
	@CARGO=$(CARGO) FIREDRILL_TEST_QUIET=1 bash .ci/test -- --test-threads 1 $(ALONE)

fuzz:
	FIREDRILL_FUZZ_SECONDS=$${FIREDRILL_FUZZ_SECONDS:-60} $(CARGO) test --locked --test it fuzz:: -- --nocapture

truth:
	FIREDRILL_TEST_QUIET=1 $(CARGO) test --locked --test it truth_outage:: -- --test-threads 1 --nocapture

proof:
	@bash .ci/ready build docker
	FIREDRILL_PROOF=1 $(CARGO) test --locked --test it proof:: -- --nocapture

# The limits of the README, for the binary that people get.
packets:
	@bash .ci/ready build docker
	@$(CARGO) build --release --locked
	FIREDRILL_QUIET=1 FIREDRILL_BIN=$$(ls -t $$PWD/target/*/release/firedrill | head -n 1) \
		$(CARGO) test --locked --test it packets:: -- --include-ignored --test-threads 1 --nocapture

vm:
	@bash .ci/ready build mmdebstrap mke2fs strip qemu-system-x86_64
	@PATH="$$PATH:/usr/sbin:/sbin" bash tests/vm/run

SUITE ?= trixie
engine:
	@bash .ci/ready build docker mmdebstrap ip
	@bash tests/engine/run $(SUITE) --test-threads $(AT_ONCE) $(addprefix --skip ,$(ALONE))

schema:
	@$(FIREDRILL) schema > scenarios/schema.json.new && mv scenarios/schema.json.new scenarios/schema.json
	@$(FIREDRILL) schema --reference > scenarios/README.md.new && mv scenarios/README.md.new scenarios/README.md

sample:
	@bash .ci/ready build docker
	@bash .ci/sample

bench:
	@bash .ci/ready build docker python3
	@$(CARGO) build --release --locked
	@sh tests/bench/load.sh
	@python3 tests/bench/fire.py
	@sh tests/bench/startup.sh
	@FIREDRILL=$$(ls -t $$PWD/target/*/release/firedrill | head -n 1) \
		$(CARGO) test --locked --test it hour:: -- --ignored --nocapture

stack-up stack-down:
	@bash scenarios/stacks/web/$(subst stack-,,$@)
