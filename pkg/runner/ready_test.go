package runner_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"krt.dev/kn-krt/pkg/runner"
)

func TestWithoutInitTheFirstEventIsTaken(t *testing.T) {
	listener := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		result <- runner.Run(ctx, runner.Options{
			Getenv: func(string) string { return "" }, Listener: listener, Logger: slog.New(slog.DiscardHandler),
		}, nil, echo)
	}()
	a, err := post(t.Context(), "http://"+listener.Addr().String(), message("at once"))
	equal(t, "error", err, nil)
	equal(t, "status", a.status, http.StatusOK)
	cancel()
	equal(t, "result", <-result, nil)
}
