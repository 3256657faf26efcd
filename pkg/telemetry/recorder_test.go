package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"krt.dev/kn-krt/pkg/entrypoint/record"
)

// upload is a way out of a test's own; its error is what the collector responds with.
type upload func(ctx context.Context, spans []*tracepb.ResourceSpans) error

func (upload) Start(context.Context) error { return nil }
func (upload) Stop(context.Context) error  { return nil }

func (u upload) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	return u(ctx, spans)
}

// recording returns a recorder whose ticks the test makes, and its log.
func recording(u upload) (r *Recorder, log *bytes.Buffer, ticks chan time.Time) {
	log, ticks = &bytes.Buffer{}, make(chan time.Time)
	r = newRecorder(Options{Client: u, Logger: slog.New(slog.NewTextHandler(log, nil))})
	go r.run(ticks)
	return r, log, ticks
}

// tickUntil ticks until something comes, and returns it.
func tickUntil[T any](ticks chan<- time.Time, came <-chan T) T {
	for {
		select {
		case ticks <- time.Time{}:
		case one := <-came:
			return one
		}
	}
}

// dropped returns how many spans were dropped for a reason.
func dropped(t *testing.T, r *Recorder, reason string) int {
	t.Helper()
	return counted(t, r, "krt_spans_dropped_total", reason)
}

// counted returns the value of a counter, whose only label has the given value, if any.
func counted(t *testing.T, r *Recorder, name, label string) int {
	t.Helper()
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(r))
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// TestAHangingCollectorSlowsNobody: what finds no room is dropped, and counted.
func TestAHangingCollectorSlowsNobody(t *testing.T) {
	hanging := make(chan struct{})
	r, log, ticks := recording(func(ctx context.Context, _ []*tracepb.ResourceSpans) error {
		close(hanging)
		<-ctx.Done()
		return ctx.Err()
	})
	one := request(nil)
	r.Observe(one)
	tickUntil(ticks, hanging)
	for range maxWaiting + 10 {
		r.Observe(one)
	}
	require.Equal(t, 30, dropped(t, r, droppedFull), "three spans of each request")
	require.Equal(t, int64(maxWaiting)*sizeOf(one), r.bytes.Load())
	r.o.Client = upload(func(context.Context, []*tracepb.ResourceSpans) error { return errors.New("too late") })
	r.Close(0)
	require.Equal(t, 3*(maxWaiting+1), dropped(t, r, droppedFailed))
	require.Zero(t, r.bytes.Load())
	require.Equal(t, 1, strings.Count(log.String(), "\n"), "%s", log)
	require.Contains(t, log.String(), `msg="spans were not exported" count=3`)
}

// TestWaitingRecordsAreBoundedInBytes: the texts of errors may be long.
// TestACollectorThatRestartsGetsAll: while nothing listens there, spans wait.
func TestACollectorThatRestartsGetsAll(t *testing.T) {
	came, tries := make(chan int, 1), 0
	r, log, ticks := recording(func(_ context.Context, spans []*tracepb.ResourceSpans) error {
		if tries++; tries < 3 {
			return fmt.Errorf("export: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")})
		}
		came <- total(spans)
		return nil
	})
	one := request(nil)
	r.Observe(one)
	require.Equal(t, count(one), tickUntil(ticks, came))
	r.Close(time.Minute)
	require.Equal(t, 3, tries)
	require.Zero(t, dropped(t, r, droppedFailed))
	require.Empty(t, log.String())
}

func TestWaitingRecordsAreBoundedInBytes(t *testing.T) {
	r := newRecorder(Options{})
	long := request(func(r *record.Record) { r.Error = strings.Repeat("x", 1<<20) })
	for range 10 {
		r.Observe(long)
	}
	require.Len(t, r.waiting, 7)
	require.LessOrEqual(t, r.bytes.Load(), int64(maxWaitingBytes))
	require.Equal(t, 9, dropped(t, r, droppedFull))
}

func TestSpansAreSentTogether(t *testing.T) {
	sizes := make(chan int, 9)
	r, _, ticks := recording(func(_ context.Context, spans []*tracepb.ResourceSpans) error {
		sizes <- total(spans)
		return nil
	})
	for range 171 {
		r.Observe(request(nil))
	}
	require.Equal(t, 513, <-sizes, "as soon as there are enough")
	r.Observe(request(nil))
	require.Equal(t, 3, tickUntil(ticks, sizes), "or a tick later")
	r.Observe(request(func(r *record.Record) { r.SpanID = id(0) }))
	r.Observe(request(nil))
	r.Close(time.Minute)
	require.Equal(t, 3, <-sizes, "or at the end")
	require.Empty(t, sizes)
	require.Equal(t, 519, counted(t, r, "krt_spans_exported_total", ""))
}

func TestARecordIsCopied(t *testing.T) {
	r := newRecorder(Options{})
	one := request(nil)
	r.Observe(one)
	one.Steps[0].Node, one.ID = "other", "other"
	kept := <-r.waiting
	require.Equal(t, []string{"etl", "r1"}, []string{kept.Steps[0].Node, kept.ID})
}

func TestNotSampledIsNotObserved(t *testing.T) {
	r, one := newRecorder(Options{}), request(func(r *record.Record) { r.SpanID = id(0) })
	require.Zero(t, testing.AllocsPerRun(100, func() { r.Observe(one) }))
	require.Empty(t, r.waiting)
}
