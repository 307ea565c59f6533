#!/usr/bin/env bash
# Packs each SDK as its registry takes it, without asking a registry, and looks
# whether README, licence and all that a plugin is built from are in it. Needs
# what the SDKs' own test.sh have installed; leaves nothing but what cargo keeps
# in its target folder. Never publishes anything.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'SDK packages: %s\n' "$*" >&2
    exit 1
}

# Runs a step and shows what it said only if it failed.
quietly() {
    "$@" >"$work/said" 2>&1 || {
        cat "$work/said" >&2
        fail "failed: $*"
    }
}

# holds PACKAGE FOLDER FILE...: each is in what was packed, and the licence is the one of this tree.
holds() {
    local package=$1 folder=$2 file
    shift 2
    for file in "$@"; do
        [[ -s $folder/$file ]] || fail "the package $package has no $file"
    done
    find "$folder" -name LICENSE -exec cmp -s {} "$root/LICENSE" \; -print | grep -q . ||
        fail "the package $package has no LICENSE, or another one than this tree"
}

# Paths below a folder, sorted.
sources() { (cd -- "$1" && find . -type f "${@:2}" -printf '%P\n' | sort); }

pack_rust() {
    # With the crate that its feature `native` needs: neither is on a registry yet.
    (cd -- "$root" && quietly cargo package --locked --offline --no-verify --allow-dirty -p snooze-native -p snooze-plugin)
    local target version name files
    target=$(cd -- "$root" && cargo metadata --offline --no-deps --format-version 1 |
        sed -E 's/.*"target_directory":"([^"]+)".*/\1/')
    for name in native plugin; do
        version=$(cd -- "$root" && cargo pkgid --offline -p "snooze-$name" | sed -E 's/.*[#@]//')
        tar -xzf "$target/package/snooze-$name-$version.crate" -C "$work"
        mv "$work/snooze-$name-$version" "$work/$name"
    done
    mapfile -t files < <(sources "$root/plugins/native" -path './src/*')
    holds snooze-native "$work/native" Cargo.toml "${files[@]}"
    mapfile -t files < <(sources "$here/rust" -path './src/*')
    holds snooze-plugin "$work/plugin" Cargo.toml README.md "${files[@]}"
}

pack_python() {
    # A build leaves its traces beside the sources.
    mkdir "$work/python"
    cp -r "$here/python/"{LICENSE,README.md,pyproject.toml,snooze_plugin} "$work/python"
    quietly timeout 120 "$root/.tools/sdk-python/bin/python" -m pip wheel --no-deps --no-index --no-build-isolation \
        --disable-pip-version-check --wheel-dir "$work/wheel" "$work/python"
    (cd -- "$work/wheel" && quietly "$root/.tools/sdk-python/bin/python" -m zipfile -e ./*.whl unpacked)
    local files
    mapfile -t files < <(cd -- "$here/python" && find snooze_plugin -name '*.py' -size +0)
    holds snooze-plugin "$work/wheel/unpacked" "${files[@]}"
    [[ -f $work/wheel/unpacked/snooze_plugin/py.typed ]] || fail "the package snooze-plugin (Python) has no py.typed"
    # The README is a part of what a wheel says of itself.
    grep -rqF "$(head -n 1 "$here/python/README.md")" "$work/wheel/unpacked" --include=METADATA ||
        fail "the package snooze-plugin (Python) has no README"
}

pack_typescript() {
    (cd -- "$here/typescript" && quietly npm pack --ignore-scripts --offline --pack-destination "$work")
    tar -xzf "$work"/cloudsnooze-plugin-*.tgz -C "$work"
    local files
    mapfile -t files < <(cd -- "$here/typescript/src" && find . -name '*.ts' -printf 'dist/%P\n' |
        sed -E 's/(.*)\.ts$/\1.js\n\1.d.ts/')
    holds cloudsnooze-plugin "$work/package" package.json README.md "${files[@]}"
}

# A module is what lies in its folder: nothing is packed, and what is needed has to be there.
pack_go() {
    local files
    [[ $(cd -- "$here/go" && GOWORK=off GOFLAGS=-mod=readonly go list -m) == cloudsnooze.local/snooze ]] ||
        fail "plugins/sdk/go is no module"
    mapfile -t files < <(cd -- "$here/go" && GOWORK=off GOFLAGS=-mod=readonly go list -f '{{join .GoFiles "\n"}}' .)
    holds cloudsnooze.local/snooze "$here/go" go.mod go.sum README.md "${files[@]}"
}

pack_rust
pack_python
pack_typescript
pack_go
