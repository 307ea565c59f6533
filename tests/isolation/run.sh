#!/usr/bin/env bash
# Proves the fences of plugins on kernels that have them: boots Debian's own in a virtual machine with nothing but
# the runner, its tests of fences, and a greedy plugin, and ends by what they say. Takes minutes, ten at most.
# Installs the Debian packages qemu-system-x86 and busybox-static where they are missing (root, or sudo without a
# password); kernels are downloaded into .tools/isolation and not installed. Changes nothing else on this machine.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
place=$root/.tools/isolation
deadline=$((SECONDS + 600))
# What a plugin finds its programs by.
plugins_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

say() { printf 'isolation: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

left() {
    local left=$((deadline - SECONDS))
    ((left > 0)) || fail "ten minutes are over"
    printf '%s' "$left"
}

install_debian_package() {
    local as_root=()
    if [[ $(id -u) != 0 ]]; then
        sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    say "installing the Debian package $1"
    local get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive timeout "$(left)" apt-get
        -o DPkg::Lock::Timeout=120 -qq)
    "${get[@]}" install --yes --no-install-recommends "$1" >/dev/null 2>&1 ||
        { "${get[@]}" update >&2 && "${get[@]}" install --yes --no-install-recommends "$1" >&2; }
}

[[ $(uname -m) == x86_64 ]] || fail "this takes a machine of x86-64"
command -v apt-get >/dev/null || fail "this takes Debian, whose kernels it boots"
command -v qemu-system-x86_64 >/dev/null || install_debian_package qemu-system-x86 ||
    fail "qemu-system-x86_64 is missing; install the Debian package qemu-system-x86"
[[ -x /bin/busybox ]] || install_debian_package busybox-static ||
    fail "busybox is missing; install the Debian package busybox-static"

# The release's own kernel, and a newer one where the release's is older than the newest fences.
# shellcheck source=/dev/null
release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
case $release in
bookworm) suites=(bookworm bookworm-backports) ;;
*) suites=("$release") ;;
esac

# apt with lists of its own: as nobody in particular, and without a word to the machine's own lists.
fetch_kernel() {
    local suite=$1 at=$place/kernels/$1
    [[ -s $at/vmlinuz ]] && return
    rm -rf "$at"
    mkdir -p "$at/lists/partial" "$at/cache/archives/partial" "$at/unpacked"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian %s main\n' \
        "$suite" >"$at/sources.list"
    local options=(-qq -o Dir::Etc::sourcelist="$at/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State::lists="$at/lists" -o Dir::Cache="$at/cache" -o APT::Sandbox::User=)
    timeout "$(left)" apt-get "${options[@]}" update >&2 || return 1
    local package
    package=$(apt-cache "${options[@]}" depends linux-image-cloud-amd64 |
        sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    [[ -n $package ]] || return 1
    say "downloading $package of $suite"
    (cd "$at" && timeout "$(left)" apt-get "${options[@]}" download "$package" >&2) || return 1
    dpkg-deb -x "$at"/linux-image-*.deb "$at/unpacked"
    mv "$at"/unpacked/boot/vmlinuz-* "$at/vmlinuz"
    rm -rf "$at/unpacked" "$at/lists" "$at/cache" "$at"/*.deb
}

for suite in "${suites[@]}"; do
    fetch_kernel "$suite" || fail "the kernel of $suite cannot be had from deb.debian.org"
done

# What is tried is built as for the other tests, and lies in the machine where it lies here: tests know the path.
say "building"
(cd "$root" && cargo test --locked --quiet -p snooze-plugin-runner --no-run)
built=$(cd "$root" && cargo test --locked --quiet -p snooze-plugin-runner --no-run --message-format json)
program_of() {
    python3 -c 'import json, sys
for line in sys.stdin:
    one = json.loads(line)
    if one.get("executable") and one["profile"]["test"] == (sys.argv[1] == "test") \
            and one["target"]["kind"] == [sys.argv[2]] and "plugin-runner" in one["package_id"]:
        print(one["executable"])' "$@" <<<"$built"
}
runner=$(program_of program bin)
whole=$(program_of test test)
parts=$(program_of test lib)
[[ -x $runner && -x $whole && -x $parts ]] || fail "what was built cannot be found"

image=$(mktemp -d)
trap 'rm -rf "$image"' EXIT

# Copies the libraries that this is linked with, links followed.
put_libraries() {
    local library
    { ldd "$1" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | sort -u | while read -r library; do
        [[ -e $image/$library ]] || (cd "$image" && cp -L --parents "$library" .)
    done
}

put() {
    local program
    for program in "$@"; do
        (cd "$image" && cp -L --parents "$program" .)
        put_libraries "$program"
    done
}

mkdir -p "$image"/{dev,etc,proc,sys,tmp,root,run,usr/bin,usr/sbin,usr/lib,usr/lib64}
for folder in bin sbin lib lib64; do
    if [[ -L /$folder ]]; then ln -s "usr/$folder" "$image/$folder"; else mkdir -p "$image/$folder"; fi
done
python=$(PATH=$plugins_path command -v python3) || fail "python3 is missing in $plugins_path"
PATH=$plugins_path
export PATH
for program in sh env true cp mkdir mktemp sleep; do
    put "$(type -P "$program")"
    # It is asked for by both of its paths, which are one where /bin is a link.
    [[ -e $image/bin/$program ]] || cp -L "$(type -P "$program")" "$image/bin/$program"
done
put "$runner" "$whole" "$parts" "$python"
strip --strip-debug "$image/$runner" "$image/$whole" "$image/$parts"
[[ -e $image/usr/bin/python3 ]] || ln -s "$python" "$image/usr/bin/python3"
library=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
tar --create --exclude=test --exclude=tests --exclude=idlelib --exclude=tkinter --exclude=lib2to3 --exclude='config-*' \
    --exclude=ensurepip --exclude=__pycache__ --exclude='*-packages' --exclude='*.a' --file=- --directory=/ \
    "${library#/}" 2>/dev/null | tar --extract --file=- --directory="$image"
find "$image/$library" -name '*.so' -printf '/%P\n' | while read -r module; do
    put_libraries "$library$module"
done
cp /bin/busybox "$image/busybox"
printf 'root:x:0:0::/root:/bin/sh\n' >"$image/etc/passwd"
printf 'root:x:0:\n' >"$image/etc/group"
printf 'root:*:1::::::\n' >"$image/etc/shadow"
printf '127.0.0.1 localhost\n' >"$image/etc/hosts"
install -m 755 "$here/init" "$image/init"
printf 'whole=%q\nparts=%q\n' "$whole" "$parts" >"$image/programs"
find "$image" -type d -exec chmod 755 {} +
chmod 1777 "$image/tmp"
chmod 600 "$image/etc/shadow"
archive=$place/initramfs
(cd "$image" && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null | gzip -1) >"$archive"

# Emulated where the processor's own way is closed to us. Without cx16, by which QEMU 7.2 spoilt the flags of
# newer kernels' allocator until they fell.
boot() {
    local most
    most=$(left)
    [[ $1 == tcg ]] || most=$((most / 3))
    timeout "$most" qemu-system-x86_64 -accel "$1" -m 2048 -smp 2 -cpu max,cx16=off -nographic -no-reboot -nodefaults \
        -serial stdio -kernel "$2" -initrd "$archive" \
        -append 'console=ttyS0 quiet panic=-1 loglevel=3' </dev/null
}

failed=0
for suite in "${suites[@]}"; do
    console=$place/console-$suite
    accelerators=(tcg)
    [[ -w /dev/kvm && -z ${SNOOZE_ISOLATION_EMULATED:-} ]] && accelerators=(kvm tcg)
    for accelerator in "${accelerators[@]}"; do
        say "booting the kernel of $suite ($accelerator)"
        boot "$accelerator" "$place/kernels/$suite/vmlinuz" >"$console" 2>&1 || true
        grep -q '^isolation: ' "$console" && break
    done
    # The firmware's last word has no end of its own.
    tr -d '\r' <"$console" | grep -aoE '(isolation:|test result:).*|^test .*FAILED|^thread .*' || true
    if ! tr -d '\r' <"$console" | grep -qx 'isolation: all held'; then
        say "not all held on the kernel of $suite; what was said there is in $console"
        failed=1
    fi
done
exit "$failed"
