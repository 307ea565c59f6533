#!/usr/bin/env bash
# Tests the SDK by itself: formatting, lints, tests, and a build without NATS. The workspace's own tests include
# all of it but the last, so this is for whoever works on the SDK alone.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
SNOOZE_NATS_SERVER="$(../../../nats/server/install.sh)"
export SNOOZE_NATS_SERVER

cargo fmt --package snooze-plugin --check
cargo clippy --quiet --locked --package snooze-plugin --all-targets -- -D warnings
cargo clippy --quiet --locked --package snooze-plugin --no-default-features --lib --examples -- -D warnings
cargo test --quiet --locked --package snooze-plugin
