#!/usr/bin/env bash
# Installs what package-lock.json pins into node_modules, then builds, checks
# formatting, lints and tests the SDK. Quiet unless something fails; writes
# nothing outside of this folder but nats-server, which nats/server/install.sh
# puts into .tools. Does not install again while the lock is the same.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

fail() {
    printf 'typescript SDK: %s\n' "$*" >&2
    exit 1
}

command -v npm >/dev/null || fail "npm is missing: install Node.js 20.11 or newer with npm (https://nodejs.org)"

# Runs a step and shows what it said only if it failed.
quietly() {
    local said
    said=$("$@" 2>&1) || {
        printf '%s\n' "$said" >&2
        fail "failed: $*"
    }
}

wanted=$({ cat package.json package-lock.json; node --version; } | sha256sum | cut -d ' ' -f 1)
if [[ $(cat node_modules/.made-from 2>/dev/null || true) != "$wanted" ]]; then
    # No script of a package is run: none of these needs one.
    quietly timeout 600 npm ci --ignore-scripts --no-audit --no-fund
    printf '%s\n' "$wanted" >node_modules/.made-from
fi

quietly npm run build
quietly npm run lint
# Where a plugin must find a server, a missing one is a failure that says how to get it.
SNOOZE_NATS_SERVER=$(../../../nats/server/install.sh)
export SNOOZE_NATS_SERVER
quietly npm test
