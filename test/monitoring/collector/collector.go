// Package collector runs a real Prometheus in tests, with the rules of config/monitoring, and
// asks it the queries of docs and dashboards.
package collector

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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/monitoring"
	"krt.dev/kn-krt/pkg/monitoring/export"
	"krt.dev/kn-krt/test/freeport"
)

// patience is how long Prometheus may take to start.
const patience = 3 * time.Minute

// Program returns the path of a program of Debian's package prometheus. Without it the test is
// skipped.
func Program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian: apt-get install --no-install-recommends prometheus)", name)
	}
	return path
}

// Prometheus is one that runs until the end of the test.
type Prometheus struct {
	t   *testing.T
	url string
}

// Start starts Prometheus with the given scrape_configs in YAML. It scrapes, and evaluates the
// rules, at this pace.
func Start(t *testing.T, pace time.Duration, scrape string) *Prometheus {
	t.Helper()
	program, folder := Program(t, "prometheus"), t.TempDir()
	rules, err := yaml.Marshal(export.Rules())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "rules.yml"), rules, 0o600))
	const global = "global: {scrape_interval: %[1]s, scrape_timeout: %[1]s, evaluation_interval: %[1]s}\n"
	config := fmt.Sprintf(global+"rule_files: [rules.yml]\n%[2]s", pace, scrape)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "prometheus.yml"), []byte(config), 0o600))
	address, err := freeport.Address(t.Context(), "127.0.0.1")
	require.NoError(t, err)
	log, err := os.Create(filepath.Join(folder, "log"))
	require.NoError(t, err)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "--config.file="+filepath.Join(folder, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		process.Stop(syscall.SIGTERM, 10*time.Second, nil)
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("Prometheus printed:\n%s", text)
		}
		require.NoError(t, log.Close())
	})
	p := &Prometheus{t, "http://" + address}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		response, err := p.get("/-/ready")
		if assert.NoError(c, err) {
			assert.NoError(c, response.Body.Close())
			assert.Equal(c, http.StatusOK, response.StatusCode)
		}
	}, patience, 100*time.Millisecond)
	return p
}

// URL is its address.
func (p *Prometheus) URL() string { return p.url }

func (p *Prometheus) get(path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

// Values returns the values of a query that are numbers.
func (p *Prometheus) Values(query string) (values []string, err error) {
	response, err := p.get("/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var reply struct {
		Status, Error string
		Data          struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(response.Body).Decode(&reply); err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	if reply.Status != "success" {
		return nil, fmt.Errorf("%s: %s", query, reply.Error)
	}
	for _, series := range reply.Data.Result {
		if text := fmt.Sprint(series.Value[1]); text != "NaN" {
			values = append(values, text)
		}
	}
	return values, nil
}

// Empty returns an error for each of the queries that has no value.
func (p *Prometheus) Empty(queries []string) error {
	var errs []error
	for _, query := range queries {
		values, err := p.Values(query)
		if err == nil && len(values) == 0 {
			err = fmt.Errorf("no value: %s", query)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Queries returns the queries of the page and of a dashboard, and the names of recorded
// values, with these matchers in place of a version's name and of the variables.
func Queries(t *testing.T, matchers string) (queries []string) {
	t.Helper()
	for _, q := range shown(t) {
		queries = append(queries, q.of(matchers))
	}
	require.Len(t, queries, 2*len(monitoring.Queries()))
	for _, r := range monitoring.Recordings() {
		queries = append(queries, r.Name+"{"+matchers+"}")
	}
	return queries
}
