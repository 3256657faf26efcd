package panel

import (
	"regexp"
	"strings"
)

// Advice is what to do next: a text, and the command at its end, if there is one.
type Advice struct{ Text, Command string }

// commandAtEnd finds a command of ours, kubectl's or docker's, which ends a text.
var commandAtEnd = regexp.MustCompile(`(^|: )((?:kn krt|kn-krt|kubectl|ko|docker) [^\n;]+)$`)

// NewAdvice finds the command in a text such as "see its log: kn krt logs a --node b".
func NewAdvice(next string) Advice {
	at := commandAtEnd.FindStringSubmatchIndex(next)
	if at == nil {
		return Advice{Text: next}
	}
	return Advice{Text: strings.TrimSpace(next[:at[4]]), Command: next[at[4]:at[5]]}
}
