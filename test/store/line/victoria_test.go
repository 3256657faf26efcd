package line_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store/line"
	"krt.dev/kn-krt/test/store/server"
)

// exported returns the values of the series that match a selector, and their labels, of a
// VictoriaMetrics that first makes what it has received visible.
func exported(t *testing.T, s *server.Server, selector string) (values []float64, labels []map[string]string) {
	t.Helper()
	get := func(path string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Address+path, nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		return res
	}
	require.NoError(t, get("/internal/force_flush").Body.Close())
	res := get("/api/v1/export?" + url.Values{"match[]": {selector}}.Encode())
	defer func() { require.NoError(t, res.Body.Close()) }()
	for decoder := json.NewDecoder(res.Body); decoder.More(); {
		var series struct {
			Metric map[string]string
			Values []float64
		}
		require.NoError(t, decoder.Decode(&series))
		values, labels = append(values, series.Values...), append(labels, series.Metric)
	}
	return values, labels
}

// What docs/reference/databases.md says of VictoriaMetrics: numbers, booleans and tags are there, a string
// is 0, namespaces differ by the tag "runtime", which a node cannot set.
func TestVictoriaMetrics(t *testing.T) {
	victoria := server.Victoria(t)
	s, _ := open(t, victoria.URL+"/?db=krt", line.Options{Folder: t.TempDir()})
	at := time.Now().Unix()
	for _, runtime := range []string{"a", "b"} {
		save(t, s, runtime, measurement("types", at, map[string]any{"i": json.Number("12"), "f": json.Number("1.5"), "s": "text", "b": true},
			"with space", "a,b=c", "version", "v1", "runtime", "forged"))
	}
	ended(t, s)
	for field, want := range map[string]float64{"i": 12, "f": 1.5, "s": 0, "b": 1} {
		values, labels := exported(t, victoria, `types_`+field+`{runtime="a"}`)
		require.Equal(t, []float64{want}, values, field)
		require.Equal(t, []map[string]string{{
			"__name__": "types_" + field, "db": "krt", "runtime": "a", "version": "v1", "with space": "a,b=c",
		}}, labels)
	}
	_, labels := exported(t, victoria, `{__name__=~"types_.*", runtime="forged"}`)
	require.Empty(t, labels)
}

// Measurements that were accepted while VictoriaMetrics was away are there afterwards.
func TestVictoriaMetricsOutage(t *testing.T) {
	victoria := server.Victoria(t)
	s, _ := open(t, victoria.URL+"/?db=krt", line.Options{Folder: t.TempDir()})
	victoria.Kill()
	const n = 5000
	at := time.Now().Unix() - n
	for i := range n {
		save(t, s, "r", measurement("m", at+int64(i), map[string]any{"n": json.Number("1")}))
	}
	require.Eventually(t, func() bool { return s.Err() != nil }, patience, 10*time.Millisecond)
	victoria.Start(t)
	require.NoError(t, s.Close(context.WithoutCancel(t.Context())))
	require.Equal(t, line.Counts{Accepted: n, Written: n}, s.Counts(), fmt.Sprint(s.Err()))
	values, _ := exported(t, victoria, "m_n")
	require.Len(t, values, n)
}
