// Package term holds what all verbs of the command line share: the streams they write to,
// errors with hints and exit codes, flags with bounds, tables, colours, sizes and output
// formats. It knows nothing about versions.
package term

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
)

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

// Confirm asks the user a question, whose answer is y for yes or anything else for no. Ask must be true.
// The error is that of ctx.
func (s Streams) Confirm(ctx context.Context, question string) (bool, error) {
	fmt.Fprintf(s.Err, "%s [y/N] ", question)
	line := make(chan string, 1)
	go func() { // reading from a terminal cannot be interrupted
		text, _ := bufio.NewReader(s.In).ReadString('\n')
		line <- text
	}()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case text := <-line:
		reply := strings.ToLower(strings.TrimSpace(text))
		return reply == "y" || reply == "yes", nil
	}
}

// Consent asks the question, and returns refused if the answer is not yes, with the hint where nobody
// can be asked.
func (s Streams) Consent(ctx context.Context, question string, refused error, hint string, args ...any) error {
	if !s.Ask {
		return WithHint(refused, hint, args...)
	}
	if yes, err := s.Confirm(ctx, question); err != nil || yes {
		return err
	}
	return refused
}
