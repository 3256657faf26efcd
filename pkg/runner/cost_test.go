package runner

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// TestReportingAllocatesTheValueAlone: a call allocates its context, its event and the
// value of krtsteps, and no more if the request is traced.
func TestReportingAllocatesTheValueAlone(t *testing.T) {
	n := newNode(config{node: "model", version: "v1", runtime: "ns"}, slog.New(slog.DiscardHandler), nil)
	in := &event.Event{ID: "1", CorrelationID: "c1", Workflow: "flow", Steps: "etl;1714979289123456;12;3400;00f067aa0ba902b7;ok;c"}
	for _, hop := range []event.Trace{{}, {Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", State: "a=b"}} {
		got := testing.AllocsPerRun(100, func() {
			c := n.newContext(context.Background(), in)
			c.arrive(time.Now(), hop)
			c.begin()
			c.end()
			out := in.Next(n.source, event.TypeMessage, "m", nil)
			c.stamp(out, event.OutcomeOK)
		})
		if got > 3 {
			t.Errorf("%v allocations of a call, traced: %v", got, hop.Parent != "")
		}
	}
}
