#!/usr/bin/env bash
# Tests Go modules, then versions of functions/: tools/test.sh MODULE... -- FUNCTION...
# RACE is -race, or "" without a C compiler; KRT_PYTHON is a Python with protobuf, or "".
# A failure does not keep the rest from being tested: at the end it prints what has failed.
set -uo pipefail

failed=()
trap 'exit 130' INT # go test ends of it with 1, as of a failure

# Runs a command in a folder; what it tests is named $1.
tested() {
	local name=$1 folder=$2
	shift 2
	echo "Testing $name"
	(cd "$folder" && "$@") || failed+=("$name")
}

[[ -n ${RACE:-} ]] || echo "No C compiler found: testing without the race detector."
# In CI all run, also what Go's cache has the result of; make verify has vetted them.
run=(${CI:+-count=1 -vet=off} ${RACE:+"$RACE"})
# Twice as many packages at a time as CPUs, because tests wait for processes.
at_once=$((2 * $(getconf _NPROCESSORS_ONLN)))
while (($#)) && [[ $1 != -- ]]; do
	packages=(./...)
	# In CI the longest begin first, so that none is left to run alone. Output comes in this order: a person sees it sooner.
	[[ -z ${CI:-} || $1 != . ]] || packages=(./test/conformance ./test/... ./...)
	tested "the Go module in $1" "$1" env ${RACE:+CGO_ENABLED=1} go test -timeout 45m -p "$at_once" "${run[@]}" "${packages[@]}"
	shift
done
shift
# A flood of logs takes a minute with the race detector, so it is left out there.
[[ -z ${RACE:-} ]] || tested "a flood of logs in ./test/browser" . go test ${CI:+-count=1} -run TestAFloodOfLogs ./test/browser
for function in "$@"; do
	if [[ -z ${KRT_PYTHON:-} ]] && grep -q '\.py' "$function/krt.yml"; then
		echo "Leaving out $function: it needs Python"
	else
		tested "$function" . bin/kn-krt test "$function"
	fi
done
if ((${#failed[@]})); then
	echo "Failed:"
	printf '  %s\n' "${failed[@]}"
	exit 1
fi
