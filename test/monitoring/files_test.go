// Package monitoring_test holds the pages of docs about metrics and config/monitoring to the metrics
// that are there: names, files made from the tables, rules that promtool accepts, and
// queries that a real Prometheus answers.
package monitoring_test

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/controller/inventory"
	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/entrypoint/metrics"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/entrypoint/warm"
	"krt.dev/kn-krt/pkg/monitoring"
	"krt.dev/kn-krt/pkg/monitoring/export"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/queue/server"
	"krt.dev/kn-krt/pkg/store/service"
	"krt.dev/kn-krt/pkg/telemetry"
	"krt.dev/kn-krt/test/monitoring/collector"
)

var update = flag.Bool("update", false, "write config/monitoring and the queries of docs/reference/queries.md")

const (
	folder = collector.Folder
	page   = collector.QueryPage
)

func TestFilesAreThoseOfTheTable(t *testing.T) {
	files, err := export.Files()
	require.NoError(t, err)
	for name, text := range files {
		if *update {
			require.NoError(t, os.WriteFile(folder+name, text, 0o644))
		}
		file, err := os.ReadFile(folder + name)
		require.NoError(t, err)
		require.Equal(t, string(text), string(file), "stale: go test ./test/monitoring -update")
	}
	var found []string
	for _, pattern := range []string{"*.*", "*/*.*"} {
		names, err := filepath.Glob(folder + pattern)
		require.NoError(t, err)
		for _, name := range names {
			found = append(found, strings.TrimPrefix(name, folder))
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(files)), found)
}

func TestPageHasTheQueries(t *testing.T) {
	text := collector.Docs(t, page)
	const begin, end = "-update -->\n", "<!-- end -->"
	before, rest, found := strings.Cut(text, begin)
	require.True(t, found)
	_, after, found := strings.Cut(rest, end)
	require.True(t, found)
	var queries strings.Builder
	for _, q := range monitoring.Queries() {
		queries.WriteString("\n### " + q.Question + "\n\n" + q.About + "\n\n```" + collector.Marker + "\n" +
			q.Expr(`version="my-version"`, "5m") + "\n```\n")
	}
	wanted := before + begin + queries.String() + "\n" + end + after
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(wanted), 0o644))
	}
	require.Equal(t, wanted, collector.Docs(t, page), "stale: go test ./test/monitoring -update")
}

// names returns the names of our own metrics that a collector has.
func names(describe func(chan<- *prometheus.Desc)) (names []string) {
	to := make(chan *prometheus.Desc)
	go func() {
		describe(to)
		close(to)
	}()
	name := regexp.MustCompile(`fqName: "(krt_\w+)"`)
	for d := range to {
		if match := name.FindStringSubmatch(d.String()); match != nil {
			names = append(names, match[1])
		}
	}
	return names
}

// registered returns the names of our own metrics, of all programs, sorted.
func registered() []string {
	m := metrics.New()
	waker, _ := warm.New(nil, slog.Default()) // without URLs there is none that it could refuse
	m.Gauges(func() float64 { return 0 }, func() float64 { return 0 })
	all := append(names(m.Describe), names(inventory.New(nil).Describe)...)
	all = append(all, names(inventory.NewKnative(nil).Describe)...)
	all = append(all, names(telemetry.NewCounters().Describe)...)
	all = append(all, names(service.Describe)...)
	all = append(all, names(server.Describe)...)
	all = append(all, names(durable.Describe)...)
	all = append(all, names(mail.New(nil, slog.Default()).Describe)...)
	all = append(all, names(waker.Describe)...)
	all = append(all, names(traffic.New(traffic.Options{}).Describe)...)
	slices.Sort(all)
	return slices.Compact(all)
}

func TestPageNamesTheMetrics(t *testing.T) {

	var documented []string
	for line := range strings.Lines(collector.Docs(t, collector.Metrics)) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			for _, match := range regexp.MustCompile("`(krt_\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				documented = append(documented, match[1])
			}
		}
	}
	slices.Sort(documented)
	require.Equal(t, registered(), documented)
}

func TestQueriesUseMetricsThatAreThere(t *testing.T) {
	registered := registered()
	for _, q := range monitoring.Queries() {
		for _, name := range regexp.MustCompile(`krt_[a-z_]+`).FindAllString(q.Template, -1) {
			for _, suffix := range []string{"_bucket", "_count"} {
				name = strings.TrimSuffix(name, suffix)
			}
			require.Contains(t, registered, name, q.Title)
		}
	}
}

func TestEveryAlertHasItsRunbook(t *testing.T) {
	text := collector.Docs(t, collector.Runbooks)
	var headings []string
	for _, match := range regexp.MustCompile(`(?m)^### (Krt\w+)$`).FindAllStringSubmatch(text, -1) {
		headings = append(headings, match[1])
	}
	var alerts []string
	for _, a := range monitoring.Alerts() {
		alerts = append(alerts, a.Name)
	}
	require.Equal(t, alerts, headings)
	for _, r := range monitoring.Recordings() {
		require.Contains(t, text, "`"+r.Name+"`")
	}
}

// check runs promtool on a file with the given content.
func check(t *testing.T, what string, content []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.yml")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	out, err := exec.CommandContext(t.Context(), collector.Program(t, "promtool"), "check", what, file).CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestRulesAreValid(t *testing.T) {
	text, err := yaml.Marshal(export.Rules())
	require.NoError(t, err)
	check(t, "rules", text)
}

// alert is a test of the rules: how many alerts of a name are active after 15 minutes of series.
func alert(name string, series map[string]string, firing int) map[string]any {
	var input []any
	for of, values := range series {
		input = append(input, map[string]any{"series": of, "values": values})
	}
	return map[string]any{
		"interval": "1m", "input_series": input,
		"promql_expr_test": []any{map[string]any{
			"expr": fmt.Sprintf(`count(ALERTS{alertname=%q,alertstate="firing"}) or vector(0)`, name), "eval_time": "15m",
			"exp_samples": []any{map[string]any{"labels": "{}", "value": firing}},
		}},
	}
}

// testRules runs promtool on tests of the rules.
func testRules(t *testing.T, tests ...map[string]any) {
	t.Helper()
	promtool, folder := collector.Program(t, "promtool"), t.TempDir()
	rules, err := yaml.Marshal(export.Rules())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "rules.yml"), rules, 0o600))
	text, err := yaml.Marshal(map[string]any{"rule_files": []string{"rules.yml"}, "tests": tests})
	require.NoError(t, err)
	file := filepath.Join(folder, "test.yml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", file).CombinedOutput()
	require.NoError(t, err, string(out))
}

// Durable delivery counts what the store refuses for good in a metric of its own, beside the other one, which is 0.
func TestLettersThatAreLostAreReported(t *testing.T) {
	const labels = `{namespace="n",version="v",kind="dead"}`
	const dropped, refused = "krt_letters_dropped_total" + labels, "krt_queue_letters_refused_total" + labels
	testRules(t,
		alert("KrtLettersDropped", map[string]string{dropped: "0+0x20", refused: "0+0x20"}, 0),
		alert("KrtLettersDropped", map[string]string{dropped: "0+1x20"}, 1),
		alert("KrtLettersDropped", map[string]string{dropped: "0+0x20", refused: "0+1x20"}, 1),
	)
}

// KrtQueueNearlyFull fires before a version's queue refuses requests, however large it is, and not at three quarters
// of that: the rule knows how much the client of the queue leaves for events between steps.
func TestAQueueIsNearlyFullBeforeItRefuses(t *testing.T) {
	var tests []map[string]any
	for _, size := range []int64{1 << 20, 64 << 20, 256 << 20, 512 << 20, 8 << 30, 1 << 40} {
		c, err := client.Connect(queue.Settings{URL: "nats://127.0.0.1:1", MaxBytes: size}, client.Options{Namespace: "n", Version: "v"})
		require.NoError(t, err)
		most, reserve := c.Room()
		c.Close()
		for share, firing := range map[float64]int{0.75: 0, 0.95: 1} {
			tests = append(tests, alert("KrtQueueNearlyFull", map[string]string{
				"krt_queue_limit_bytes": fmt.Sprintf("%d+0x20", most+reserve),
				"krt_queue_bytes":       fmt.Sprintf("%d+0x20", int64(share*float64(most))),
			}, firing))
		}
	}
	testRules(t, tests...)
}

// As recording rules, so that promtool parses them.
func TestQueriesAreValid(t *testing.T) {
	var rules []any
	for _, q := range monitoring.Queries() {
		for _, matchers := range []string{"", `version="v"`} {
			rules = append(rules, map[string]any{
				"record": "r", "expr": q.Expr(matchers, "5m"), "labels": map[string]any{"title": q.Title, "of": matchers},
			})
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "queries", "rules": rules}}})
	require.NoError(t, err)
	check(t, "rules", text)
}

func TestTheConfigurationOfThePageIsValid(t *testing.T) {
	check(t, "config", []byte(collector.ScrapeConfigs(t, "static_configs: [{targets: []}]")))
}
