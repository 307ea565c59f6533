#!/bin/sh
# Votes busy while a file exists. It starts no other program, so it asks for no permission.

file=/run/keep-awake
# Bytes stay bytes, also where they are no text.
export LC_ALL=C

answer() { printf '{"result":%s,"id":%s}\n' "$1" "$id"; }

# Whether there surely is no such file: a folder on the way that is closed to us hides what is in it.
is_absent() {
    case $1 in */*) dir=${1%/*} ;; *) dir=. ;; esac
    until (cd "${dir:-/}") 2>/dev/null; do
        [ -e "$dir" ] && return 1
        case $dir in */*) dir=${dir%/*} ;; *) dir=. ;; esac
    done
}

while IFS= read -r line; do
    # The id is the last thing on a line; what has none that can be read is answered without one.
    case $line in
    '{'*'"id":'*'}') id=${line##*'"id":'} id=${id%\}} ;;
    *) id=null ;;
    esac
    case $id in
    '' | *[!0-9]*) id=null ;;
    esac
    case $line in
    '{"method":"Info"'*)
        answer '{"name":"{{name}}","version":"0.1.0","description":"Busy while a file exists"}'
        ;;
    '{"method":"Configure"'*)
        # The schema in plugin.json lets nothing through that this could not read.
        case $line in
        *'"file":"'*) configured=${line#*'"file":"'} file=${configured%%'"'*} ;;
        esac
        answer '{"success":true}'
        ;;
    '{"method":"CheckIdle"'*)
        if [ -e "$file" ] || [ -L "$file" ]; then
            answer '{"is_idle":false,"reason":"the file is there"}'
        elif is_absent "$file"; then
            answer '{"is_idle":true,"reason":"there is no file"}'
        else
            answer '{"error":"nobody can see whether the file is there: a folder on its way is closed"}'
        fi
        ;;
    *)
        answer '{"error":"Unknown method"}'
        ;;
    esac
done
