#!/usr/bin/env bash
# usage: fetch-onnxruntime.sh FOLDER   puts libonnxruntime.so there, from the PyPI wheel
# Only the library is taken, so the wheel need not fit the Python at hand.
set -euo pipefail
version=1.31.1
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "fetching ONNX Runtime $version"
python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
    --python-version 3.12 --implementation cp --abi cp312 \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
    -d "$work" "onnxruntime==$version"
mkdir -p "$folder"
python3 - "$work" "$folder/libonnxruntime.so" "$version" <<'PY'
import glob, os, sys, zipfile
work, target, version = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(os.path.join(work, "*.whl"))[0])
library = wheel.read(f"onnxruntime/capi/libonnxruntime.so.{version}")
with open(target + ".part", "wb") as out:
    out.write(library)
os.replace(target + ".part", target)
PY
