#!/usr/bin/env bash
# Regenerates from pkg/apis: the deepcopy functions and the CRDs in config/.
# With --check it changes nothing, and fails if something is stale.
set -euo pipefail
cd "$(dirname "$0")/.."

apis=pkg/apis/krt/v1alpha1
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

bin/controller-gen object crd paths=./$apis output:object:dir="$new" output:crd:dir="$new"

stale=0
# put NEW OLD
put() {
	cmp -s "$new/$1" "$2" && return
	if [[ ${check:-} ]]; then
		echo "$2 is stale: run make generate" >&2
		stale=1
	else
		cp "$new/$1" "$2"
		echo "wrote $2"
	fi
}
[[ ${1:-} == --check ]] && check=1
put zz_generated.deepcopy.go $apis/zz_generated.deepcopy.go
for kind in runtimes versions; do
	put krt.dev_$kind.yaml config/300-$kind.yaml
done
exit $stale
