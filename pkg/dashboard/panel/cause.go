package panel

import (
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Cause is why something is as it is: a sentence, what a program has written if that is a part of it,
// and what to do next.
type Cause struct {
	Text, Output, Next string
	// Failed says that it is an error: programs are quoted only if they failed.
	Failed bool
}

// NewCause splits the cause of a state: lines after its first one are output. They are indented as one
// block, or not at all.
func NewCause(state source.State, cause, next string) Cause {
	text, output, several := strings.Cut(strings.TrimRight(cause, "\n"), "\n")
	c := Cause{Text: text, Next: next, Failed: state == source.Failed || several}
	const indent = "  "
	lines := strings.Split(output, "\n")
	if strings.HasPrefix(output, indent) {
		for i := range lines {
			lines[i] = strings.TrimPrefix(lines[i], indent)
		}
	}
	c.Output = strings.Join(lines, "\n")
	return c
}
