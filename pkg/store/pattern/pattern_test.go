package pattern_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store/pattern"
)

func TestWrite(t *testing.T) {
	for text, want := range map[string]struct{ postgres, perl string }{
		"^abc":          {"^abc", "^abc"},
		"a|b+":          {"a|(?:b)+", "a|(?:b)+"},
		`x\.y$`:         {`x\u002Ey$`, `x\x{2E}y\z`},
		"(?i)k":         {`[K` + `k\u212A]`, `[Kk\x{212A}]`},
		"(?s)a.b":       {"a.b", "a(?s:.)b"},
		"a.b":           {`a[^\n]b`, `a[^\n]b`},
		"[^a]":          {`[^a]`, `[^a]`},
		`\x{1F600}{2}`:  {`(?:\U0001F600){2,2}`, `(?:\x{1F600}){2,2}`},
		"(?m)^a$":       {`(?:^|(?<=\n))a(?:$|(?=\n))`, "(?m:^)a(?m:$)"},
		"(a(?P<n>b)?)*": {"(?:(?:a(?:b)?))*", "(?:(?:a(?:b)?))*"},
	} {
		re := regexp.MustCompile(text)
		got, ok := pattern.Postgres().Write(re)
		require.True(t, ok, text)
		require.Equal(t, want.postgres, got, text)
		got, ok = pattern.Perl().Write(re)
		require.True(t, ok, text)
		require.Equal(t, want.perl, got, text)
	}
}

// What a language does not have is left to Go.
func TestNotThere(t *testing.T) {
	_, ok := pattern.Postgres().Write(regexp.MustCompile("a{500}"))
	require.False(t, ok)
	_, ok = pattern.Perl().Write(regexp.MustCompile("a(^)*"))
	require.False(t, ok)
}

// FuzzPerl: that language is near enough to Go's to be read by it, and then matches the same.
// Go shows 0 execs/s while it minimizes an input that it keeps: -fuzzminimizetime 1x avoids that.
func FuzzPerl(f *testing.F) {
	for _, seed := range [][2]string{
		{`^a\b.*[[:^alpha:]]$`, "a b\n1"}, {`(?ims)^\s?A.(b|)$`, "x\na\n\nb"}, {`[^\x00-\x{10FFFF}]|\W`, "\u212a"}, {`\Qa.b\E{0,3}?`, "a.b"},
		{`(?U)x*y+(?:z{2,}|[^\n])`, "xyzz"}, {`\pL+\PN`, "é1"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, subject string) {
		re, err := regexp.Compile(text)
		if err != nil {
			return
		}
		written, ok := pattern.Perl().Write(re)
		if !ok {
			return
		}
		again, err := regexp.Compile(written)
		if err != nil {
			return // larger than Go allows
		}
		require.Equal(t, re.MatchString(subject), again.MatchString(subject), "%s became %s", text, written)
	})
}
