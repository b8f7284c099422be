#!/usr/bin/env bash
# usage: fetch-mysql.sh FOLDER   makes FOLDER/mysqld, a MySQL server that runs without installation
# Debian has MySQL in sid only, whose C library is newer than that of most systems: the server comes
# with the loader and the libraries that it was built for, all in FOLDER/root. Nothing is installed.
# DEBIAN_MIRROR is where the packages come from, http://deb.debian.org/debian by default.
set -euo pipefail

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: fetch-mysql.sh FOLDER"
folder=${1%/}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
mirror=${mirror%/}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$folder/ready" ] && exit 0

[ "$(uname -sm)" = "Linux x86_64" ] ||
    fail "fetch-mysql.sh takes Debian's packages for Linux on x86-64, and this is $(uname -sm)"
missing=()
for need in curl:curl dpkg-deb:dpkg gpgv:gpgv python3:python3 xz:xz-utils; do
    command -v "${need%%:*}" > /dev/null || missing+=("${need#*:}")
done
[ -e "$keyring" ] || missing+=(debian-archive-keyring)
[ ${#missing[@]} -eq 0 ] ||
    fail "to fetch MySQL, install these packages first: ${missing[*]}" \
        "(as root: apt-get install ${missing[*]})"
if [ -d "$folder" ] && ! rmdir "$folder" 2> /dev/null || [ -e "$folder" ]; then
    fail "$folder exists, and fetch-mysql.sh did not make it: remove it, or name another folder"
fi

mkdir -p "$(dirname "$folder")"
draft=$(mktemp -d "$folder.XXXXXX")
work=$(mktemp -d)
trap 'rm -rf "$work" "$draft"' EXIT
chmod 755 "$draft"

fetch() { # fetch PATH FILE [SHA256]
    curl -fsSL --retry 3 --connect-timeout 30 -o "$2" "$mirror/$1" ||
        fail "$mirror/$1 cannot be fetched: try again later, or set DEBIAN_MIRROR to another mirror"
    [ $# -lt 3 ] || echo "$3  $2" | sha256sum --check --status ||
        fail "$mirror/$1 is not what Debian signed:" \
            "try again later, or set DEBIAN_MIRROR to another mirror"
}

echo "fetching MySQL from Debian sid"
# One good signature is enough: sid is signed with several keys, of which a keyring may lack one.
# Valid-Until is not looked at: a mirror that lags behind is good enough for tests.
fetch dists/sid/InRelease "$work/InRelease"
gpgv --status-fd 1 --keyring "$keyring" --output "$work/Release" "$work/InRelease" \
    > "$work/status" 2> "$work/errors" || true
if ! grep -q '^\[GNUPG:\] GOODSIG ' "$work/status" || grep -q '^\[GNUPG:\] BADSIG ' "$work/status"
then
    cat "$work/errors" >&2
    fail "the signature of $mirror/dists/sid/InRelease cannot be verified with $keyring:" \
        "update the package debian-archive-keyring, or set DEBIAN_MIRROR to another mirror"
fi
index=$(awk '/^[^ ]/ { sums = $1 == "SHA256:" }
    sums && $3 == "main/binary-amd64/Packages.xz" { print $1 }' "$work/Release")
[ -n "$index" ] || fail "$mirror/dists/sid/InRelease names no main/binary-amd64/Packages.xz"
fetch "dists/sid/main/binary-amd64/by-hash/SHA256/$index" "$work/Packages.xz" "$index"
xz -d "$work/Packages.xz"

# The server and the libraries that it depends on: NAME SHA256 PATH, one a line.
python3 - "$work/Packages" > "$work/wanted" <<'PY'
import re, sys

# What only plugins, scripts and other programs need: mysqld itself loads none of it.
SKIP = {"gcc-16-base", "libc-gconv-modules-extra", "libcurl4t64", "libfido2-1", "libmecab2",
        "libprotobuf32t64", "libtirpc3t64", "openssl-provider-legacy", "perl"}

packages = {}
with open(sys.argv[1], encoding="utf-8") as index:
    for paragraph in index.read().split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.MULTILINE))
        if fields:
            packages[fields["Package"]] = fields

wanted, queue = {}, ["mysql-server-core"]
while queue:
    name = queue.pop()
    if name in wanted or name in SKIP:
        continue
    if name not in packages:
        sys.exit(f"Debian sid has no package {name} at present: try again later")
    fields = wanted[name] = packages[name]
    for field in ("Pre-Depends", "Depends"):
        for choice in filter(None, fields.get(field, "").split(",")):
            # The first of `a (>= 1) | b` is what Debian builds with.
            queue.append(re.match(r"\s*([a-z0-9+.-]+)", choice)[1])
for name, fields in wanted.items():
    print(name, fields["SHA256"], fields["Filename"])
PY

while read -r name sum path; do
    fetch "$path" "$work/$name.deb" "$sum"
    dpkg-deb -x "$work/$name.deb" "$draft/root"
    rm "$work/$name.deb"
done < "$work/wanted"
rm -rf "$draft"/root/usr/{bin,share/doc,share/lintian,share/locale,share/man}

# Tests kill the server by its process id: it must be that of mysqld itself, hence `exec`. Our own
# options come last, since `--no-defaults` is understood only as the first. They name what Debian
# would have installed: the last one is a folder whose absence would keep the server from starting.
cat > "$draft/mysqld" <<'SH'
#!/bin/sh
# MySQL's server with its own loader and libraries. Written by fetch-mysql.sh.
root=$(dirname "$(readlink -f "$0")")/root
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --inhibit-cache \
    --library-path "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" \
    "$root/usr/sbin/mysqld" "$@" --basedir="$root/usr" \
    --lc-messages-dir="$root/usr/share/mysql" \
    --character-sets-dir="$root/usr/share/mysql/charsets" \
    --plugin-dir="$root/usr/lib/mysql/plugin" --secure-file-priv=NULL
SH
chmod 755 "$draft/mysqld"

# The list above may age as sid moves on: every library must be found, and be found here.
root=$(cd "$draft/root" && pwd -P)
"$root/usr/lib64/ld-linux-x86-64.so.2" --inhibit-cache \
    --library-path "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" \
    --list "$root/usr/sbin/mysqld" > "$work/libraries" 2>&1 || true
if strays=$(grep -v -e "$root/" -e linux-vdso "$work/libraries"); then
    fail "mysqld needs libraries that fetch-mysql.sh did not fetch (see SKIP there):" "$strays"
fi
"$draft/mysqld" --no-defaults --version > "$work/version" 2>&1 ||
    fail "the mysqld of Debian sid does not run here:" "$(cat "$work/version")"

cut -d ' ' -f 1,3 "$work/wanted" > "$draft/ready"
# Another run may have been first.
mv -T "$draft" "$folder" 2> /dev/null || [ -e "$folder/ready" ] ||
    fail "$folder cannot be made: remove what is there, or name another folder"
