// Command entrypoint serves one version: gRPC on 9000, web on 8080, replies of
// nodes on 8081, and on 127.0.0.1:8082 the last requests, for people.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/entrypoint/program"
	"krt.dev/kn-krt/pkg/telemetry"
)

func main() {
	config := flag.String("config", "/etc/krt", "folder with entrypoint.json and the protos")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := program.Main(ctx, *config, os.Getenv("POD_IP"), telemetry.Extend, durable.Extend); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
