package dashboard

import (
	"context"
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/dashboard/word"
)

// measured has a value of ten seconds ago for every query, but for those of a measurement.
type measured struct{ without string }

func (m measured) Series(_ context.Context, q source.MeasurementQuery) ([]source.Series, error) {
	if q.Name == m.without {
		return nil, errors.New("the store does not respond " + hostile)
	}
	tags := map[string]string{}
	for _, tag := range q.By {
		tags[tag] = "Queens" + hostile
	}
	at := q.To.Add(-10 * time.Second).Truncate(q.Step)
	return []source.Series{{Tags: tags, Points: []source.Point{{Time: at, Value: 42.5}}}}, nil
}

const bundledAt = "/ns/team/versions/prices-v1/dashboards"

// bundled returns what reads pages of a dashboard of a version with these files.
func bundled(t *testing.T, texts map[string]string, m source.Measurements) func(path string) (int, string) {
	t.Helper()
	memory := sourcetest.New(example("prices-v1", source.Ready))
	memory.Measured = m
	if texts != nil {
		memory.Written = files(texts)
	}
	server := serve(t, memory)
	return func(path string) (int, string) { return get(t, server, bundledAt+path) }
}

func TestLength(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Hour: "1h", 90 * time.Minute: "1h30m", 3 * time.Minute: "3m", 90 * time.Second: "1m30s", -time.Hour: "-1h", 30 * time.Second: "30s",
	} {
		require.Equal(t, want, word.Length(d))
	}
}

// An offset that is not applied is said in the cell.
func TestOffsetOfACell(t *testing.T) {
	const text = `{"name": "Hotel", "cells": [{"w": 4, "h": 3, "name": "a", "type": "line", "queries": [{"query": "from(bucket: \"b\") ` +
		`|> range(start: -2h) |> filter(fn: (r) => r._measurement == \"m\" and r._field == \"f\") ` +
		`|> aggregateWindow(every: 1h, offset: 15m, fn: mean)"}]}]}`
	_, page := bundled(t, map[string]string{"metrics/dashboards/a.json": text}, measured{})("")
	require.Contains(t, page, "the last 2h, in intervals of 1h, without the query's offset of 15m: they begin at full ones")
}

func TestDashboardOfAnExample(t *testing.T) {
	text, err := os.ReadFile("../../functions/price-estimator/metrics/dashboards/prices.json")
	require.NoError(t, err)
	get := bundled(t, map[string]string{"metrics/dashboards/prices.json": string(text)}, measured{"node_elapsed_time"})
	status, page := get("?range=6h")
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{
		"<h1>Prices and times</h1>", `<figure id="cell-1" class="card cell x-0 w-3 h-2"`, `<span class="figure">42.5</span>`,
		`<figure id="cell-2" class="card cell x-3 w-9 h-4"`, "Mean price by borough", "in intervals of 3m", "Queens&#34;&gt;&lt;script&gt;",
		`data-plot="{`, `<td class="number">42.50</td>`, `6 hours</a>`, "uPlot.iife.min.js", "bundled.js",
		"the store does not respond", `href="/_krt/ns/team/versions/prices-v1/dashboards/file?name=metrics%2Fdashboards%2Fprices.json" download`,
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "It is not drawn")
	require.NotContains(t, page, "<script>alert")
}

func TestDashboardsThatAreNotDrawn(t *testing.T) {
	texts := map[string]string{
		"metrics/dashboards/a.json": `{"name": "First", "cells": [{"name": "` + "<b>" + `", "type": "line", "queries": [{"query": "DROP x"}]}]}`,
		"metrics/dashboards/b.JSON": `[]`, "metrics/dashboards/README.md": "x", "docs/README.md": "y",
	}
	get := bundled(t, texts, measured{})
	_, page := get("")
	require.Contains(t, page, "<h1>First</h1>")
	require.Contains(t, page, "It is not drawn: its query is not of the form SELECT")
	require.Contains(t, page, "&lt;b&gt;")
	require.Contains(t, page, `aria-current="page">a</a>`)
	require.NotContains(t, page, ">README")
	_, page = get("?file=metrics/dashboards/b.JSON")
	require.Contains(t, page, "metrics/dashboards/b.JSON is not shown: it is not a dashboard of Chronograf")
	for _, missing := range []string{"metrics/dashboards/c.json", "docs/README.md", "../krt.yml", "metrics/dashboards"} {
		status, _ := get("?file=" + missing)
		require.Equal(t, http.StatusNotFound, status, missing)
		status, _ = get("/file?name=" + missing)
		require.Equal(t, http.StatusNotFound, status, missing)
	}
	status, text := get("/file?name=metrics/dashboards/b.JSON")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "[]", text)

	_, page = bundled(t, texts, nil)("")
	require.Contains(t, page, "There is no store.")
	_, page = bundled(t, map[string]string{}, measured{})("")
	require.Contains(t, page, "The bundle has no files in metrics/dashboards.")
	_, page = bundled(t, nil, measured{})("")
	require.Contains(t, page, "There are no files.")
}
