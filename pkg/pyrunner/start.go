package pyrunner

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// Start runs a Python node until the process is told to stop by SIGTERM or
// SIGINT, with settings from the environment, as [Run] does. Handler is the
// node's Python file, relative to the bundle's root, where KRT_HANDLER_PATH does
// not name another. If the node cannot go on, Start prints why and exits with
// status 1.
//
// It is all that a program needs which ko builds into a Python node's image: the
// bundle is its kodata, the base an image with Python and protobuf.
func Start(handler string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	// A second signal does not wait for the calls in flight.
	context.AfterFunc(ctx, stop)
	env := func(name string) string {
		if name == environment.HandlerPath {
			return cmp.Or(os.Getenv(name), handler)
		}
		return os.Getenv(name)
	}
	if err := Main(ctx, env, os.Stderr); err != nil { //nolint:forbidigo // it stands for a main
		fmt.Fprintln(os.Stderr, err) //nolint:forbidigo // likewise
		os.Exit(1)
	}
}
