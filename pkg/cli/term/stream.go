// Package term holds what all verbs of the command line share: the streams they write to,
// errors with hints and exit codes, flags with bounds, tables, colours, sizes and output
// formats. It knows nothing about versions.
package term

import "io"

// Streams are a command's input and outputs.
type Streams struct {
	// In is read by verbs that take "-" for a file.
	In io.Reader
	// Out is for results, Err for progress and errors.
	Out, Err io.Writer
	// TTY is true if Out is a terminal that may show colours.
	TTY bool
	// Ask is true if In and Err are a terminal, whose user can be asked.
	Ask bool
}
