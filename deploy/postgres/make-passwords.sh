#!/bin/sh
# Which password does each folder hold? A random one in its file `password`, made once and kept.
set -eu
for folder; do
    file=$folder/password
    if [ ! -s "$file" ]; then
        head -c 24 /dev/urandom | base64 | tr -d '\n' >"$file.new"
        # The folder is mounted only where the password is used, by whatever user runs there.
        chmod 0444 "$file.new"
        mv "$file.new" "$file"
    fi
done
