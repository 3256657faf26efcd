package entrypoint

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

// answered is a request that has its response, and can be observed.
func answered(t testing.TB, observers ...record.Observer) *request {
	proto := "syntax = \"proto3\";\npackage p;\nmessage M {}\nservice S { rpc R(M) returns (M); }\n"
	s, err := schema.Compile(t.Context(), fstest.MapFS{"p.proto": {Data: []byte(proto)}}, "p.proto", schema.Options{})
	require.NoError(t, err)
	method, err := s.Method("R")
	require.NoError(t, err)
	steps := []Step{{Node: "etl", URL: "http://127.0.0.1:1"}, {Node: "model", URL: "http://127.0.0.1:1"}}
	e, err := New(Version{Namespace: "n", Name: "v", Schema: s, Workflows: []Workflow{{Name: "flow", Method: method, Steps: steps}}},
		Options{Observers: observers})
	require.NoError(t, err)
	k, refusal := e.admit(e.table.Load(), e.table.Load().byName["flow"], record.GRPC)
	require.Nil(t, refusal)
	r := &request{ticket: k}
	r.First.Event = &event.Event{CorrelationID: "c"}
	r.end(response{steps: "etl;1714979289123456;12;3400;00f067aa0ba902b7;ok,model;1714979289130000;0;12000;b7ad6b7169203331;ok"})
	return r
}

type observer func(*record.Record)

func (o observer) Observe(r *record.Record) { o(r) }

// TestObservingAllocatesNothing: records are used again, and what is observed is not what
// was observed before.
func TestObservingAllocatesNothing(t *testing.T) {
	seen := 0
	r := answered(t, observer(func(r *record.Record) {
		seen++
		if len(r.Steps) != 2 || r.Steps[1].Node != "model" || r.Workflow != "flow" || r.Code != 0 || r.End.Before(r.Begin) {
			t.Errorf("observed %+v", r)
		}
	}))
	for range inspection.MaxRequests { // from then on their places are used again
		r.observe()
	}
	least := testing.AllocsPerRun(100, r.observe)
	for range 20 { // a collection empties the pool, and what earlier tests have left running allocates too
		least = min(least, testing.AllocsPerRun(100, r.observe))
	}
	require.Zero(t, least)
	require.Greater(t, seen, 100)
}

func TestServerTimingIsOneAllocation(t *testing.T) {
	r := answered(t)
	r.answer.end = r.begin.Add(15400 * time.Microsecond)
	require.Equal(t, "etl;dur=3.4, model;dur=12, total;dur=15.4", r.timing())
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _ = r.timing() }), 2.0)
}

func BenchmarkObserve(b *testing.B) {
	r := answered(b)
	b.ReportAllocs()
	for b.Loop() {
		r.observe()
	}
}
