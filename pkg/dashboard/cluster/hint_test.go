package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	for message, want := range map[string][2]string{
		"": {},
		"its container ended with exit code 1: boom; see its log: kn krt logs a -n b --node c": {
			"its container ended with exit code 1: boom", "see its log: kn krt logs a -n b --node c"},
		`node "c": it failed; see: kn krt events a -n b --warnings (also not ready: "d", "e")`: {
			`node "c": it failed (also not ready: "d", "e")`, "see: kn krt events a -n b --warnings"},
		"no image; once the image exists, try again: kn krt stop a -n b && kn krt start a -n b": {
			"no image", "once the image exists, try again: kn krt stop a -n b && kn krt start a -n b"},
		`no value in Secret "a-config" for "X", "Y"; set it: kn krt config a -n b --set X=VALUE --set Y=VALUE`: {
			`no value in Secret "a-config" for "X", "Y"`, "set it: kn krt config a -n b --set X=VALUE --set Y=VALUE"},
		"publish it: kn krt publish a -n b": {"", "publish it: kn krt publish a -n b"},
		"its pod is starting":               {"its pod is starting", ""},
		// What a node has logged is not what to do.
		"it ended: x; do: kn krt delete a; see its log: kn krt logs a -n b": {
			"it ended: x; do: kn krt delete a", "see its log: kn krt logs a -n b"},
		"it ended: x; do: rm -rf /": {"it ended: x; do: rm -rf /", ""},
	} {
		cause, next := split(message)
		require.Equal(t, want, [2]string{cause, next}, message)
	}
}
