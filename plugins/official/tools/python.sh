#!/usr/bin/env bash
# The official plugins in Python: `python.sh build NAME OUT` makes the folder OUT that a runner loads, and
# `python.sh test` checks and tests all of them against real servers, in the environment .tools/official-python of this
# checkout, made from the pinned requirements and anew only when they change. A build takes nothing from the network
# when the same one was made before, and what is built takes nothing at all.
set -euo pipefail
shopt -s inherit_errexit

tools=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
here=$tools/python
official=$(cd -- "$tools/.." && pwd)
root=$(cd -- "$official/../.." && pwd)
environment=$root/.tools/official-python
# A build needs an installer and nothing of what the tests need.
builder=$root/.tools/official-python-build

say() { printf 'official plugins in Python: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

make_venv() {
    command -v python3 >/dev/null ||
        fail "python3 is missing: install Python 3.9 or newer with venv (Debian: apt-get install python3-venv)"
    mkdir -p "$root/.tools"
    python3 -m venv "$1" 2>/dev/null && return
    rm -rf "$1"
    "$here/install.sh" package python3-venv && python3 -m venv "$1" ||
        fail "python3 cannot make environments; install it (Debian: apt-get install python3-venv)"
}

pip() {
    timeout 600 "$1/bin/python" -m pip --quiet --disable-pip-version-check --no-input "${@:2}" >&2
}

make_environment() {
    local wanted
    wanted=$({ cat "$here/requirements.txt"; python3 --version; } | sha256sum | cut -d ' ' -f 1)
    [[ $(cat "$environment/made-from" 2>/dev/null || true) == "$wanted" ]] && return
    say "making the environment $environment"
    rm -rf "$environment"
    make_venv "$environment"
    pip "$environment" install --require-hashes --only-binary=:all: --requirement "$here/requirements.txt" ||
        fail "what tools/python/requirements.txt lists could not be installed"
    printf '%s\n' "$wanted" >"$environment/made-from"
}

# What a plugin depends on, as it comes from PyPI but for what says where and when it was installed.
depend() {
    local requirements=$1 made
    made=$builder/built/$(sha256sum "$requirements" | cut -d ' ' -f 1)
    if [[ ! -d $made ]]; then
        [[ -x $builder/bin/python ]] || make_venv "$builder"
        mkdir -p "$builder/built"
        local fresh
        fresh=$(mktemp -d "$builder/built/.XXXXXX")
        # Wheels for any platform only: a plugin is pure Python and serves every machine.
        pip "$builder" install --require-hashes --only-binary=:all: --no-deps --no-compile --implementation py --abi none \
            --platform any --target "$fresh" --requirement "$requirements" ||
            fail "what $requirements lists could not be installed"
        rm -rf "$fresh/bin" "$fresh"/*.dist-info/{RECORD,INSTALLER,REQUESTED,direct_url.json}
        # Another build may have made the same meanwhile.
        mv -T "$fresh" "$made" 2>/dev/null || rm -rf "$fresh"
    fi
    printf '%s' "$made"
}

build() {
    local name=$1 out=$2 source=$official/$1
    [[ $name =~ ^[a-z0-9-]+$ && -f $source/plugin.json ]] || fail "there is no official plugin $name"
    [[ ! -e $out || -f $out/plugin.json || -z $(ls -A -- "$out") ]] ||
        fail "$out is there and holds no plugin: it is left alone"
    rm -rf -- "$out"
    mkdir -p "$out/lib"
    if [[ -f $source/requirements.txt ]]; then
        local dependencies
        dependencies=$(depend "$source/requirements.txt")
        cp -r "$dependencies/." "$out/lib"
    fi
    cp -r "$root/plugins/sdk/python/snooze_plugin" "$here/snooze_monitor" "$source/${name//-/_}" "$out/lib"
    cp "$source/plugin.json" "$source/README.md" "$out"
    cp "$here/entry.py" "$out/$name"
    find "$out" -name __pycache__ -prune -exec rm -rf {} +
    # The same bytes and modes whoever builds it; a moment that every archive format can hold.
    find "$out" -type d -exec chmod 755 {} +
    find "$out" -type f -exec chmod 644 {} +
    chmod 755 "$out/$name"
    find "$out" -exec touch --no-dereference --date=@315532800 {} +
}

plugins() {
    local manifest
    for manifest in "$official"/*/plugin.json; do
        if grep -q '"language": *"python"' "$manifest"; then
            basename -- "$(dirname -- "$manifest")"
        fi
    done
}

check() {
    local sources=("$here") name
    local search="$root/plugins/sdk/python:$here"
    for name in $(plugins); do
        sources+=("$official/$name")
        search+=":$official/$name:$official/$name/tests"
    done
    # No caches beside the sources.
    export PYTHONDONTWRITEBYTECODE=1 RUFF_NO_CACHE=true
    local python=$environment/bin/python
    # What a configuration names is looked for from here.
    cd -- "$here"
    "$python" -m ruff format --config "$here/pyproject.toml" --quiet --check "${sources[@]}"
    "$python" -m ruff check --config "$here/pyproject.toml" --quiet "${sources[@]}"
    local files=("$here/snooze_monitor" "$here/tests")
    for name in $(plugins); do files+=("$official/$name/${name//-/_}" "$official/$name/tests"); done
    MYPYPATH=$search "$python" -m mypy --config-file "$here/pyproject.toml" --no-error-summary \
        --cache-dir="$environment/mypy-cache" "${files[@]}"
}

test_all() {
    make_environment
    check
    "$here/install.sh" servers
    built=$(mktemp -d)
    trap 'rm -rf "$built"' EXIT
    # Servers that do not run as the superuser start plugins, too.
    chmod 755 "$built"
    local name folders=("$here/tests") search=$here:$root/plugins/sdk/python
    for name in $(plugins); do
        build "$name" "$built/$name"
        folders+=("$official/$name/tests")
        search+=:$official/$name:$official/$name/tests
    done
    PATH=$root/.tools/bin:$environment/bin:$PATH SNOOZE_BUILT=$built PYTHONPATH=$search \
        "$environment/bin/python" -m pytest --config-file "$here/pyproject.toml" --rootdir "$official" \
        -p official_fixtures "$@" "${folders[@]}"
}

case ${1:-} in
build) [[ $# == 3 ]] || fail "usage: python.sh build NAME OUT" && build "$2" "$3" ;;
check) make_environment && check ;;
test) shift && test_all "$@" ;;
*) fail "usage: python.sh build NAME OUT | check | test [pytest's arguments]" ;;
esac
