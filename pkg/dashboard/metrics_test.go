package dashboard

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

const metricsPath = statusPath + "/metrics"

// drawn is a chart of two values of each measure, of the workflow, its nodes and others.
func drawn() *source.Chart {
	c := &source.Chart{From: "the store", Notes: []string{"Failures are not shown."}, Times: []time.Time{time.Unix(100, 0), time.Unix(160, 0)}}
	for i, m := range []source.Measure{source.Requests, source.Errors, source.Median, source.Slowest} {
		for _, node := range []string{"", "etl", "model", "no-node"} {
			c.Lines = append(c.Lines, source.Line{Measure: m, Workflow: "predict", Node: node, Values: []float64{math.NaN(), float64(i + 1)}})
		}
		c.Lines = append(c.Lines, source.Line{Measure: m, Workflow: "older", Values: []float64{1, 1}})
	}
	for _, node := range []string{"etl", "2-etl"} {
		c.Lines = append(c.Lines, source.Line{Measure: source.Pods, Node: node, Values: []float64{1, 2}})
	}
	return c
}

// labels are the lines of each chart that the page's script gets.
func labels(t *testing.T, server *httptest.Server, query string) map[string][]string {
	t.Helper()
	status, text := get(t, server, metricsPath+"/data"+query)
	require.Equal(t, http.StatusOK, status, text)
	var data struct {
		From   string
		Times  []int64
		Charts []struct {
			ID    string
			Lines []struct {
				Label  string
				Values []*float64
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &data))
	require.Equal(t, "the store", data.From)
	require.Equal(t, []int64{100, 160}, data.Times)
	all := map[string][]string{}
	for _, c := range data.Charts {
		for _, l := range c.Lines {
			require.Len(t, l.Values, 2)
			all[c.ID] = append(all[c.ID], l.Label)
		}
	}
	return all
}

func TestChartsOfWorkflowsAndNodes(t *testing.T) {
	m := sourcetest.New(started())
	m.Drawn = drawn()
	server := serve(t, m)
	for query, want := range map[string][2][]string{
		"":                             {{"predict"}, {"etl"}},
		"?workflow=predict":            {{"etl", "model", "the workflow"}, {"etl"}},
		"?workflow=predict&node=model": {{"model"}, nil},
		"?workflow=older":              {nil, nil},
	} {
		got := labels(t, server, query)
		require.Equal(t, want[0], got["chart-requests"], query)
		require.Equal(t, want[0], got["chart-p95"], query)
		require.Equal(t, want[1], got["chart-pods"], query)
	}
}

func TestMetricsPageHasTablesWithoutAScript(t *testing.T) {
	m := sourcetest.New(started())
	m.Drawn = drawn()
	server := serve(t, m)
	_, page := get(t, server, metricsPath+"?range=6h&workflow=predict")
	for _, text := range []string{
		`<td class="number">4</td><td class="number">4</td><td class="number">4</td>`,
		`Last <span class="sub unit">/s</span>`, `Last <span class="sub unit">s</span>`, `<th scope="col" class="number">Last</th>`,
		`<a href="/_krt/ns/team/versions/a-1/metrics?range=24h&amp;workflow=predict">24 hours</a>`,
		`range=6h&amp;workflow=predict" aria-current="true"`, "From the store. Failures are not shown.",
		`data-from="/_krt/ns/team/versions/a-1/metrics/data?range=6h&amp;workflow=predict"`, "<option>model</option>",
	} {
		require.Contains(t, page, text)
	}
	_, page = get(t, server, metricsPath+"?range=nonsense")
	require.Contains(t, page, `range=1h" aria-current="true"`)

	m.Drawn = &source.Chart{From: "the store"}
	_, page = get(t, server, metricsPath)
	require.Contains(t, page, "There is nothing to show of this time")

	const next = "ask: kubectl auth can-i get secrets"
	m.Undrawn = &source.RefusedError{Refusal: source.Forbidden, Text: "You may not read " + hostile, Next: next}
	_, page = get(t, server, metricsPath)
	require.Contains(t, page, "You may not read")
	require.Contains(t, page, "<code>kubectl auth can-i get secrets</code>")
	require.NotContains(t, page, "<script>alert")
	m.Undrawn = errors.New("Prometheus does not respond")
	status, _ := get(t, server, metricsPath+"/data")
	require.Equal(t, http.StatusBadGateway, status)
}
