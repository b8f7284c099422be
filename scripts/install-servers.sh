#!/usr/bin/env bash
# usage: install-servers.sh   installs redis-server and mariadb-server where they are missing
# The tests start private instances of them. The packages' own services are not started.
set -euo pipefail
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=()
command -v redis-server > /dev/null || missing+=(redis-server)
command -v mariadbd > /dev/null || missing+=(mariadb-server)
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get > /dev/null; then
    echo "the tests need redis-server (7.0 or later) and mariadbd (10.11 or later) on the PATH, and" >&2
    echo "there is no apt-get here to install them: install by hand what is missing: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || { echo "run as root, or install sudo: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi

# 101: "do not start it". An administrator's own policy stays as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" > /dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
