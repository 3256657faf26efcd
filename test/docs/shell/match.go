package shell

import (
	"regexp"
	"strings"
)

// Matches reports whether the lines of pattern are in text, one after the other. In a line, … stands for
// any characters; as a line, for any lines. Spaces at the ends of lines do not count.
func Matches(text, pattern string) bool {
	var b strings.Builder
	b.WriteString(`(?m)^`)
	for line := range strings.Lines(strings.Trim(pattern, "\n") + "\n") {
		line = strings.TrimRight(line, " \t\n")
		if strings.TrimSpace(line) == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + `[ \t]*\n`)
	}
	return regexp.MustCompile(b.String()).MatchString(text + "\n")
}
