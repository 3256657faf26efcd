// Command node is the Go nodes of the conformance version on a cluster: a runner
// with the conformance handler or, where the node is called "foreign", the node
// that is no runner.
package main

import (
	"cmp"
	"log/slog"
	"net/http"
	"os"
	"time"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance/node"
)

func main() {
	name, dir := os.Getenv("KRT_NODE_NAME"), os.TempDir()
	if name != "foreign" {
		runner.Start(nil, node.Handler(dir))
		return
	}
	foreign := &node.Foreign{
		Records: node.Records{Dir: dir, Node: name},
		Source:  event.Source(os.Getenv("KRT_RUNTIME_ID"), os.Getenv("KRT_VERSION"), name),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/", foreign)
	server := &http.Server{Addr: ":" + cmp.Or(os.Getenv("PORT"), "8080"), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if err := server.ListenAndServe(); err != nil {
		slog.Error("cannot serve", "error", err)
		os.Exit(1)
	}
}
