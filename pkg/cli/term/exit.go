package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/legible"
)

// Exit codes of the program, named in the root command's help.
const (
	// ExitOK means success.
	ExitOK = 0
	// ExitFailed means that the verb failed, or that the version it checked is invalid.
	ExitFailed = 1
	// ExitUsage means that the command line itself is wrong; nothing was done.
	ExitUsage = 2
	// ExitNotFound means that there is no version, node or workflow of the given name.
	ExitNotFound = 3
	// ExitCluster means that the cluster cannot be reached or used: no kubeconfig, no
	// response, no permission, or kn-krt is not installed on it.
	ExitCluster = 4
	// ExitWait means that the change was recorded in the cluster, but waiting for its effect
	// failed or took too long.
	ExitWait = 5
	// ExitInterrupted means that a signal ended the verb before it was done
	// (128 + SIGINT, by the convention of shells).
	ExitInterrupted = 130
)

// failure is an error with what only the command line knows: the exit code, and a hint
// with the next command to type.
type failure struct {
	err  error
	code int
	hint string
	// printed is true if the verb has printed the error already.
	printed bool
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// Printed returns an error that ends the program with [ExitFailed] and is not printed,
// because the verb has printed it already.
func Printed(err error) error {
	return &failure{err: err, code: ExitFailed, printed: true}
}

// WithHint adds to err a line with what to do next.
func WithHint(err error, format string, args ...any) error {
	return FailAs(ExitFailed, err, format, args...)
}

// AlsoHint adds to err a hint before the one that it has, and keeps its exit code.
func AlsoHint(err error, format string, args ...any) error {
	code, hint := ExitFailed, fmt.Sprintf(format, args...)
	var f *failure
	if errors.As(err, &f) {
		code, hint = f.code, strings.TrimSuffix(hint+"\n"+f.hint, "\n")
	}
	return &failure{err: err, code: code, hint: hint}
}

// FailAs returns err with an exit code and a hint.
func FailAs(code int, err error, format string, args ...any) error {
	return &failure{err: err, code: code, hint: fmt.Sprintf(format, args...)}
}

// WithCode returns err with an exit code.
func WithCode(code int, err error) error { return &failure{err: err, code: code} }

// UsageError returns the error of a wrong command line of cmd.
func UsageError(cmd *cobra.Command, format string, args ...any) error {
	return FailAs(ExitUsage, fmt.Errorf(format, args...), "Run '%s --help' for usage.", cmd.CommandPath())
}

// Arguments turns the error of a check of the number of arguments into a usage error,
// which names what cmd.Use has.
func Arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err, may := check(cmd, args), expected(cmd.Use)
		switch {
		case err == nil:
			return nil
		case may == "":
			return UsageError(cmd, "%w", err)
		}
		return UsageError(cmd, "expected %s, got %s", may, legible.Count(len(args), "argument"))
	}
}

// expected is what may follow a verb of the given use: "WORKFLOW or VERSION WORKFLOW"
// for "invoke [VERSION] WORKFLOW".
func expected(use string) string {
	_, words, _ := strings.Cut(use, " ")
	words, _, _ = strings.Cut(words, " --")
	var short, long []string
	for _, word := range strings.Fields(words) {
		bare := strings.Trim(word, "[]")
		long = append(long, bare)
		if bare == word {
			short = append(short, word)
		}
	}
	few, many := strings.Join(short, " "), strings.Join(long, " ")
	switch few {
	case many:
		return many
	case "":
		return "at most " + many
	}
	return few + " or " + many
}

// Join returns the errors as one, with the first hint and exit code; nil if all are nil.
func Join(errs ...error) error {
	err := errors.Join(errs...)
	var first *failure
	if err != nil && errors.As(err, &first) {
		return &failure{err: err, code: first.code, hint: first.hint}
	}
	return err
}

// HintOf returns the hint of err, "" if it has none.
func HintOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.hint
	}
	return ""
}

// Exit prints err, if any, and returns the program's exit code. ctx is the context that a
// signal cancels.
func Exit(ctx context.Context, w io.Writer, err error) int {
	if err == nil {
		return ExitOK
	}
	f := &failure{err: err, code: ExitFailed}
	errors.As(err, &f)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		f = &failure{code: ExitInterrupted, hint: f.hint, printed: true}
		fmt.Fprintln(w, "Interrupted.")
	}
	if !f.printed {
		// The whole chain, not f alone: it may have been wrapped with context.
		fmt.Fprintf(w, "Error: %s\n", legible.Printable(err.Error()))
	}
	if f.hint != "" {
		fmt.Fprintln(w, legible.Printable(f.hint))
	}
	return f.code
}
