#!/bin/sh
# Votes busy while a file exists: `touch` it to keep the machine awake, `rm` it to let it snooze.
# Needs nothing but a POSIX shell. The file is `file` of its configuration, else keep-awake in HOME.

file="$HOME/keep-awake"
# Bytes stay bytes, also where they are no text.
export LC_ALL=C

answer() { printf '{"result":%s,"id":%s}\n' "$1" "${id:-null}"; }

# Whether there surely is no such file: a folder on the way that is closed to us hides what is in it.
is_absent() {
    case $1 in */*) dir=${1%/*} ;; *) dir=. ;; esac
    until (cd "${dir:-/}") 2>/dev/null; do
        [ -e "$dir" ] && return 1
        case $dir in */*) dir=${dir%/*} ;; *) dir=. ;; esac
    done
}

while IFS= read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id": *\([0-9][0-9]*\)[^0-9]*$/\1/p')
    case $line in
    *'"method":"Info"'*)
        answer '{"name":"keep-awake","display_name":"Keep awake","version":"1.0.0","description":"Busy while a file exists"}'
        ;;
    *'"method":"Configure"'*)
        configured=$(printf '%s' "$line" | sed -n 's/.*"file": *"\([^"\\]*\)".*/\1/p')
        [ -n "$configured" ] && file=$configured
        answer '{"success":true}'
        ;;
    *'"method":"CheckIdle"'*)
        if [ -e "$file" ] || [ -L "$file" ]; then
            answer '{"is_idle":false,"reason":"somebody asked to keep this machine awake"}'
        elif is_absent "$file"; then
            answer '{"is_idle":true,"reason":"nobody asked to keep this machine awake"}'
        else
            answer '{"error":"nobody can see whether the file is there: a folder on its way is closed"}'
        fi
        ;;
    *)
        answer '{"error":"Unknown method"}'
        ;;
    esac
done
