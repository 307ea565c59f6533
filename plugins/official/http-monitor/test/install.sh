#!/usr/bin/env bash
# Finds what the tests need beside Node.js, or takes it out of Debian's packages
# into .tools/debian of this checkout, and prints the folder with a link to each:
# nginx, caddy, logrotate, and nginx' exporter. The packages are not installed,
# since that would start their services. Needs no root unless apt has no lists yet.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../../../.." && pwd)
debian=$root/.tools/debian
links=$debian/links

say() { printf 'http-monitor: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Whether a program is there and runs.
runs() {
    case "$1" in
    nginx) "$2" -v ;;
    caddy) "$2" version ;;
    logrotate) "$2" --version ;;
    prometheus-nginx-exporter) "$2" -version ;;
    openssl) "$2" version ;;
    esac >/dev/null 2>&1
}

get() {
    # Without root apt cannot give its rights away, and says so.
    timeout 300 apt-get -qq -o APT::Sandbox::User=root download "$@" >&2
}

# The named packages' files, out of which nothing is run or set up.
take_out() {
    local work status=0
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    say "taking ${*} out of Debian's packages"
    work=$(mktemp -d)
    (
        cd -- "$work"
        if ! get "$@" 2>/dev/null; then
            as_root=()
            [[ $(id -u) == 0 ]] || as_root=(sudo -n)
            "${as_root[@]}" timeout 300 apt-get -qq -o DPkg::Lock::Timeout=120 update >&2
            get "$@"
        fi
        for package in ./*.deb; do dpkg-deb -x "$package" "$debian"; done
    ) || status=1
    rm -rf -- "$work"
    return $status
}

# A link to a program in PATH, or to one that is taken out of a package.
provide() {
    local program=$1 found
    shift
    runs "$program" "$links/$program" && return
    rm -f -- "$links/$program"
    found=$(PATH=$PATH:/usr/sbin:/sbin command -v "$program" || true)
    if [[ -n $found ]] && runs "$program" "$found"; then
        ln -s -- "$found" "$links/$program"
        return
    fi
    take_out "$@" || fail "$program is missing and cannot be had here: install it (Debian: apt-get install $1)"
    found=$(find "$debian/usr/sbin" "$debian/usr/bin" -name "$program" -type f | head -n 1)
    # Its libraries are taken out beside it.
    cat >"$links/$program" <<EOF
#!/bin/sh
LD_LIBRARY_PATH=$debian/usr/lib/$(uname -m)-linux-gnu exec $found "\$@"
EOF
    chmod +x "$links/$program"
    runs "$program" "$links/$program" ||
        fail "$program of Debian's package does not run here: install it (Debian: apt-get install $1)"
}

mkdir -p "$links" "$debian/usr/sbin" "$debian/usr/bin"
provide nginx nginx
provide caddy caddy
provide logrotate logrotate libpopt0
provide prometheus-nginx-exporter prometheus-nginx-exporter
provide openssl openssl
printf '%s\n' "$links"
