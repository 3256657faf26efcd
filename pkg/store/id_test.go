package store

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSurrogates(t *testing.T) {
	for text, want := range map[string]bool{
		`"a"`: false, `"\ud83d\ude00"`: false, `"\u00e9\\ud800"`: false, `"\\\\ud800"`: false, `"\n"`: false, `\`: false, `"\ud8"`: false,
		`"\ud800"`: true, `"\uDFFF"`: true, `"\ud83d\ud83d\ude00"`: true, `"\ude00\ud83d"`: true, `"\\\ud800x"`: true,
	} {
		require.Equal(t, want, hasSurrogate([]byte(text)), text)
	}
}

// FuzzSurrogates: a JSON text whose decoded form has no U+FFFD has no half of a pair.
func FuzzSurrogates(f *testing.F) {
	for _, text := range []string{`"\ud800"`, `"\ud83d\ude00"`, `"\\\\u"`, `"\u12"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var decoded string
		has := hasSurrogate([]byte(text))
		if json.Unmarshal([]byte(text), &decoded) != nil || !has {
			return
		}
		require.Contains(t, decoded, "\ufffd")
	})
}
