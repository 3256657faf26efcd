package scale

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/process"
)

// The role of a child process: the controller alone, so that what it uses is its own.
const roleController = "controller"

func TestMain(m *testing.M) {
	process.Child(map[string]process.Role{roleController: playController})
	os.Exit(m.Run())
}

// apiserverOf is how a child reaches the apiserver, and as whom.
type apiserverOf struct {
	Host, Token, CAFile string
	As                  rest.ImpersonationConfig
}

func playController(ctx context.Context, raw json.RawMessage, mux *http.ServeMux) ([]string, error) {
	var at apiserverOf
	if err := json.Unmarshal(raw, &at); err != nil {
		return nil, err
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	config := &rest.Config{Host: at.Host, BearerToken: at.Token, TLSClientConfig: rest.TLSClientConfig{CAFile: at.CAFile}, Impersonate: at.As}
	o := options()
	o.MetricsAddr = "127.0.0.1:0"
	mgr, err := controller.New(config, o)
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{}))
	go func() {
		if err := mgr.Start(ctx); err != nil {
			panic(err)
		}
	}()
	return nil, nil
}

// child is a controller in a process of its own.
type child struct {
	*testing.T
	*process.Process
	begun time.Time
}

// startController starts one as a service account.
func (c *cluster) startController(as *rest.Config) *child {
	c.Helper()
	begun := time.Now()
	p, err := process.Start(c.Context(), roleController,
		apiserverOf{Host: as.Host, Token: as.BearerToken, CAFile: as.CAFile, As: as.Impersonate}, os.Stderr)
	require.NoError(c, err)
	c.Cleanup(func() { require.NoError(c, p.Stop()) })
	return &child{T: c.T, Process: p, begun: begun}
}

// counts are what the controller has counted.
type counts struct {
	looks, writes, reads, active float64
	requests                     map[string]float64 // by method
}

func (p *child) counts() counts {
	p.Helper()
	var text []byte
	require.NoError(p, p.Control(p.Context(), "/metrics", &text))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	require.NoError(p, err)
	found := counts{requests: map[string]float64{}}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			switch name {
			case "controller_runtime_reconcile_total":
				if labels["controller"] == "version" {
					found.looks += m.GetCounter().GetValue()
				}
			case "controller_runtime_active_workers", "workqueue_depth":
				found.active += m.GetGauge().GetValue()
			case "rest_client_requests_total":
				found.requests[labels["method"]] += m.GetCounter().GetValue()
			}
		}
	}
	for method, n := range found.requests {
		if method == http.MethodGet {
			found.reads += n
		} else {
			found.writes += n
		}
	}
	return found
}

// used is the processor time of the process since its start.
func (p *child) used() (total time.Duration) {
	p.Helper()
	all, err := p.CPU()
	require.NoError(p, err)
	for _, one := range all {
		total += one
	}
	return total
}

// report logs what the process holds and has used.
func (p *child) report(when string) (resident int64) {
	p.Helper()
	peak, err := p.Resident()
	require.NoError(p, err)
	usage, err := p.Usage(p.Context(), true)
	require.NoError(p, err)
	resident, err = p.Resident()
	require.NoError(p, err)
	n := p.counts()
	p.Logf("%s: %d MiB resident (%d MiB before its garbage was collected, %d MiB live on the heap), %d goroutines, %.1f CPU-seconds, "+
		"%.0f reconciles, %.0f writes, %.0f reads", when, resident>>20, peak>>20, usage.Heap>>20, usage.Goroutines, p.used().Seconds(),
		n.looks, n.writes, n.reads)
	p.profile(when)
	return peak
}

// profile keeps what is on the heap, for go tool pprof.
func (p *child) profile(when string) {
	p.Helper()
	if *profiles == "" {
		return
	}
	var heap []byte
	require.NoError(p, p.Control(p.Context(), "/debug/pprof/heap", &heap))
	require.NoError(p, os.WriteFile(filepath.Join(*profiles, strings.ReplaceAll(when, " ", "-")+".heap"), heap, 0o600))
}
