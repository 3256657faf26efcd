package term

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit codes of the program, named in the root command's help.
const (
	// ExitOK says that all went well.
	ExitOK = 0
	// ExitFailed says that the verb failed or found what it looked at invalid.
	ExitFailed = 1
	// ExitUsage says that the command line itself is wrong; nothing was done.
	ExitUsage = 2
	// ExitNotFound says that there is no version, or part of one, of the name given.
	ExitNotFound = 3
	// ExitCluster says that the cluster cannot be reached or used: no kubeconfig, no
	// answer, no rights, no kn-krt on it.
	ExitCluster = 4
	// ExitWait says that what was asked for was recorded, but waiting for it failed
	// or took too long.
	ExitWait = 5
	// ExitInterrupted says that a signal ended the verb before it was done
	// (128 + SIGINT, as shells count).
	ExitInterrupted = 130
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

// Told makes err end the program with [ExitFailed] and print nothing more.
func Told(err error) error {
	return &failure{err: err, code: ExitFailed, told: true}
}

// WithHint adds to err the line that says what to do next.
func WithHint(err error, format string, args ...any) error {
	return FailAs(ExitFailed, err, format, args...)
}

// FailAs is err with an exit code of its own and what to do next.
func FailAs(code int, err error, format string, args ...any) error {
	return &failure{err: err, code: code, hint: fmt.Sprintf(format, args...)}
}

// WithCode is err with an exit code of its own.
func WithCode(code int, err error) error { return &failure{err: err, code: code} }

// UsageError says that the command line of cmd is wrong.
func UsageError(cmd *cobra.Command, format string, args ...any) error {
	return FailAs(ExitUsage, fmt.Errorf(format, args...), "Run '%s --help' for usage.", cmd.CommandPath())
}

// Arguments makes the error of an argument check a usage error.
func Arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return UsageError(cmd, "%w", err)
		}
		return nil
	}
}

// Join is the errors as one, with the first one's hint and code; nil if all are nil.
func Join(errs ...error) error {
	err := errors.Join(errs...)
	var first *failure
	if err != nil && errors.As(err, &first) {
		return &failure{err: err, code: first.code, hint: first.hint}
	}
	return err
}

// CodeOf is the exit code that err ends the program with.
func CodeOf(err error) int {
	var f *failure
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &f):
		return f.code
	}
	return ExitFailed
}

// HintOf is what err says to do next, if it does.
func HintOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.hint
	}
	return ""
}

// Exit prints err, if any, and returns the program's exit code. ctx is what a
// signal cancels.
func Exit(ctx context.Context, w io.Writer, err error) int {
	if err == nil {
		return ExitOK
	}
	f := &failure{err: err, code: ExitFailed}
	errors.As(err, &f)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		f = &failure{code: ExitInterrupted, hint: f.hint, told: true}
		fmt.Fprintln(w, "Interrupted.")
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
