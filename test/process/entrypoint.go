package process

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing/fstest"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/telemetry"
)

// Message is the full name of the only message of the contract that [Entrypoint]
// serves: message Payload { bytes data = 1; }.
const Message = "bench.Payload"

// Method returns the path of the rpc of the i-th workflow.
func Method(i int) string { return fmt.Sprintf("/bench.Bench/Call%d", i) }

// EntrypointSettings are what an [Entrypoint] serves.
type EntrypointSettings struct {
	// Workflows are the URLs of each workflow's steps. The rpc of the i-th is
	// Method(i).
	Workflows [][]string
	// Streams makes all rpcs return a stream.
	Streams bool
	// Timeout bounds a request; 0 means the entrypoint's own default.
	Timeout time.Duration
	// Traces is the URL of the collector that traces are sent to, of the given share of
	// requests. Empty: none are recorded.
	Traces   string
	Sampling float64
	// Queue is the URL of the queue of durable delivery. Empty: delivery is direct.
	Queue string
	// Traffic is the folder with the file about a canary; see package traffic. Empty: there is none.
	Traffic string
}

// The order of an entrypoint's addresses.
const (
	GRPC = iota
	Web
	Reply
)

// Entrypoint is the role of the platform's own entrypoint, as it is, with
// direct delivery unless it has a queue.
func Entrypoint(ctx context.Context, raw json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var s EntrypointSettings
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	v, err := s.version(ctx)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	o := entrypoint.Options{Timeout: s.Timeout, Traffic: s.Traffic, Logger: log}
	if err := s.trace(&o); err != nil {
		return nil, err
	}
	if s.Queue != "" {
		o.Durable = &queue.Settings{URL: s.Queue}
		durable.Extend(v, &o)
	}
	e, err := entrypoint.New(v, o)
	if err != nil {
		return nil, err
	}
	var l entrypoint.Listeners
	addresses := make([]string, 3)
	for i, to := range []*net.Listener{GRPC: &l.GRPC, Web: &l.Web, Reply: &l.Reply} {
		if *to, err = Listen(ctx); err != nil {
			return nil, err
		}
		addresses[i] = (*to).Addr().String()
	}
	go func() {
		if err := e.Serve(ctx, l); err != nil {
			panic(err)
		}
	}()
	return addresses, nil
}

// trace makes the entrypoint of o record traces. The process is its own: so is its
// environment.
func (s *EntrypointSettings) trace(o *entrypoint.Options) error {
	if s.Traces == "" {
		return nil
	}
	for name, value := range map[string]string{
		telemetry.EnvEndpoint: s.Traces, telemetry.EnvSampler: "parentbased_traceidratio", telemetry.EnvSamplerArg: fmt.Sprint(s.Sampling),
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	r, err := telemetry.FromEnvironment(telemetry.Process{Namespace: "local"}, o.Logger)
	if err != nil {
		return err
	}
	r.AddTo(o)
	return nil
}

// version is a version with an rpc for each workflow.
func (s *EntrypointSettings) version(ctx context.Context) (entrypoint.Version, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "syntax = \"proto3\";\npackage bench;\nmessage Payload { bytes data = 1; }\nservice Bench {\n")
	returns := "Payload"
	if s.Streams {
		returns = "stream Payload"
	}
	for i := range s.Workflows {
		fmt.Fprintf(&text, "rpc Call%d(Payload) returns (%s);\n", i, returns)
	}
	text.WriteString("}\n")
	compiled, err := schema.Compile(ctx, fstest.MapFS{"bench.proto": {Data: []byte(text.String())}}, "bench.proto", schema.Options{})
	if err != nil {
		return entrypoint.Version{}, err
	}
	v := entrypoint.Version{Namespace: "local", Name: "bench-v1", Schema: compiled}
	for i, urls := range s.Workflows {
		w := entrypoint.Workflow{Name: fmt.Sprintf("flow-%d", i)}
		if w.Method, err = compiled.Method(fmt.Sprintf("Call%d", i)); err != nil {
			return v, err
		}
		for n, url := range urls {
			w.Steps = append(w.Steps, entrypoint.Step{Node: fmt.Sprintf("node-%d", n), URL: url})
		}
		v.Workflows = append(v.Workflows, w)
	}
	return v, nil
}
