package collector

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Folder is config/monitoring and the others are pages of docs, as the packages see them that use
// this one: how to collect, every metric, the queries, and what to do about alerts.
const (
	Folder     = "../../config/monitoring/"
	Collecting = "../../docs/how-to/observability.md"
	Metrics    = "../../docs/reference/metrics.md"
	QueryPage  = "../../docs/reference/queries.md"
	Runbooks   = "../../docs/how-to/alerts.md"
)

// Docs returns the text of a page.
func Docs(t *testing.T, page string) string {
	t.Helper()
	file, err := os.ReadFile(page)
	require.NoError(t, err)
	return string(file)
}

// Discovery is how the configuration of the page finds pods. Debian's Prometheus is built
// without Kubernetes.
const Discovery = "kubernetes_sd_configs: [{role: pod}]"

// ScrapeConfigs returns the configuration of the page, with another discovery.
func ScrapeConfigs(t *testing.T, discovery string) string {
	t.Helper()
	const begin = "scrape_configs:"
	_, rest, found := strings.Cut(Docs(t, Collecting), "\n"+begin)
	require.True(t, found)
	config, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	require.Contains(t, config, Discovery)
	return begin + strings.ReplaceAll(config, Discovery, discovery)
}

// query is one as it is shown, and what in it chooses versions.
type query struct {
	text   string
	choice *regexp.Regexp
}

// of is the query with other matchers.
func (q query) of(matchers string) string { return q.choice.ReplaceAllString(q.text, matchers) }

// Marker is that of a query's block: test/docs leaves it to these tests.
const Marker = `promql checked="test/monitoring"`

// shown returns the queries of the page, and of a dashboard.
func shown(t *testing.T) (queries []query) {
	t.Helper()
	version := regexp.MustCompile(`version="my-version"`)
	block := regexp.MustCompile("(?s)```" + Marker + "\n(.*?)\n```")
	for _, match := range block.FindAllStringSubmatch(Docs(t, QueryPage), -1) {
		queries = append(queries, query{match[1], version})
	}
	file, err := os.ReadFile(Folder + "dashboards/grafana.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	require.NoError(t, json.Unmarshal(file, &dashboard))
	variables := regexp.MustCompile(`namespace=~"\$namespace",version=~"\$version"`)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, query{strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"), variables})
		}
	}
	return queries
}
