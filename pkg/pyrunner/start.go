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

// Start runs a Python node until the process gets SIGTERM or SIGINT, with settings from
// the environment, as [Run] does. Handler is the node's Python file, relative to the root
// of the bundle, unless KRT_HANDLER_PATH names another. If the node fails, Start prints
// why and exits with status 1.
//
// It is the whole program of a Python node's image that is built by ko: the bundle is
// its kodata, the base is an image with Python and protobuf.
func Start(handler string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	// A second signal ends the process without waiting for the calls in flight.
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
