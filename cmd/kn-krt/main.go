// Command kn-krt runs versions of KRT V1. It is a program of its own, a plugin
// of kn (kn krt …) and, by the name kubectl-krt, one of kubectl.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"

	"krt.dev/kn-krt/pkg/cli"
	"krt.dev/kn-krt/pkg/cli/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; a second one ends the program.
	context.AfterFunc(ctx, stop)
	code := cli.Main(ctx, os.Args, term.Streams{
		In:  os.Stdin,
		Out: os.Stdout,
		Err: os.Stderr,
		TTY: isatty.IsTerminal(os.Stdout.Fd()) && os.Getenv("NO_COLOR") == "",
		Ask: isatty.IsTerminal(os.Stdin.Fd()) && isatty.IsTerminal(os.Stderr.Fd()),
	})
	os.Exit(code)
}
