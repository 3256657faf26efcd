package monitoring_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/monitoring"
	"krt.dev/kn-krt/pkg/monitoring/export"
)

// config is that of the collector: as the page and config/monitoring have it, but for the
// addresses and the pace.
const config = `global: {scrape_interval: 200ms, evaluation_interval: 200ms}
rule_files: [rules.yml]
scrape_configs:
- job_name: krt-entrypoints
  static_configs: [{targets: ['%s'], labels: {namespace: test, version: my-version}}]
- job_name: krt-controller
  honor_labels: true
  static_configs: [{targets: ['%s']}]
`

// collector starts a real Prometheus and returns its URL.
func collector(t *testing.T, entrypoint, controller string) string {
	t.Helper()
	program, folder := tool(t, "prometheus"), t.TempDir()
	rules, err := yaml.Marshal(export.Rules())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "rules.yml"), rules, 0o600))
	text := fmt.Sprintf(config, entrypoint, controller)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "prometheus.yml"), []byte(text), 0o600))

	l := listen(t)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	log, err := os.Create(filepath.Join(folder, "log"))
	require.NoError(t, err)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "--config.file="+filepath.Join(folder, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := child.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Stop(nil, 10*time.Second, nil)
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("Prometheus printed:\n%s", text)
		}
		require.NoError(t, log.Close())
	})
	return "http://" + address
}

// ask queries Prometheus and returns the values that are numbers.
func ask(t require.TestingT, at, query string) (values []string) {
	res, err := http.Get(at + "/api/v1/query?query=" + url.QueryEscape(query))
	require.NoError(t, err)
	defer res.Body.Close()
	var reply struct {
		Status, Error string
		Data          struct{ Result []struct{ Value [2]any } }
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&reply))
	require.Equal(t, "success", reply.Status, "%s: %s", query, reply.Error)
	for _, series := range reply.Data.Result {
		if text := fmt.Sprint(series.Value[1]); text != "NaN" {
			values = append(values, text)
		}
	}
	return values
}

// shown returns the queries of the page, and of a dashboard as its variables choose all.
func shown(t *testing.T) (queries []string) {
	t.Helper()
	for _, match := range regexp.MustCompile("(?s)```promql\n(.*?)\n```").FindAllStringSubmatch(docs(t), -1) {
		queries = append(queries, match[1])
	}
	require.Len(t, queries, len(monitoring.Queries()))
	file, err := os.ReadFile(folder + "dashboards/grafana.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	require.NoError(t, json.Unmarshal(file, &dashboard))
	variable := regexp.MustCompile(`\$(namespace|version)`)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			query := variable.ReplaceAllString(target.Expr, ".*")
			queries = append(queries, regexp.MustCompile(`\$__rate_interval`).ReplaceAllString(query, "5m"))
		}
	}
	require.Len(t, queries, 2*len(monitoring.Queries()))
	return queries
}

// After load of each kind, a real Prometheus has numbers for every query of the page and of
// the dashboards, and for the rules.
func TestEveryQueryHasAnAnswer(t *testing.T) {
	tool(t, "prometheus")
	v := serve(t)
	at := collector(t, v.reply, controller(t))
	queries := shown(t)
	for _, r := range monitoring.Recordings() {
		queries = append(queries, r.Name)
	}
	queries = append(queries, `ALERTS{alertname="KrtRequestErrors",alertstate="pending"}`)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		res, err := http.Get(at + "/-/ready")
		if assert.NoError(c, err) {
			assert.NoError(c, res.Body.Close())
			assert.Equal(c, http.StatusOK, res.StatusCode)
		}
	}, time.Minute, 100*time.Millisecond)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		v.load(c)
		for _, query := range queries {
			assert.NotEmpty(c, ask(c, at, query), query)
		}
	}, time.Minute, 500*time.Millisecond)
	for _, query := range queries {
		t.Log(query, ask(t, at, query))
	}
	require.Equal(t, []string{"1"}, ask(t, at, `krt_version_ready{version="my-version"}`))
	require.Empty(t, ask(t, at, `ALERTS{alertname!="KrtRequestErrors"}`))
}
