#!/usr/bin/env bash
# Checks formatting, lints and tests this package, and leaves the built example
# beside its plugin.json. Needs Go and nothing else; writes into .tools of this
# checkout, what git ignores here, and the toolchain's caches. Quiet unless
# something is wrong.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
root=$(cd -- ../../.. && pwd)

# The newest that the Go of go.mod can build. Checked by Go's checksum database.
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.6.1

# Go counts its own use in the user's configuration folder, and no variable tells it not to. So that folder
# is ours here, where counting is off; what the user has set with `go env -w` stays in force.
export GOENV=${GOENV:-${XDG_CONFIG_HOME:-${HOME:-}/.config}/go/env} XDG_CONFIG_HOME=$root/.tools
mkdir -p "$root/.tools/go/telemetry"
printf 'off\n' >"$root/.tools/go/telemetry/mode"
# The module stands for itself, go.mod says which versions, and a checkout of another user builds too.
export GOWORK=off GOFLAGS='-mod=readonly -buildvcs=false'
export STATICCHECK_CACHE=$root/.tools/staticcheck

SNOOZE_NATS_SERVER=$("$root/nats/server/install.sh")
export SNOOZE_NATS_SERVER

unformatted=$(gofmt -l .)
if [[ -n $unformatted ]]; then
    printf 'gofmt would change these:\n%s\n' "$unformatted" >&2
    exit 1
fi
go vet ./...
go run "$staticcheck" ./...
go build -o example/example-go ./example

# The race detector needs a C compiler.
race=()
if [[ $(go env CGO_ENABLED) == 1 ]]; then
    race=(-race)
fi
go test "${race[@]}" -count=1 -timeout=10m ./... >"$root/.tools/go/test.log" 2>&1 || {
    cat "$root/.tools/go/test.log" >&2
    exit 1
}
