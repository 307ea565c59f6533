#!/usr/bin/env bash
# Builds and tests the official plugins in TypeScript.
#
#   typescript.sh build NAME OUT   the folder OUT, which a runner can load
#   typescript.sh test             formatter, linter, types and tests of all of them
#
# Installs what the lock files pin into node_modules of the plugin and of the
# SDK, and what the tests need into .tools of this checkout. Quiet unless
# something fails. OUT holds the same bytes wherever it is built.
set -euo pipefail

official=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
sdk=$official/../sdk/typescript

fail() {
    printf 'official plugins in TypeScript: %s\n' "$*" >&2
    exit 1
}

# Runs a step and shows what it said only if it failed.
quietly() {
    local said
    said=$("$@" 2>&1) || {
        printf '%s\n' "$said" >&2
        fail "failed: $*"
    }
}

# What the lock file of this folder pins, unless it is there already.
install_locked() {
    local wanted
    wanted=$({ cat package.json package-lock.json; node --version; } | sha256sum | cut -d ' ' -f 1)
    [[ $(cat node_modules/.made-from 2>/dev/null || true) == "$wanted" ]] && return
    # No script of a package is run: none of these needs one.
    quietly timeout 600 npm ci --ignore-scripts --no-audit --no-fund
    printf '%s\n' "$wanted" >node_modules/.made-from
}

# The SDK is what the plugins are built from, as it is here.
prepare() {
    command -v npm >/dev/null || fail "npm is missing: install Node.js 20.11 or newer with npm (https://nodejs.org)"
    cd -- "$sdk"
    install_locked
    quietly node_modules/.bin/tsc --project tsconfig.json
    cd -- "$official/$1"
    install_locked
}

build() {
    local name=$1 out=$2
    [[ -f $official/$name/build.mjs ]] || fail "there is no plugin $name in TypeScript"
    mkdir -p -- "$out"
    out=$(cd -- "$out" && pwd)
    (
        prepare "$name"
        quietly node build.mjs "$out"
    )
}

# Of a plugin, in a folder of its own: what it is built into is what is tested.
check() {
    prepare "$1"
    quietly npm run lint
    rm -rf dist/built
    quietly node build.mjs dist/built
    if [[ -x test/install.sh ]]; then
        tools=$(test/install.sh)
        export PATH=$tools:$PATH
    fi
    quietly npm test
}

case "${1:-}" in
build)
    [[ $# == 3 ]] || fail "usage: typescript.sh build NAME OUT"
    build "$2" "$3"
    ;;
test)
    [[ $# == 1 ]] || fail "usage: typescript.sh test"
    for manifest in "$official"/*/package.json; do
        name=$(basename -- "$(dirname -- "$manifest")")
        [[ -f $official/$name/build.mjs ]] || continue
        (check "$name")
    done
    ;;
*) fail "usage: typescript.sh build NAME OUT | typescript.sh test" ;;
esac
