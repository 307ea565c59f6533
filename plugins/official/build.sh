#!/usr/bin/env bash
# Builds one official plugin into a folder that a runner can load: its manifest,
# its entry point, and everything that this needs. The same source gives the same
# bytes. Writes nothing else but its language's caches, and never replaces a
# folder that holds no plugin.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

fail() {
    printf 'build.sh: %s\n' "$*" >&2
    exit 1
}

(($# == 2)) || fail "usage: build.sh NAME OUT"
name=$1
manifest=$here/$name/plugin.json
[[ $name =~ ^[a-z0-9-]+$ && -f $manifest ]] || fail "there is no official plugin $name: $manifest is missing"

# Our manifests are written with two spaces, so a field of this name elsewhere does not match.
language=$(sed -nE 's/^  "language": "([a-z]+)",?$/\1/p' "$manifest")
tool=$here/tools/$language.sh
[[ -n $language && -x $tool ]] || fail "$manifest names the language '$language', for which there is no tools/$language.sh"

[[ ! -e $2 || -f $2/plugin.json || -z $(ls -A -- "$2") ]] || fail "$2 is there and holds no plugin: it is left alone"
rm -rf -- "$2"
# A runner takes no folder that others may write, whatever the caller's mask.
umask 022
mkdir -p -- "$2"
out=$(cd -- "$2" && pwd)
"$tool" build "$name" "$out"
entry=$(sed -nE 's/^  "entry_point": "([^"]+)",?$/\1/p' "$out/plugin.json")
[[ -x $out/$entry && -f $out/$entry ]] || fail "tools/$language.sh left no program '$entry' in $2"
