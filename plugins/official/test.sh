#!/usr/bin/env bash
# Tests the official plugins of one language, or of all: with their language's
# formatter, linter and tests, against real servers, and each one's built form.
# Quiet unless something is wrong. Installs what is missing, as tools/ says, and
# starts no service of the system.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

language_of() { sed -nE 's/^  "language": "([a-z]+)",?$/\1/p' "$here/$1/plugin.json"; }

plugins=()
for manifest in "$here"/*/plugin.json; do
    plugins+=("$(basename -- "$(dirname -- "$manifest")")")
done
languages=$(for plugin in "${plugins[@]}"; do language_of "$plugin"; done | sort -u)
if (($# > 0)); then
    grep -qxF -- "$1" <<<"$languages" || {
        printf 'test.sh: no official plugin is written in %s; there are: %s\n' "$1" "${languages//$'\n'/, }" >&2
        exit 1
    }
    languages=$1
fi

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

# A built plugin: twice the same bytes, and it answers with nothing around it but a PATH.
check_built() {
    "$here/build.sh" "$1" "$work/a/$1"
    "$here/build.sh" "$1" "$work/elsewhere/b/$1"
    diff -r "$work/a/$1" "$work/elsewhere/b/$1" >&2 || {
        printf 'test.sh: %s is built differently each time\n' "$1" >&2
        return 1
    }
    local entry answer
    entry=$(sed -nE 's/^  "entry_point": "([^"]+)",?$/\1/p' "$work/a/$1/plugin.json")
    mkdir -p "$work/home"
    answer=$(cd "$work/home" && printf '{"method":"Info","params":{},"id":1}\n' |
        env -i PATH="$PATH" HOME="$work/home" timeout 30 "$work/a/$1/$entry")
    [[ $answer == *"\"name\":"*"\"$1\""* ]] || {
        printf 'test.sh: asked who it is, %s says: %s\n' "$1" "$answer" >&2
        return 1
    }
}

for language in $languages; do
    printf 'plugins/official (%s)\n' "$language"
    "$here/tools/$language.sh" test
    for plugin in "${plugins[@]}"; do
        [[ $(language_of "$plugin") != "$language" ]] || check_built "$plugin"
    done
done
