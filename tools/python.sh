#!/usr/bin/env bash
# Prints the path of a Python that can import protobuf, getting one first where
# none is: through apt as root, else into .venv. What it does is said on standard
# error; it fails when there is none to be had.
set -euo pipefail
cd "$(dirname "$0")/.."

works() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import google.protobuf' >/dev/null 2>&1; }

find_python() {
	local python
	for python in "${KRT_PYTHON:-}" .venv/bin/python python3 /usr/bin/python3; do
		if [[ -n $python ]] && works "$python"; then
			python=$(command -v "$python")
			[[ $python == /* ]] || python=$PWD/$python
			echo "$python"
			return 0
		fi
	done
	return 1
}

say() { echo "$*" >&2; }

with_apt() {
	[[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 1
	say "Installing python3-protobuf with apt (Python nodes need it)"
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-protobuf; } >&2
}

with_venv() {
	command -v python3 >/dev/null || { say "There is no python3 here: install it to run Python nodes."; return 1; }
	say "Installing protobuf into .venv with pip (Python nodes need it)"
	{ python3 -m venv .venv && .venv/bin/python -m pip install -q protobuf; } >&2
}

find_python && exit
with_apt || say "Not through apt: that needs root on Debian or Ubuntu."
find_python && exit
with_venv || say "No virtual environment with protobuf could be made."
find_python
