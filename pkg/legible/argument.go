package legible

import "strings"

// Argument makes text one argument of a command that people copy into a POSIX shell.
func Argument(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
