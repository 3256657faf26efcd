package promql

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// A real Prometheus has its test in test/monitoring.

func TestAddresses(t *testing.T) {
	for _, wrong := range []string{"", "prometheus:9090", "file:///etc/passwd", "http://", "://"} {
		_, err := New(wrong)
		require.Error(t, err, wrong)
	}
	var path, user string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		user, _, _ = r.BasicAuth()
		_, _ = io.WriteString(w, `{"status":"success","data":{"result":[]}}`)
	}))
	defer server.Close()
	c, err := New(strings.Replace(server.URL, "//", "//me:secret@", 1) + "/select/0/prometheus/")
	require.NoError(t, err)
	n, err := c.Numbers(t.Context(), source.Ref{Name: "a"})
	require.NoError(t, err)
	require.Nil(t, n)
	require.Equal(t, "/select/0/prometheus/api/v1/query", path)
	require.Equal(t, "me", user)
	server.Close()
	_, err = c.Numbers(t.Context(), source.Ref{Name: "a"})
	require.ErrorContains(t, err, "Prometheus does not respond")
	require.NotContains(t, err.Error(), "secret")
}

func TestRefusalsAreErrors(t *testing.T) {
	for body, want := range map[string]string{
		"<html>": "the response is not that of a Prometheus (status 200 OK)",
		`{"status":"error","error":"too many samples"}`:                            "Prometheus refuses the query: too many samples",
		`{"status":"success","data":{"result":[{"value":[1,"x"]}]}}`:               "not that of a Prometheus",
		`{"status":"success","data":{"result":[{"values":[["1"]]}]}}`:              "not that of a Prometheus",
		`{"status":"success","data":{"result":"` + strings.Repeat("a", 10) + `"}}`: "not that of a Prometheus",
	} {
		_, err := decode("200 OK", strings.NewReader(body))
		require.ErrorContains(t, err, want, body)
	}
}

func TestQueryQuotesNames(t *testing.T) {
	text := query(source.Ref{Namespace: `a"} or vector(1) #`, Name: `b.*\`}, time.Minute)
	require.Contains(t, text, `namespace="a\"} or vector(1) #",version="b.*\\"`)
	require.Contains(t, text, `pod=~"b\\.\\*\\\\-(.*)`)
}

func TestValuesAreAtTheirTimes(t *testing.T) {
	span := source.Span{From: time.Unix(100, 0), To: time.Unix(160, 0), Step: 20 * time.Second}
	times := span.Times()
	require.Equal(t, []time.Time{time.Unix(120, 0), time.Unix(140, 0), time.Unix(160, 0)}, times)
	got := values(times, []point{{time.Unix(140, 0), 2}, {time.Unix(160, 0), math.Inf(1)}, {time.Unix(180, 0), 9}})
	require.True(t, math.IsNaN(got[0]) && math.IsNaN(got[2]))
	require.InDelta(t, 2, got[1], 0)
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"status":"success","data":{"result":[{"metric":{"workflow":"a","krt_measure":"p95"},"value":[1,"NaN"]}]}}`)
	f.Add(`{"status":"success","data":{"result":[{"values":[[1e300,"+Inf"],[]]}]}}`)
	f.Fuzz(func(_ *testing.T, body string) {
		all, err := decode("200 OK", strings.NewReader(body))
		if err != nil {
			return
		}
		n := &source.Numbers{Workflows: map[string]*source.WorkflowNumbers{}}
		for _, s := range all {
			if s.Value != nil {
				set(n, s.Metric, s.Value.value)
			}
			values([]time.Time{time.Unix(1, 0)}, s.Values)
		}
	})
}
