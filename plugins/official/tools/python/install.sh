#!/usr/bin/env bash
# Installs the servers that the tests of the official plugins in Python ask: Redis, PostgreSQL, an SSH server, tmux
# and screen. Uses root (or sudo, without asking for a password) for Debian packages that are missing, and starts no
# service. Does nothing when called again.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../../../.." && pwd)
bin=$root/.tools/bin

say() { printf 'official plugins in Python: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -o DPkg::Lock::Timeout=120 -qq "$@"
}

install_package() {
    command -v apt-get >/dev/null && as_root true 2>/dev/null || return 1
    say "installing the Debian package $1"
    # The lists may be missing or too old to find the package's file.
    apt_get install --yes --no-install-recommends "$1" >/dev/null 2>&1 ||
        { apt_get update >&2 && apt_get install --yes --no-install-recommends "$1" >&2; }
}

install_redis() {
    command -v redis-server >/dev/null || [[ -x $bin/redis-server ]] && return
    # The package redis-server would start a service; the program itself is in redis-tools, where it does what the name
    # says that it is called by.
    [[ -x /usr/bin/redis-check-rdb ]] || install_package redis-tools ||
        fail "redis-server is missing: install it (Debian: apt-get install redis-server)"
    ln -sf /usr/bin/redis-check-rdb "$bin/redis-server"
}

install_postgres() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null && return
    local advice="initdb is missing: install PostgreSQL (Debian: apt-get install postgresql)"
    install_package postgresql-common || fail "$advice"
    # The package makes a cluster and starts it, unless it is told not to.
    local told=/etc/postgresql-common/createcluster.d/snooze-tests.conf
    as_root mkdir -p "${told%/*}"
    printf 'create_main_cluster = false\n' | as_root tee "$told" >/dev/null
    install_package postgresql || { as_root rm -f "$told"; fail "$advice"; }
    as_root rm -f "$told"
}

install_sshd() {
    command -v sshd >/dev/null || [[ -x /usr/sbin/sshd || -x $bin/sshd ]] && return
    local advice="sshd is missing: install it (Debian: apt-get install openssh-server)"
    command -v apt-get >/dev/null || fail "$advice"
    # The package would start a service, so only its program is taken.
    local folder
    folder=$(mktemp -d)
    (
        cd -- "$folder"
        say "unpacking the Debian package openssh-server"
        apt-get -qq download openssh-server >/dev/null 2>&1 || { apt_get update >&2 && apt-get -qq download openssh-server >&2; }
        dpkg -x openssh-server_*.deb .
    ) || fail "$advice"
    # Newer ones are several programs. What they are linked against is on most systems, and else in packages that are
    # named after the libraries.
    local programs=("$folder/usr/sbin/sshd") program library missing
    for program in sshd-session sshd-auth; do
        [[ ! -x $folder/usr/lib/openssh/$program ]] || programs+=("$folder/usr/lib/openssh/$program")
    done
    missing=$(ldd "${programs[@]}" | sed -nE 's/^\s*(lib[a-z]+)\.so\.([0-9]+) => not found.*/\1\2/p' | sort -u)
    for library in $missing; do install_package "$library" || fail "$advice"; done
    cp "${programs[@]}" "$bin/"
    rm -rf "$folder"
}

case ${1:-} in
package) install_package "$2" ;;
postgres) install_postgres ;;
servers)
    mkdir -p "$bin"
    install_redis
    install_postgres
    for program in tmux screen; do
        command -v "$program" >/dev/null || install_package "$program" ||
            fail "$program is missing: install it (Debian: apt-get install $program)"
    done
    command -v ssh >/dev/null || install_package openssh-client ||
        fail "ssh is missing: install it (Debian: apt-get install openssh-client)"
    install_sshd
    ;;
*) fail "usage: install.sh package NAME | postgres | servers" ;;
esac
