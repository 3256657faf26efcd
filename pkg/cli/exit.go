package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// failure is an error with what only the command line knows of it: the exit
// code, and the next command to type.
type failure struct {
	err  error
	code int
	hint string
	// told says that the verb has printed what is wrong already.
	told bool
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// errInvalid is returned by verbs that have printed the problems themselves.
var errInvalid = errors.New("invalid version")

// told makes err end the program with [ExitFailed] and print nothing more.
func told(err error) error {
	return &failure{err: err, code: ExitFailed, told: true}
}

// withHint adds to err the line that says what to do next.
func withHint(err error, format string, args ...any) error {
	return &failure{err: err, code: ExitFailed, hint: fmt.Sprintf(format, args...)}
}

// usageError says that the command line of cmd is wrong.
func usageError(cmd *cobra.Command, format string, args ...any) error {
	return &failure{
		err:  fmt.Errorf(format, args...),
		code: ExitUsage,
		hint: fmt.Sprintf("Run '%s --help' for usage.", cmd.CommandPath()),
	}
}

// arguments makes the error of an argument check a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError(cmd, "%w", err)
		}
		return nil
	}
}

// exit prints err, if any, and returns the program's exit code.
func exit(ctx context.Context, w io.Writer, err error) int {
	if err == nil {
		return ExitOK
	}
	f := &failure{err: err, code: ExitFailed}
	errors.As(err, &f)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "Interrupted.")
		if f.hint != "" {
			fmt.Fprintln(w, f.hint)
		}
		return ExitInterrupted
	}
	if !f.told {
		// The whole chain, not f alone: whoever wrapped f said where.
		fmt.Fprintf(w, "Error: %v\n", err)
	}
	if f.hint != "" {
		fmt.Fprintln(w, f.hint)
	}
	return f.code
}
