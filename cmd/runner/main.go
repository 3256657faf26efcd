// Command runner runs a Python node of KRT V1: see package pyrunner for what it
// reads from its environment. It exits with status 1 if the node cannot be
// loaded or its Python process ends.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"krt.dev/kn-krt/pkg/pyrunner"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	// A second signal does not wait for the calls in flight.
	context.AfterFunc(ctx, stop)
	if err := pyrunner.Main(ctx, os.Getenv, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
