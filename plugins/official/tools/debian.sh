#!/usr/bin/env bash
# Installs Debian packages that are missing, each given as PROGRAM=PACKAGE: it is
# installed where the program is not there. Uses root, or sudo without asking for
# a password. What is installed starts no service, neither now nor when the machine
# starts.
set -euo pipefail

fail() {
    printf 'test tools: %s\n' "$*" >&2
    exit 1
}

PATH=$PATH:/usr/sbin:/sbin
missing=()
for wanted in "$@"; do
    command -v "${wanted%%=*}" >/dev/null || missing+=("${wanted#*=}")
done
((${#missing[@]} > 0)) || exit 0

by_hand="install them by hand (Debian: apt-get install ${missing[*]})"
command -v apt-get >/dev/null || fail "${missing[*]} are missing and there is no apt-get; $by_hand"
as_root=()
if [[ $(id -u) != 0 ]]; then
    sudo -n true 2>/dev/null || fail "${missing[*]} are missing, and neither are you root nor does sudo let you be; $by_hand"
    as_root=(sudo -n)
fi

# Debian starts what it installs, where this does not say otherwise. Whoever has said so already is left alone.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

wanted_at_start() { find /etc/systemd/system -path '*.wants/*' -type l 2>/dev/null | sort; }
before=$(wanted_at_start)

printf 'test tools: installing the Debian packages %s\n' "${missing[*]}" >&2
get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -o DPkg::Lock::Timeout=300 -qq)
# The lists may be missing or too old to find a package's file.
"${get[@]}" install --yes --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
    { "${get[@]}" update >&2 && "${get[@]}" install --yes --no-install-recommends "${missing[@]}" >&2; } ||
    fail "could not install ${missing[*]}; $by_hand"

# Only what this has added: what the user has switched on stays so.
while IFS= read -r link; do
    "${as_root[@]}" rm -f -- "$link"
done < <(comm -13 <(printf '%s\n' "$before") <(wanted_at_start))
