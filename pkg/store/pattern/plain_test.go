package pattern_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store/pattern"
)

func TestIsPlain(t *testing.T) {
	for text, want := range map[string]bool{
		"^abc$": true, "a.*b": true, "(?i)x[0-9]+y?": true, "cat|dog": true,
		"(a+)+b": false, "(a|a)*b": false, "(a|ab)(c|bc)(d|cd)": false, "a?a?a?aaa": false, "(ab){1,30}c": false, ".*.*.*x": false,
	} {
		require.Equal(t, want, pattern.IsPlain(regexp.MustCompile(text)), text)
	}
}
