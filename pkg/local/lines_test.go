package local

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for name, c := range map[string]struct {
		writes []string
		want   []string
	}{
		"one":                     {[]string{"a\n"}, []string{"a"}},
		"in pieces":               {[]string{"a", "b\nc", "d\n"}, []string{"ab", "cd"}},
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
			l := newLines(func(line string) { got = append(got, line) })
			for _, text := range c.writes {
				n, err := l.Write([]byte(text))
				require.NoError(t, err)
				require.Equal(t, len(text), n)
			}
			l.flush()
			require.Equal(t, c.want, got)
		})
	}
}

func TestTailKeepsTheLastLines(t *testing.T) {
	var last tail
	for i := range tailLines + 3 {
		last.add(strings.Repeat("i", i))
	}
	all := last.all()
	require.Len(t, all, tailLines)
	require.Equal(t, "iii", all[0])
	require.Equal(t, strings.Repeat("i", tailLines+2), all[tailLines-1])
}
