package krt_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

// A stranger's bundle writes neither to the terminal nor commands into the log of a CI.
func TestProblemsQuoteNamesThatAreNotPlain(t *testing.T) {
	for name, shown := range map[string]string{
		"models/a\n::error::x": `"models/a\n::error::x": `,
		"models/a\x1b[2J":      `"models/a\x1b[2J": `,
		"models/a\xff":         `"models/a\xff": `,
	} {
		files := goodBundle()
		files[name] = ""
		_, problems, _ := shipped(t, write(t, files))
		all := strings.Join(problems, "\n")
		require.Contains(t, all, shown)
		require.NotContains(t, all, name)
	}
	require.Equal(t, "ä b/日本.py:1:2: text", krt.Problem{File: "ä b/日本.py", Line: 1, Column: 2, Text: "text"}.String())
}
