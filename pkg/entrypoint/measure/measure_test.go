package measure

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
	client "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

const ms = time.Millisecond

// serveStore serves a store and returns its URL.
func serveStore(t *testing.T) string {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- store.New(store.All(db), store.Options{}).Serve(ctx, listener) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		end()
		require.NoError(t, <-served)
		require.NoError(t, db.Close())
	})
	return "http://" + listener.Addr().String()
}

// saved returns the measurements of a name.
func saved(t *testing.T, url, name string) (found []client.Measurement) {
	t.Helper()
	response, err := http.Get(url + client.PathMeasurements + "?name=" + name)
	require.NoError(t, err)
	defer response.Body.Close()
	var list struct{ Measurements []client.Measurement }
	require.NoError(t, json.NewDecoder(response.Body).Decode(&list))
	for i := range list.Measurements {
		list.Measurements[i].Time = time.Time{}
	}
	return list.Measurements
}

// flow is a successful request that took so long, one more millisecond each time in its
// first node.
func flow(i int) *record.Record {
	begin := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	step := time.Duration(i) * ms
	return &record.Record{
		ID: fmt.Sprintf("id-%d", i), Version: "v1", Workflow: "price", Begin: begin, End: begin.Add(10*ms + step),
		Steps: []record.Step{
			{Node: "etl", Start: begin.Add(ms), Wait: ms, Run: step},
			{Node: "model", Start: begin.Add(5*ms + step), Run: 2 * ms, Outcome: event.OutcomeExit},
		},
	}
}

func newClient(t *testing.T, url string) *client.Client {
	c, err := client.New(url)
	require.NoError(t, err)
	return c
}

func TestEach(t *testing.T) {
	url := serveStore(t)
	m := New(Each, newClient(t, url), slog.New(slog.DiscardHandler))
	m.Observe(flow(3))
	m.Close(time.Minute)
	require.Equal(t, []client.Measurement{{
		Name: NameWorkflow, Fields: map[string]any{"tracking_id": "id-3", "elapsed_ms": 13.0},
		Tags: map[string]string{"version": "v1", "workflow": "price", "node": "entrypoint"},
	}}, saved(t, url, NameWorkflow))
	require.Equal(t, []client.Measurement{
		{
			Name: NameNode, Fields: map[string]any{"tracking_id": "id-3", "node_from": "entrypoint", "elapsed_ms": 3.0, "waiting_ms": 1.0},
			Tags: map[string]string{"version": "v1", "workflow": "price", "node": "etl"},
		},
		{
			Name: NameNode, Fields: map[string]any{"tracking_id": "id-3", "node_from": "etl", "elapsed_ms": 2.0, "waiting_ms": 0.0},
			Tags: map[string]string{"version": "v1", "workflow": "price", "node": "model"},
		},
	}, saved(t, url, NameNode))
}

func TestAggregated(t *testing.T) {
	url := serveStore(t)
	m := newMeasurer(Aggregated, newClient(t, url), slog.New(slog.DiscardHandler))
	for i := range 101 {
		m.Observe(flow(i))
	}
	go m.run(nil)
	m.Close(time.Minute)
	require.Equal(t, []client.Measurement{{
		Name: NameWorkflow,
		Fields: map[string]any{
			"count": 101.0, "elapsed_ms": 60.0, "elapsed_min_ms": 10.0, "elapsed_max_ms": 110.0, "elapsed_p50_ms": 60.0, "elapsed_p95_ms": 105.0,
		},
		Tags: map[string]string{"version": "v1", "workflow": "price", "node": "entrypoint"},
	}}, saved(t, url, NameWorkflow))
	nodes := saved(t, url, NameNode)
	require.Len(t, nodes, 2)
	require.Contains(t, nodes, client.Measurement{
		Name: NameNode,
		Fields: map[string]any{
			"count": 101.0, "elapsed_ms": 50.0, "elapsed_min_ms": 0.0, "elapsed_max_ms": 100.0, "elapsed_p50_ms": 50.0, "elapsed_p95_ms": 95.0,
			"node_from": "entrypoint", "waiting_ms": 1.0,
		},
		Tags: map[string]string{"version": "v1", "workflow": "price", "node": "etl"},
	})
}

// An interval ends with a tick, and the next one begins anew.
func TestIntervals(t *testing.T) {
	url := serveStore(t)
	m := newMeasurer(Aggregated, newClient(t, url), slog.New(slog.DiscardHandler))
	counted := sums{}
	for i := range 2 {
		m.Observe(flow(i))
		for len(m.points) > 0 {
			m.take(counted, <-m.points)
		}
		m.flush(counted, time.Now())
		require.Empty(t, counted)
	}
	m.flush(counted, time.Now())
	both := saved(t, url, NameWorkflow)
	require.Len(t, both, 2)
	require.Equal(t, []any{10.0, 11.0}, []any{both[0].Fields["elapsed_ms"], both[1].Fields["elapsed_ms"]})
	require.Equal(t, []any{1.0, 1.0}, []any{both[0].Fields["count"], both[1].Fields["count"]})
}

func TestWhatIsMeasured(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*record.Record)
		want   []string // nodes
	}{
		"all": {func(*record.Record) {}, []string{"entrypoint", "etl", "model"}},
		"failed": {func(r *record.Record) {
			r.Code, r.Steps[1].Outcome = code.Code_INTERNAL, event.OutcomeError
		}, []string{"etl"}},
		"replied": {func(r *record.Record) { r.Early, r.Steps[1].Outcome = record.EarlyReply, event.OutcomeReply },
			[]string{"entrypoint", "etl"}},
		"went on": {func(r *record.Record) { r.Early, r.Background, r.Steps = record.EarlyReply, true, r.Steps[1:] }, []string{"model"}},
		"refused": {func(r *record.Record) { r.Code, r.Steps = code.Code_RESOURCE_EXHAUSTED, nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeasurer(Each, nil, slog.New(slog.DiscardHandler))
			r := flow(1)
			c.change(r)
			m.Observe(r)
			var got []string
			for len(m.points) > 0 {
				got = append(got, (<-m.points).node)
			}
			require.Equal(t, c.want, got)
		})
	}
}

// The store does not respond: requests are not held up, and a stop takes no longer than
// its limit.
func TestAStoreThatHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	var log bytes.Buffer
	m := New(Each, newClient(t, "http://"+listener.Addr().String()), slog.New(slog.NewTextHandler(&log, nil)))
	for i := range 2 * maxWaiting {
		m.Observe(flow(i))
	}
	m.Close(ms)
	text := log.String()
	require.Contains(t, text, "automatic measurements were left out: they came faster than they were saved")
	require.Contains(t, text, "an automatic measurement was not saved")
	require.Less(t, len(text), 10_000)
}

func TestPercentilesOfASample(t *testing.T) {
	all := sums{}
	for i := range 100 * maxSample {
		all.add(point{elapsed: time.Duration(i%100+1) * ms})
	}
	require.Len(t, all, 1)
	s := all[point{}]
	fields := s.measurement(point{}, time.Time{}).Fields
	require.Len(t, s.sample, maxSample)
	require.Equal(t, []any{100 * maxSample, 1.0, 100.0, 50.5},
		[]any{fields[FieldCount], fields[FieldLeast], fields[FieldMost], fields[FieldElapsed]})
	require.InDelta(t, 50, fields[FieldMedian], 20)
	require.InDelta(t, 95, fields[FieldP95], 8)
}

func TestSeriesAreLimited(t *testing.T) {
	all := sums{}
	for i := range 2 * maxSeries {
		all.add(point{node: fmt.Sprint(i)})
	}
	require.Len(t, all, maxSeries)
}

func TestParseMode(t *testing.T) {
	for text, want := range map[string]Mode{"": Aggregated, "off": Off, "aggregated": Aggregated, "each": Each} {
		got, err := ParseMode(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := ParseMode("on")
	require.EqualError(t, err, `"on" is not one of off, aggregated, each`)
}
