#!/usr/bin/env bash
# Format, lints, types and tests of this package. Makes the environment
# .tools/sdk-python of this checkout from the pinned requirements, anew only
# when they or the interpreter change, and writes nowhere else.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../../.." && pwd)
environment=$root/.tools/sdk-python
build=$here/tests/requirements-build.txt
requirements=$here/tests/requirements.txt

say() { printf 'Python SDK: %s\n' "$*" >&2; }

install() {
    timeout 600 "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes --only-binary=:all: "$@" >&2
}

wanted=$({ cat "$build" "$requirements"; python3 --version; } | sha256sum | cut -d ' ' -f 1)
if [[ $(cat "$environment/made-from" 2>/dev/null || true) != "$wanted" ]]; then
    say "making the environment $environment"
    rm -rf "$environment"
    mkdir -p "$root/.tools"
    python3 -m venv "$environment" || {
        say "python3 cannot make environments; install it (Debian: apt-get install python3-venv)"
        exit 1
    }
    install --requirement "$build"
    # nkeys is published as source only. It is built with what was installed before, not with whatever is newest.
    install --no-binary=nkeys --no-build-isolation --requirement "$requirements"
    printf '%s\n' "$wanted" >"$environment/made-from"
fi

cd -- "$here"
# No caches beside the sources.
export PYTHONDONTWRITEBYTECODE=1 RUFF_NO_CACHE=true
"$environment/bin/python" -m ruff format --quiet --check .
"$environment/bin/python" -m ruff check --quiet .
"$environment/bin/python" -m mypy --no-error-summary --cache-dir="$environment/mypy-cache"
"$environment/bin/python" -m pytest "$@"
