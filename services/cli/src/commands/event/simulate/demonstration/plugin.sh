#!/bin/sh
# Handles an interruption by saying so. It starts no other program, so it asks for no permission but to be told.

export LC_ALL=C

answer() { printf '{"result":%s,"id":%s}\n' "$1" "$id"; }

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
        answer '{"name":"demonstration-handler","version":"1.0.0","description":"Says that it was told"}'
        ;;
    '{"method":"GetSupportedEvents"'*)
        answer '{"events":["cloud.spot.interrupt"]}'
        ;;
    '{"method":"HandleEvent"'*)
        answer '{"handled":true,"succeeded":true,"message":"told in time; your own handler would drain and save here"}'
        ;;
    *)
        answer '{"error":"Unknown method"}'
        ;;
    esac
done
