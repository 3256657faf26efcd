package canary

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

var task = Task{Namespace: "prices", Published: "v1", Canary: "v2", Since: start}

func TestPlaceholdersOfAQuery(t *testing.T) {
	const query = `sum(rate(cost_total{namespace="$namespace",version=~"$published|$canary"}[$window])) + $other`
	require.Equal(t, `sum(rate(cost_total{namespace="prices",version=~"v1|v2"}[600s])) + $other`,
		resolve(query, task, lasted(task, start.Add(10*time.Minute))))
	require.Equal(t, "1s", lasted(task, start))
}

func TestResultsOfAQuery(t *testing.T) {
	const none, two = "the result has 0 values; it must have one", "the result has 2 values; it must have one"
	for text, want := range map[string]string{
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"0.25"]}]}}`: "",
		`{"status":"success","data":{"resultType":"scalar","result":[1,"0.25"]}}`:                                "",
		`{"status":"success","data":{"resultType":"vector","result":[]}}`:                                        none,
		`{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}`:     two,
		`{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"NaN"]}]}}`:                     "the result is not a number",
		`{"status":"success","data":{"resultType":"matrix","result":[]}}`:                                        "the result is not a number",
		`{"status":"success","data":{"resultType":"scalar","result":{}}}`:                                        "the result is not a number",
		`{"status":"error","error":"parse error"}`:                                                               "parse error",
		`<html>`: "the response is not that of a Prometheus",
	} {
		value, err := result(strings.NewReader(text))
		if want == "" {
			require.NoError(t, err, text)
			require.InDelta(t, 0.25, value, 0)
			continue
		}
		require.EqualError(t, err, want, text)
	}
}

// The reason has the query, but not how long the step has lasted, with which it would change. No redirect is followed.
func TestAQueryThatFails(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was redirected") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer server.Close()
	for url, want := range map[string]string{
		"":         "Prometheus: the cluster has none (setting prometheus-url); the query is: rate(up{namespace=\"prices\"}[$window])",
		server.URL: "Prometheus: the response is not that of a Prometheus; the query is: rate(up{namespace=\"prices\"}[$window])",
	} {
		m := Meter{Settings: func() (render.Settings, error) { return render.Settings{PrometheusURL: url}, nil }}
		out := Measurement{Queries: map[string]float64{}, Away: map[string]string{}}
		m.query(t.Context(), task, v1alpha1.QueryLimit{Name: "cost", Prometheus: `rate(up{namespace="$namespace"}[$window])`}, &out)
		require.Empty(t, out.Queries)
		require.Equal(t, want, out.Away["cost"])
	}
}

func TestAQueryHasItsTime(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := ask(ctx, (&Meter{}).client(""), server.URL, "up")
	require.ErrorIs(t, err, context.Canceled)
}

func FuzzResult(f *testing.F) {
	f.Add(`{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"0.25"]}]}}`)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = result(strings.NewReader(text)) })
}
