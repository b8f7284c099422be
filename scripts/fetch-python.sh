#!/usr/bin/env bash
# usage: fetch-python.sh FOLDER   makes a virtual environment there with the tests' clients
set -euo pipefail
folder=$1
here=$(cd "$(dirname "$0")" && pwd)
echo "installing the Python clients of the tests"
# Debian keeps what a virtual environment gets its pip from in another package: ours needs none.
python3 -m venv --without-pip "$folder"
python3 -m pip --python "$folder/bin/python" install -q --disable-pip-version-check \
    -r "$here/requirements.txt"
touch "$folder/ready"
