package postgres

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is compacted is what encoding/json makes of it, and no other document is touched.
func FuzzCompact(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a": 1, "b": [1, 2, "x, y: \"z\" \\"], "c d": {"e": null}}`, `{"a": "\\\\", "b": " \\\" "}`, `"`, `{"a": "` + "\\",
		`{"long": "` + strings.Repeat("x ", blockBytes) + `"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var all texts
		first := all.compact([]byte(`{"a": 1}`))
		compacted := all.compact(text)
		all.compact([]byte(`{"b": 2}`))
		require.Equal(t, `{"a":1}`, string(first))
		if !json.Valid(text) || bytes.ContainsAny(text, "\t\r\n") {
			return
		}
		var want bytes.Buffer
		require.NoError(t, json.Compact(&want, text))
		require.Equal(t, want.String(), string(compacted))
	})
}
