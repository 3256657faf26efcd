package clip_test

import (
	"strings"
	"testing"

	"krt.dev/kn-krt/pkg/runner/clip"
)

func TestText(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		most int
		want string
	}{
		"short":                     {"ab", 3, "ab"},
		"exact":                     {"abc", 3, "abc"},
		"long":                      {"abcd", 3, "abc…"},
		"between characters":        {"éé", 2, "é…"},
		"within a character":        {"aéé", 2, "a…"},
		"within a character of 4":   {"a😀b", 4, "a…"},
		"not UTF-8":                 {strings.Repeat("\x80", 9), 8, strings.Repeat("\x80", 8) + "…"},
		"no room for the character": {"😀😀", 2, "…"},
		"nothing":                   {"a", 0, "…"},
	} {
		if got := clip.Text(c.text, c.most); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
