#!/usr/bin/env bash
# Builds and tests the official plugins that are written in Go, as plugins/official/build.sh and test.sh ask:
# `go.sh build NAME OUT` and `go.sh test`. Needs Go; writes into .tools of this
# checkout and the toolchain's caches. Never touches what the user has set for Go.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
official=$(cd -- "$here/.." && pwd)
root=$(cd -- "$official/../.." && pwd)

# The same as for the SDK.
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.6.1

command -v go >/dev/null || {
    printf 'go.sh: go is missing: install Go 1.23 or newer (https://go.dev/dl)\n' >&2
    exit 1
}

# Go counts its own use in the user's configuration folder, and no variable tells it not to. So that folder
# is ours here, where counting is off; what the user has set with `go env -w` stays in force.
export GOENV=${GOENV:-${XDG_CONFIG_HOME:-${HOME:-}/.config}/go/env} XDG_CONFIG_HOME=$root/.tools
mkdir -p "$root/.tools/go/telemetry"
printf 'off\n' >"$root/.tools/go/telemetry/mode"
# The module stands for itself, go.mod says which versions, and a checkout of another user builds too.
export GOWORK=off GOFLAGS='-mod=readonly -buildvcs=false'
export STATICCHECK_CACHE=$root/.tools/staticcheck

# Static, and without what differs from one build to the next: paths, symbols, and the build's own id.
build() {
    cd -- "$official"
    CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags '-s -w -buildid=' -o "$2/$1" "./$1"
    install -m 0644 "$1/plugin.json" "$1/README.md" "$2/"
    licences "$1" >"$2/LICENSES.txt"
}

# Those of all that is linked in, which ask to come along.
licences() {
    local modules module version folder file
    modules=$(go list -deps -f '{{with .Module}}{{if .Version}}{{if not .Replace}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}{{end}}' "./$1" | sort -u)
    while read -r module version folder; do
        printf '== %s %s\n\n' "$module" "$version"
        for file in "$folder"/LICENSE "$folder"/LICENSE.txt "$folder"/LICENSE.md; do
            [[ ! -f $file ]] || break
        done
        cat -- "$file"
        printf '\n'
    done <<<"$modules"
}

check() {
    "$root/tests/install.sh"
    SNOOZE_NATS_SERVER=$("$root/nats/server/install.sh")
    export SNOOZE_NATS_SERVER
    # The packages of the programs alone, where there are such, hold no service.
    # mariadb-install-db calls my_print_defaults, which no package of the server's brings along.
    "$here/debian.sh" mariadbd=mariadb-server-core mariadb-install-db=mariadb-server-core \
        my_print_defaults=mariadb-client-core \
        rabbitmq-server=rabbitmq-server podman=podman crun=crun runc=runc busybox=busybox-static pgrep=procps newuidmap=uidmap \
        systemctl=systemd dbus-daemon=dbus-daemon
    "$here/python/install.sh" postgres

    cd -- "$official"
    local unformatted race=()
    unformatted=$(gofmt -l .)
    if [[ -n $unformatted ]]; then
        printf 'gofmt would change these:\n%s\n' "$unformatted" >&2
        exit 1
    fi
    go mod verify >/dev/null
    go vet ./...
    go run "$staticcheck" ./...
    # The race detector needs a C compiler.
    if [[ $(go env CGO_ENABLED) == 1 ]]; then
        race=(-race)
    fi
    go test "${race[@]}" -count=1 -timeout=10m ./... >"$root/.tools/go/official.log" 2>&1 || {
        cat "$root/.tools/go/official.log" >&2
        exit 1
    }
}

case "${1-} $#" in
    "build 3") build "$2" "$3" ;;
    "test 1") check ;;
    *)
        printf 'usage: go.sh build NAME OUT | go.sh test\n' >&2
        exit 1
        ;;
esac
