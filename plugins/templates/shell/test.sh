#!/bin/sh
# Asks the plugin what its users will see: sh test.sh
set -eu

cd -- "$(dirname -- "$0")"
file=$(mktemp)
trap 'rm -f "$file"' EXIT

ask() {
    printf '%s\n' \
        "{\"method\":\"Configure\",\"params\":{\"config\":{\"file\":\"$file\"}},\"id\":1}" \
        '{"method":"CheckIdle","params":{"metrics":{}},"id":2}' | ./plugin.sh | tail -n 1
}

expect() {
    case $(ask) in
    *"$1"*) ;;
    *)
        echo "expected $1, came $(ask)" >&2
        exit 1
        ;;
    esac
}

expect '"is_idle":false'
rm "$file"
expect '"is_idle":true'
echo ok
