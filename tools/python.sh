#!/usr/bin/env bash
# Prints the path of a Python that can import protobuf. If there is none, it installs
# protobuf: with apt as root, else into .venv. It reports what it does on standard
# error, and fails if there is no way to get one.
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

log() { echo "$*" >&2; }

with_apt() {
	[[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 1
	log "Installing python3-protobuf with apt (Python nodes need it)"
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-protobuf; } >&2
}

with_venv() {
	command -v python3 >/dev/null || { log "python3 is not installed: install it to run Python nodes."; return 1; }
	log "Installing protobuf into .venv with pip (Python nodes need it)"
	{ python3 -m venv .venv && .venv/bin/python -m pip install -q protobuf; } >&2
}

find_python && exit
with_apt || log "Cannot use apt: that needs root on Debian or Ubuntu."
find_python && exit
with_venv || log "Cannot create a virtual environment with protobuf."
find_python
