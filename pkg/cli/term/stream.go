// Package term is what all verbs of the command line share: the streams they
// write to, errors with hints and exit codes, flags with bounds, tables,
// colours, sizes and output formats. It knows nothing of versions.
package term

import "io"

// Streams are a command's input and outputs.
type Streams struct {
	// In is read by verbs that take "-" for a file.
	In io.Reader
	// Out takes results, Err takes progress and errors.
	Out, Err io.Writer
	// TTY says that Out is a terminal on which colour may be used.
	TTY bool
}
