package meter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/entrypoint/metrics"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// serve responds with the metrics of a real entrypoint, in protobuf.
func serve(t testing.TB, m *metrics.Metrics) []byte {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", Accept)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	require.Contains(t, w.Header().Get("Content-Type"), "application/vnd.google.protobuf")
	return w.Body.Bytes()
}

func entrypoint() *metrics.Metrics {
	m := metrics.New()
	m.Workflow("price", []string{"etl", "model"}, false)
	return m
}

// request is one whose model took so long, and was sent twice.
func request(model time.Duration, result code.Code) *record.Record {
	begin := time.Now().Add(-time.Hour)
	outcome := event.OutcomeOK
	if result != code.Code_OK {
		outcome = event.OutcomeError
	}
	return &record.Record{
		Workflow: "price", Begin: begin, End: begin.Add(model + 4*time.Millisecond), Code: result,
		Steps: []record.Step{
			{Node: "etl", Start: begin.Add(time.Millisecond), Run: 2 * time.Millisecond},
			{Node: "model", Start: begin.Add(4 * time.Millisecond), Run: model, Outcome: outcome},
		},
		Sends: []record.Send{{Node: "model", Result: record.ResultRetried}, {Node: "model", Result: record.ResultOK}},
	}
}

func within(t *testing.T, want, got time.Duration) {
	t.Helper()
	require.InEpsilon(t, float64(want), float64(got), 0.1, "%v is not %v", got, want)
}

func TestNumbersOfTwoReplicas(t *testing.T) {
	one, other, begin := entrypoint(), entrypoint(), time.Now()
	one.Observe(request(time.Second, code.Code_OK)) // before anybody looked
	w := windows{}
	at := func(after time.Duration) {
		all := map[string]reading{}
		for name, m := range map[string]*metrics.Metrics{"one": one, "other": other} {
			r, err := read(bytes.NewReader(serve(t, m)))
			require.NoError(t, err)
			all[name] = r
		}
		w.add(begin.Add(after), all)
	}
	at(0)
	require.Nil(t, w.numbers())
	for range 90 {
		one.Observe(request(10*time.Millisecond, code.Code_OK))
		other.Observe(request(10*time.Millisecond, code.Code_OK))
	}
	for range 10 {
		one.Observe(request(50*time.Millisecond, code.Code_INTERNAL))
		other.Observe(request(50*time.Millisecond, code.Code_INVALID_ARGUMENT))
	}
	at(10 * time.Second)
	n := w.numbers()
	require.Equal(t, 10*time.Second, n.Over)
	price := n.Workflows["price"]
	require.InDelta(t, 20, price.PerSecond, 1e-9)
	require.InDelta(t, 1, price.Errors, 1e-9, "what is the client's own fault does not count")
	within(t, 14*time.Millisecond, price.P50)
	within(t, 54*time.Millisecond, price.P95)
	model := price.Nodes["model"]
	require.InDelta(t, 20, model.PerSecond, 1e-9)
	require.InDelta(t, 2, model.Errors, 1e-9)
	require.InDelta(t, 20, model.Retries, 1e-9)
	within(t, 10*time.Millisecond, model.P50)
	within(t, 50*time.Millisecond, model.P95)
	within(t, time.Millisecond, model.Waited)
	within(t, 2*time.Millisecond, price.Nodes["etl"].P95)
}

func TestRestartedReplicaCountsFromZero(t *testing.T) {
	before, begin := entrypoint(), time.Now()
	for range 5 {
		before.Observe(request(time.Millisecond, code.Code_OK))
	}
	after := entrypoint()
	after.Observe(request(time.Millisecond, code.Code_OK))
	w := windows{}
	for i, m := range []*metrics.Metrics{before, after} {
		r, err := read(bytes.NewReader(serve(t, m)))
		require.NoError(t, err)
		w.add(begin.Add(time.Duration(i)*time.Second), map[string]reading{"one": r})
	}
	require.InDelta(t, 1, w.numbers().Workflows["price"].PerSecond, 1e-9)
}

// What a replica counted before its restart is not what it counted after it.
func TestRestartedReplicaIsNotComparedWithItself(t *testing.T) {
	counted := func(n float64) map[string]reading {
		return map[string]reading{"one": {counts: map[key]float64{{requests, "price", ""}: n}}}
	}
	w, begin := windows{}, time.Now()
	for i, n := range []float64{100, 1, 150} {
		w.add(begin.Add(time.Duration(i)*Interval), counted(n))
	}
	require.InDelta(t, 15, w.numbers().Workflows["price"].PerSecond, 1e-9)
	require.Len(t, w["one"], 3)
}

func TestWindowIsBounded(t *testing.T) {
	r, err := read(bytes.NewReader(serve(t, entrypoint())))
	require.NoError(t, err)
	w, begin := windows{}, time.Now()
	for i := range 100 {
		w.add(begin.Add(time.Duration(i)*Interval), map[string]reading{"one": r})
	}
	require.Len(t, w["one"], 13)
	require.Equal(t, window, w.numbers().Over)
	w.add(begin, nil)
	require.Empty(t, w, "a replica that is gone is forgotten")
}

func TestCoarserHistogramIsComparable(t *testing.T) {
	fine := histogram{schema: 3, count: 8, buckets: map[int]float64{-7: 1, 0: 2, 1: 3, 8: 1, 9: 1}}
	require.Equal(t, map[int]float64{0: 3, 1: 4, 2: 1}, fine.coarser(0).buckets)
	sum := fine.plus(histogram{schema: 0, count: 1, buckets: map[int]float64{1: 1}})
	require.Equal(t, int32(0), sum.schema)
	require.InDelta(t, 5, sum.buckets[1], 0)
	require.Zero(t, histogram{}.quantile(.5))
	require.Zero(t, histogram{zero: 3}.quantile(.95))
}

func TestRefusesOtherHistograms(t *testing.T) {
	three, one := int32(3), uint32(1)
	for _, h := range []*dto.Histogram{nil, {}, {Schema: &three, PositiveSpan: []*dto.BucketSpan{{Length: &one}}}} {
		_, err := newHistogram(h)
		require.ErrorIs(t, err, errHistogram)
	}
}

// scripted is a Reader that returns numbers when it is told to.
type scripted struct {
	results chan error
	closed  chan struct{}
	reads   int
}

func (s *scripted) Read(ctx context.Context) (*source.Numbers, error) {
	select {
	case err := <-s.results:
		s.reads++
		return &source.Numbers{Over: time.Duration(s.reads)}, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *scripted) Close() { close(s.closed) }

func TestAllWhoLookShareOneReader(t *testing.T) {
	s, opened := &scripted{results: make(chan error), closed: make(chan struct{})}, 0
	m := New(func(source.Ref) Reader { opened++; return s })
	m.every = time.Millisecond
	ref := source.Ref{Namespace: "ns", Name: "v1"}
	n, err := m.Numbers(ref)
	require.NoError(t, err)
	require.Nil(t, n)

	changed, ended := make(chan struct{}, 8), make(chan error, 2)
	first, leave := context.WithCancel(t.Context())
	second, leaveLast := context.WithCancel(t.Context())
	for _, ctx := range []context.Context{first, second} {
		joined := make(chan struct{})
		go func() {
			ended <- m.Follow(ctx, ref, func() { changed <- struct{}{} })
		}()
		go func() {
			defer close(joined)
			for m.looking(ref) == 0 || ctx == second && m.looking(ref) < 2 {
				if ctx.Err() != nil {
					return
				}
			}
		}()
		<-joined
	}
	s.results <- nil
	<-changed
	<-changed
	require.Equal(t, 1, opened)
	n, err = m.Numbers(ref)
	require.NoError(t, err)
	require.Equal(t, time.Duration(1), n.Over)
	require.Len(t, m.past(ref), 1)

	leave()
	leaveLast()
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
	s.results <- nil // one who comes at once goes on with the numbers
	require.NotEmpty(t, m.past(ref))
	for closed := false; !closed; {
		select {
		case s.results <- nil:
		case <-s.closed:
			closed = true
		}
	}
	require.LessOrEqual(t, s.reads, 3+lingering)
	require.Empty(t, m.past(ref))
}

// silent is a Reader of a version whose entrypoint goes away after the first reading.
type silent struct{ reads int }

func (s *silent) Read(context.Context) (*source.Numbers, error) {
	if s.reads++; s.reads > 1 {
		return nil, nil
	}
	return &source.Numbers{Over: time.Second}, nil
}

func (*silent) Close() {}

func TestNumbersOfAnEntrypointThatIsGoneAreNotShown(t *testing.T) {
	m := New(func(source.Ref) Reader { return &silent{} })
	m.every = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var seen []*source.Numbers
	require.NoError(t, m.Follow(ctx, source.Ref{}, func() {
		n, err := m.Numbers(source.Ref{})
		require.NoError(t, err)
		if seen = append(seen, n); len(seen) == 3 {
			cancel()
		}
	}))
	require.Nil(t, seen[2])
}

func (m *Meter) looking(ref source.Ref) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.watched[ref]; w != nil {
		return len(w.lookers)
	}
	return 0
}

func TestFailureIsReported(t *testing.T) {
	broken := errors.New("no right")
	m := New(func(source.Ref) Reader {
		return Entrypoints("the entrypoint", func(context.Context, func(string, io.Reader) error) ([]string, error) {
			return nil, broken
		}, nil)
	})
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, m.Follow(ctx, source.Ref{}, func() {
		_, err := m.Numbers(source.Ref{})
		require.ErrorIs(t, err, broken)
		cancel()
	}))
}

func FuzzRead(f *testing.F) {
	m := entrypoint()
	m.Observe(request(time.Second, code.Code_INTERNAL))
	f.Add(serve(f, m))
	f.Add([]byte("# HELP not protobuf"))
	first, err := read(bytes.NewReader(serve(f, m)))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := read(bytes.NewReader(body))
		if err != nil {
			return
		}
		w := windows{}
		w.add(time.Unix(0, 0), map[string]reading{"one": first})
		w.add(time.Unix(1, 0), map[string]reading{"one": r})
		for _, wf := range w.numbers().Workflows {
			require.GreaterOrEqual(t, wf.P95, time.Duration(0))
			require.GreaterOrEqual(t, wf.PerSecond, 0.)
		}
	})
}
