#!/bin/sh
# Creates a random password in the file `password` of each folder, unless there is one.
set -eu
for folder; do
    file=$folder/password
    if [ ! -s "$file" ]; then
        head -c 24 /dev/urandom | base64 | tr -d '\n' >"$file.new"
        # The folder is mounted only where the password is used; the container's user must be able to read it.
        chmod 0444 "$file.new"
        mv "$file.new" "$file"
    fi
done
