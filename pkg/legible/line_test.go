package legible

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrintableKeepsLinesAndTabs(t *testing.T) {
	require.Equal(t, "1\u00a0€ \u200d", Printable("1\u00a0€ \u200d"))
	require.Equal(t, "a\n\tb\\x1b]0;c\\a\\r", Printable("a\n\tb\x1b]0;c\a\r"))
}

func TestLine(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		most       int
	}{
		"plain":        {"no room: 'é'", "no room: 'é'", 100},
		"lines":        {"a\r\n\tb  c ", "a b c", 100},
		"long":         {"abcdef", "abc…", 3},
		"steers":       {"\x1b[2Ja\a\u202eb\u009b", `\x1b[2Ja\a\u202eb\u009b`, 100},
		"not UTF-8":    {"a\xffb", `a\ufffdb`, 100},
		"a bar, a dot": {"█·…", "█·…", 100},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, Line(c.text, c.most)) })
	}
}

func TestPrintableJSON(t *testing.T) {
	require.Equal(t, "{\r\n\t}", string(PrintableJSON([]byte("{\r\n\t}"))))
	require.Equal(t, `"\ufffd\u009b"`, string(PrintableJSON([]byte("\"\xff\u009b\""))))
}
