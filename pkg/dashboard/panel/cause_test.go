package panel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestCause(t *testing.T) {
	for text, want := range map[string]Cause{
		"":                    {Next: "wait"},
		"its pod is starting": {Text: "its pod is starting", Next: "wait"},
		"it ended; its last output was:\n  File \"main.py\", line 57\n      def broken(:\n                 ^\n  SyntaxError\nA note": {
			"it ended; its last output was:", "File \"main.py\", line 57\n    def broken(:\n               ^\nSyntaxError\nA note", "wait", true,
		},
		"it does not build:\n# main\n  x.go:3: undefined\n": {"it does not build:", "# main\n  x.go:3: undefined", "wait", true},
	} {
		require.Equal(t, want, NewCause(source.Ready, text, "wait"))
	}
	require.Equal(t, Cause{Text: "out of memory", Failed: true}, NewCause(source.Failed, "out of memory", ""))
}
