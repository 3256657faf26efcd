package service

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/keypair/keypairtest"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// How long a test waits for what happens in another goroutine, and how often it looks.
const (
	wait = time.Minute
	tick = 5 * time.Millisecond
)

// Names of nodes are not trusted: neither their number nor their bytes.
func TestPredictionsHaveALimitedNumberOfSeries(t *testing.T) {
	p := newPredictions()
	for i := range maxSeries + 10 {
		p.count(store.Prediction{Runtime: "a", Node: strconv.Itoa(i)})
	}
	p.count(store.Prediction{Runtime: "a", Node: "\xff"})
	p.count(store.Prediction{Runtime: "a", Node: "0"})
	all := make(chan prometheus.Metric, 2*maxSeries)
	p.Collect(all)
	require.Len(t, all, maxSeries+1)
}

// Nodes that have saved nothing for long make room for others, and no others do.
func TestPredictionsOfNewVersionsHaveSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPredictions()
		registry := prometheus.NewRegistry()
		registry.MustRegister(p)
		count := func(version, node string) { p.count(store.Prediction{Runtime: "a", Version: version, Node: node}) }
		versions := func() map[string]int {
			families, err := registry.Gather()
			require.NoError(t, err)
			series := map[string]int{}
			for _, one := range families[0].Metric {
				series[one.Label[3].GetValue()]++ // they are in the order of their names
			}
			return series
		}
		for i := range maxSeries {
			count("old", strconv.Itoa(i))
		}
		<-time.After(seriesTime - time.Second) // of the test's own clock
		count("old", "0")
		count("new", "0")
		require.Equal(t, map[string]int{"old": maxSeries, "other": 1}, versions())
		<-time.After(time.Second)
		for i := range maxSeries {
			count("new", strconv.Itoa(i))
		}
		require.Equal(t, map[string]int{"new": maxSeries - 1, "old": 1, "other": 1}, versions())
	})
}

// page is what Prometheus reads.
func (r *running) page() string {
	r.Helper()
	response, err := http.Get(r.metrics)
	require.NoError(r, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(r, err)
	return string(text)
}

func TestMetrics(t *testing.T) {
	r := start(t)
	node := r.credential(credential.Node, "a", "v")
	r.send(http.MethodPost, wire.PathCollections+"c", node, `{"data": {"n": 1}}`)
	r.send(http.MethodPost, wire.PathCollections+"c/find", node, `{"query": {}}`)
	r.send(http.MethodPost, wire.PathMeasurements, node, `{"name": ""}`)
	r.send(http.MethodPost, wire.PathPredictions, "forged", `{}`)
	r.send(http.MethodGet, "/v1/unknown", node, "")
	for _, body := range []string{`{"predicted_value":"x","true_value":"x"}`, `{"predicted_value":"x","true_value":"y"}`,
		`{"predicted_value":"x"}`, `{"error":"new_labels"}`, `{"predicted_value":"x","true_value":"x"}`} {
		r.send(http.MethodPost, wire.PathPredictions, node, body)
	}
	done, err := r.owner("a").Import(t.Context(), strings.NewReader(`{"kind":"predictions","value":{"predicted_value":"x"}}`))
	require.NoError(t, err)
	require.Equal(t, 1, done.Saved)
	page := r.page()
	for _, line := range []string{
		`krt_store_writes_total{kind="document",result="ok",sink="sqlite"} 1`,
		`krt_store_writes_total{kind="document",result="failed",sink="sqlite"} 0`,
		`krt_store_reads_total{kind="document",result="ok",sink="sqlite"} 1`,
		`krt_store_writes_total{kind="measurement",result="refused",sink="sqlite"} 1`,
		`krt_store_writes_total{kind="prediction",result="denied",sink="sqlite"} 1`,
		`krt_store_write_duration_seconds_count{kind="document"} 1`,
		`krt_store_requests_in_flight 0`,
		`krt_store_up{kind="document",sink="sqlite"} 1`,
		`krt_predictions_total{namespace="a",node="",result="hit",version="v",workflow=""} 2`,
		`krt_predictions_total{namespace="a",node="",result="miss",version="v",workflow=""} 1`,
		`krt_predictions_total{namespace="a",node="",result="new_labels",version="v",workflow=""} 1`,
		`krt_predictions_total{namespace="a",node="",result="unlabelled",version="v",workflow=""} 1`,
	} {
		require.Contains(t, page, line+"\n")
	}
	require.NotContains(t, page, "/v1/unknown")
	require.Contains(t, page, "\nkrt_build_info{")
}

func TestOneVersionThatFloodsDoesNotDisturbOthers(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits = Limits{Requests: 2, PerSecond: 20} })
	flood, steady := r.credential(credential.Node, "a", "flood"), r.credential(credential.Node, "a", "steady")
	limited := 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				status, _ := r.send(http.MethodPost, wire.PathCollections+"c", flood, `{"data": {"n": 1}}`)
				mu.Lock()
				if status == http.StatusTooManyRequests {
					limited++
				}
				mu.Unlock()
			}
		})
	}
	for range 20 {
		status, text := r.send(http.MethodPost, wire.PathCollections+"c", steady, `{"data": {"n": 1}}`)
		require.Equal(t, http.StatusCreated, status, text)
	}
	all.Wait()
	require.Positive(t, limited)
}

func TestAVersionHoldsAShareOfTheBytes(t *testing.T) {
	l := newLimiter(Limits{Bytes: 4 * maxBodyBytes}.withDefaults())
	a, b := credential.Holder{Version: "a"}, credential.Holder{Version: "b"}
	one, err := l.admit(t.Context(), a, maxBodyBytes)
	require.NoError(t, err)
	_, err = l.admit(t.Context(), a, leastBytes)
	require.ErrorContains(t, err, "too many large requests of this version at a time")
	other, err := l.admit(t.Context(), b, maxBodyBytes)
	require.NoError(t, err)
	other.release()
	one.release()
	one, err = l.admit(t.Context(), a, 10*maxBodyBytes) // counted as all that it may hold
	require.NoError(t, err)
	require.NoError(t, one.grow(t.Context(), maxBodyBytes))
	one.release()
	one, err = l.admit(t.Context(), a, maxBodyBytes/2)
	require.NoError(t, err)
	other, err = l.admit(t.Context(), a, maxBodyBytes/4)
	require.NoError(t, err)
	require.ErrorContains(t, other.grow(t.Context(), maxBodyBytes/2), "too many large requests of this version at a time")
	one.release()
	require.NoError(t, other.grow(t.Context(), maxBodyBytes/2))
	other.release()
	for i := range manyVersions + 1 {
		one, err := l.admit(t.Context(), credential.Holder{Version: strings.Repeat("v", i)}, 1)
		require.NoError(t, err)
		one.release()
	}
	require.LessOrEqual(t, len(l.versions), manyVersions)
}

// TestManySmallValuesAreHeldAsTheyAreDecoded: their text says little of their memory.
func TestManySmallValuesAreHeldAsTheyAreDecoded(t *testing.T) {
	l := newLimiter(Limits{Bytes: 4 * maxBodyBytes}.withDefaults())
	h, err := l.admit(t.Context(), credential.Holder{Version: "a"}, leastBytes)
	require.NoError(t, err)
	defer h.release()
	other, err := l.admit(t.Context(), credential.Holder{Version: "a"}, leastBytes)
	require.NoError(t, err)
	defer other.release()
	ctx := context.WithValue(t.Context(), heldKey{}, h)
	body := "[" + strings.Repeat("1,", 200_000) + "1]"
	require.NoError(t, hold(ctx, store.DecodedSize([]byte(body))))
	require.Greater(t, h.bytes, int64(12<<20))
	require.ErrorContains(t, hold(context.WithValue(t.Context(), heldKey{}, other), maxBodyBytes), "too many large requests")
	require.NoError(t, hold(t.Context(), 1), "without a limit")
}

func TestRetention(t *testing.T) {
	r := start(t)
	c := r.client("a", "v")
	now := time.Now()
	for _, age := range []time.Duration{0, 40 * 24 * time.Hour} {
		require.NoError(t, c.SavePrediction(t.Context(), wire.Origin{}, wire.Prediction{PredictedValue: "x", Date: now.Add(-age)}))
		require.NoError(t, c.SaveMeasurement(t.Context(), wire.Origin{},
			wire.Measurement{Name: "m", Fields: map[string]any{"x": 1}, Time: now.Add(-age)}))
	}
	_, err := c.Save(t.Context(), wire.Origin{}, "c", map[string]any{"n": 1})
	require.NoError(t, err)
	set := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(r.service.config.Settings, name), []byte(text+"\n"), 0o600))
	}
	set("retention-predictions", "30d")
	set("retention-measurements", "soon")
	r.service.expireOnce(t.Context(), now)
	node := r.credential(credential.Node, "a", "v")
	count := func(path string) int {
		_, text := r.send(http.MethodGet, path, node, "")
		return strings.Count(text, `"x"`)
	}
	require.Equal(t, 1, count(wire.PathPredictions))
	require.Equal(t, 2, count(wire.PathMeasurements), "a setting that is not valid deletes nothing")
	set("retention-measurements", "30d")
	set("retention-documents", "1h")
	r.service.expireOnce(t.Context(), now)
	require.Equal(t, 1, count(wire.PathMeasurements))
	require.Len(t, r.find(c, "c"), 1)
	r.service.expireOnce(t.Context(), now.Add(2*time.Hour))
	require.Empty(t, r.find(c, "c"))
	require.Contains(t, r.page(), `krt_store_expired_total{kind="document"} 1`)
}

func TestManyConnectionsWithoutACredential(t *testing.T) {
	r := start(t, func(c *Config) { c.connections = 8 })
	for range 16 {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		require.NoError(t, err)
		defer c.Close()
	}
	require.Empty(t, r.find(r.client("team", "v1"), "c"))
	require.Contains(t, r.page(), "krt_store_")
}

func TestTLS(t *testing.T) {
	folder := t.TempDir()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(keypairtest.Write(t, folder)))
	r := start(t, func(c *Config) { c.TLS = folder })
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https"+strings.TrimPrefix(r.url, "http")+"/readyz", nil)
	require.NoError(t, err)
	response, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	client.CloseIdleConnections()
}

func TestReadyReportsADatabaseThatIsAway(t *testing.T) {
	r := start(t)
	status, _ := r.send(http.MethodGet, "/readyz", "", "")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, r.service.backends.close(t.Context()))
	r.service.backends.all[0].close = func(context.Context) error { return nil } // at the end it is closed already
	status, text := r.send(http.MethodGet, "/readyz", "", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, `"sqlite: `)
}

func TestWhatCannotBeStarted(t *testing.T) {
	keys := t.TempDir()
	for want, c := range map[string]Config{
		"cannot read the keys of credentials: there is no key": {Keys: keys},
	} {
		_, err := New(t.Context(), c, nil)
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, os.WriteFile(filepath.Join(keys, "current"), credential.NewKey(), 0o600))
	for want, url := range map[string]string{
		`KRT_STORE_DOCUMENTS: "redis" is not a kind of database that the store knows`: "redis://user:secret@host",
		"it is not of the form sqlite:///path/to/file":                                "sqlite://store.db",
		"it is not a URL": "user:secret@host",
		"is not of the form postgres://user:password@host:port/database": "postgres://user:secret@host:port%zz",
		"is not of the form mongodb://user:password@host:port/?options":  "mongodb://user:secret@a:b:c",
		"cannot open the store": "sqlite://" + filepath.Join(keys, "none", "store.db"),
	} {
		_, err := New(t.Context(), Config{Keys: keys, Documents: url}, nil)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestFlags(t *testing.T) {
	none := func(string) string { return "" }
	for want, args := range map[string][]string{
		"-keys is missing":         {},
		`"more" is not a flag`:     {"-keys", "k", "more"},
		"-file-bytes: it must be":  {"-keys", "k", "-file-bytes", "1"},
		"the limits must be":       {"-keys", "k", "-bytes", "1"},
		"flag provided but not de": {"-key", "k"},
	} {
		var usage bytes.Buffer
		_, err := parse(args, none, &usage)
		require.ErrorContains(t, err, want)
	}
	c, err := parse([]string{"-keys", "k", "-version-requests", "7"}, func(name string) string { return "sqlite:///" + name }, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "sqlite:///"+EnvMeasurements, c.Measurements)
	require.Equal(t, Limits{Requests: 7, PerSecond: defaultPerSecond, Bytes: defaultBytes}, c.Limits)
	require.Error(t, Main(context.Background(), nil, none, io.Discard))
}

// A version may have several requests at a time, so that a response must not hold more than
// the limits count for it.
func TestPagesAreAsLargeAsTheLimitsCount(t *testing.T) {
	r := start(t)
	c := r.client("a", "v1")
	for range 6 {
		_, err := c.Save(t.Context(), wire.Origin{}, "c", map[string]any{"text": strings.Repeat("x", 1<<20)})
		require.NoError(t, err)
	}
	status, body := r.send(http.MethodPost, wire.PathCollections+"c/find", r.credential(credential.Node, "a", "v1"),
		`{"query":{},"limit":100}`)
	require.Equal(t, http.StatusOK, status)
	require.Less(t, len(body), resultBytes+1024)
	require.Len(t, r.find(c, "c"), 6)
}
