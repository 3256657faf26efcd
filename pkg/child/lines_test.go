package child_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/child"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	for name, c := range map[string]struct {
		writes []string
		want   []string
	}{
		"one":                     {[]string{"a\n"}, []string{"a"}},
		"in parts":                {[]string{"a", "b\nc", "d\n"}, []string{"ab", "cd"}},
		"empty ones":              {[]string{"\n\na\n"}, []string{"", "", "a"}},
		"carriage return":         {[]string{"a\r\n"}, []string{"a"}},
		"no newline at the end":   {[]string{"a\nb"}, []string{"a", "b"}},
		"nothing":                 {[]string{""}, nil},
		"longest":                 {[]string{long + "\n"}, []string{long}},
		"too long":                {[]string{long, "y\nz\n"}, []string{long, "y", "z"}},
		"cut between characters":  {[]string{long[1:] + "é\n"}, []string{long[1:], "é"}},
		"not cut within bad text": {[]string{long[1:] + "\xff\xff\n"}, []string{long[1:] + "\xff", "\xff"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			l := &child.Lines{Each: func(line string) { got = append(got, line) }}
			for _, text := range c.writes {
				n, err := l.Write([]byte(text))
				require.NoError(t, err)
				require.Equal(t, len(text), n)
			}
			l.Flush()
			require.Equal(t, c.want, got)
		})
	}
}

func TestLinesThatAreDropped(t *testing.T) {
	for name, c := range map[string]struct {
		writes []string
		want   []string
	}{
		"longest":                {[]string{"abcd\n"}, []string{"abcd"}},
		"too long":               {[]string{"abcde", "fgh", "ijk\nx\n"}, []string{"abcd", "x"}},
		"at once":                {[]string{"abcdefghijklmnop\nx\n"}, []string{"abcd", "x"}},
		"no newline at the end":  {[]string{"abcdefghij"}, []string{"abcd"}},
		"cut between characters": {[]string{"abc", "\xc3", "\xa9\n"}, []string{"abc"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			l := &child.Lines{Most: 4, Drop: true, Each: func(line string) { got = append(got, line) }}
			for _, text := range c.writes {
				_, _ = l.Write([]byte(text))
			}
			l.Flush()
			require.Equal(t, c.want, got)
		})
	}
}
