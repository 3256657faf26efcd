package process

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"
)

// Child plays one of roles if this process was started by [Start], and does not
// return then; otherwise it returns at once. A main or TestMain calls it first.
func Child(roles map[string]Role) {
	text := os.Getenv(environment)
	if text == "" {
		return
	}
	// What the role starts itself is not a child of this kind.
	_ = os.Unsetenv(environment)
	if err := play(text, roles); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func play(text string, roles map[string]Role) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("cannot read %s: %w", environment, err)
	}
	role := roles[o.Role]
	if role == nil {
		return fmt.Errorf("cannot play %q: unknown role", o.Role)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /usage", reportUsage)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	addresses, err := role(ctx, o.Settings, mux)
	if err != nil {
		return fmt.Errorf("cannot play %q: %w", o.Role, err)
	}
	listener, err := Listen(ctx)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	line, err := json.Marshal(greeting{listener.Addr().String(), addresses})
	if err != nil {
		return err
	}
	if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// Listen listens on a free loopback port.
func Listen(ctx context.Context) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
}
