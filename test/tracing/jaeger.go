// Package tracing runs a real Jaeger and reads from it what became of requests: make
// test-tracing for a version on this machine, make e2e-long for one on the cluster.
package tracing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/test/freeport"
)

// patience is how long spans may be on their way: they are sent every few seconds.
const patience = 3 * time.Minute

// Jaeger is a server that takes spans by OTLP and keeps them until the test ends.
type Jaeger struct {
	// GRPC and HTTP are the URLs for spans, as OTEL_EXPORTER_OTLP_ENDPOINT has them.
	GRPC, HTTP string

	query string // URL
}

// Start starts the program that KRT_JAEGER names, on free ports of an address of this
// machine. Without it the test is skipped.
func Start(t *testing.T, address string) *Jaeger {
	t.Helper()
	program := os.Getenv("KRT_JAEGER")
	if program == "" {
		t.Skip("needs Jaeger: make test-tracing")
	}
	grpc, http, query := free(t, address), free(t, address), free(t, address)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "--memory.max-traces=100000",
		"--collector.otlp.grpc.host-port="+grpc, "--collector.otlp.http.host-port="+http, "--query.http-server.host-port="+query,
		// Nothing uses these, and there is no way to leave them out.
		"--collector.grpc-server.host-port="+free(t, address), "--collector.http-server.host-port="+free(t, address),
		"--query.grpc-server.host-port="+free(t, address), "--admin.http.host-port="+free(t, address))
	cmd.Env = append(os.Environ(), "OTEL_TRACES_SAMPLER=always_off") // of its own requests
	log, err := os.Create(filepath.Join(t.TempDir(), "jaeger.log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := child.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Stop(syscall.SIGTERM, 10*time.Second, nil)
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("Jaeger printed:\n%s", text[max(0, len(text)-10_000):])
		}
		require.NoError(t, log.Close())
	})
	j := &Jaeger{GRPC: "http://" + grpc, HTTP: "http://" + http, query: "http://" + query}
	eventually(t, func() error {
		_, err := j.Traces(t.Context(), "none")
		return err
	})
	return j
}

// free is host:port of a port that was free a moment ago: Jaeger does not report which it
// has chosen.
func free(t *testing.T, address string) string {
	t.Helper()
	found, err := freeport.Address(t.Context(), address)
	require.NoError(t, err)
	return found
}

// eventually calls f until it returns nil.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			require.NoError(t, err, "not within %s", patience)
		case <-tick.C:
		}
	}
}

// Trace returns the trace with that id (32 hexadecimal digits) once it is whole: check
// returns what is missing.
func (j *Jaeger) Trace(t *testing.T, id string, check func(Trace) error) (trace Trace) {
	t.Helper()
	eventually(t, func() error {
		traces, err := j.get(t.Context(), "/api/traces/"+id)
		if err != nil {
			return err
		}
		trace = traces[id]
		if err := check(trace); err != nil {
			return fmt.Errorf("%w:\n%s", err, trace)
		}
		return nil
	})
	return trace
}

// Traces returns all traces with spans of a service by their ids.
func (j *Jaeger) Traces(ctx context.Context, service string) (map[string]Trace, error) {
	return j.get(ctx, "/api/traces?limit=100000&lookback=1h&service="+url.QueryEscape(service))
}

// get reads traces; one that is not known is empty.
func (j *Jaeger) get(ctx context.Context, path string) (map[string]Trace, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.query+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body struct {
		Data   []json.RawMessage
		Errors []struct{ Msg string }
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, response.Status, err)
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound {
		return nil, fmt.Errorf("%s: %s: %v", path, response.Status, body.Errors)
	}
	all, errs := map[string]Trace{}, []error{}
	for _, text := range body.Data {
		id, trace, err := read(text)
		all[id] = trace
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}
