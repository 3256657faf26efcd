package entrypoint_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/runner/event"
)

// TestAForcedStopResponds: each client gets the failure in its own protocol.
func TestAForcedStopResponds(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.ConnectionGrace = 100 * time.Millisecond
	begun := make(chan struct{}, 3)
	f.serve(f.version(node(t, "stuck", func(ctx context.Context, _ *event.Event) (int, *event.Event) {
		begun <- struct{}{}
		<-ctx.Done()
		return http.StatusAccepted, nil
	})), o)
	const want = `workflow "flow" did not respond before the version stopped: node "stuck" was processing the event`
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := f.call(context.Background(), "x")
		text, info := failed(t, err, codes.Unavailable)
		assert.Equal(t, want, text)
		assert.Equal(t, event.ReasonStopping, info.GetReason())
	})
	for path, headers := range map[string][]string{
		"/test.Entrypoint/Call": {"Content-Type", "application/json"},
		"/":                     binaryEvent("flow", "application/json"),
	} {
		wg.Go(func() {
			got := f.request(http.MethodPost, f.web+path, `{}`, headers...)
			assert.Equal(t, http.StatusServiceUnavailable, got.status)
			assert.Contains(t, got.body, `did not respond before the version stopped`)
		})
	}
	for range 3 {
		<-begun
	}
	f.stop()
	require.ErrorContains(t, <-f.done, "3 requests unfinished")
	wg.Wait()
}

// TestStreamsOfOurOwnDoNotDelayAStop: those that clients keep open.
func TestStreamsOfOurOwnDoNotDelayAStop(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.ConnectionGrace = time.Hour
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	ctx := t.Context()
	var watches []grpc_health_v1.Health_WatchClient
	for _, service := range []string{"", "test.Entrypoint", "no.such.Service"} {
		watch, err := grpc_health_v1.NewHealthClient(f.conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		require.NoError(t, err)
		_, err = watch.Recv()
		require.NoError(t, err)
		watches = append(watches, watch)
	}
	current, err := v1.NewServerReflectionClient(f.conn).ServerReflectionInfo(ctx)
	require.NoError(t, err)
	require.NoError(t, current.Send(&v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_ListServices{}}))
	_, err = current.Recv()
	require.NoError(t, err)
	older, err := v1alpha.NewServerReflectionClient(f.conn).ServerReflectionInfo(ctx)
	require.NoError(t, err)
	require.NoError(t, older.Send(&v1alpha.ServerReflectionRequest{MessageRequest: &v1alpha.ServerReflectionRequest_ListServices{}}))
	_, err = older.Recv()
	require.NoError(t, err)
	f.stop()
	require.NoError(t, <-f.done)
	for _, watch := range watches {
		last, err := watch.Recv()
		require.NoError(t, err)
		require.Equal(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING, last.GetStatus())
		_, err = watch.Recv()
		require.Equal(t, codes.Unavailable, status.Code(err))
	}
	_, err = current.Recv()
	require.ErrorIs(t, err, io.EOF)
	_, err = older.Recv()
	require.ErrorIs(t, err, io.EOF)
}

// TestAnUpdateLeavesTheHealthOfUnchangedServices: a client that watches hears
// nothing of it.
func TestAnUpdateLeavesTheHealthOfUnchangedServices(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	watch, err := grpc_health_v1.NewHealthClient(f.conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "test.Entrypoint"})
	require.NoError(t, err)
	first, err := watch.Recv()
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, first.GetStatus())
	for range 100 {
		_, err := f.entry.Update(f.version(node(t, "a", f.says("a", true))))
		require.NoError(t, err)
	}
	f.stop()
	second, err := watch.Recv()
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING, second.GetStatus(), "the first it hears is the stop")
	_, err = watch.Recv()
	require.Equal(t, codes.Unavailable, status.Code(err))
}

// TestUpdatesBesideAStop: each table is let go once, and none comes after the stop.
func TestUpdatesBesideAStop(t *testing.T) {
	for range 20 {
		f := newFixture(t)
		step := node(t, "a", f.says("a", true))
		f.serve(f.version(step), quick())
		var wg sync.WaitGroup
		var refused atomic.Int32
		for range 4 {
			wg.Go(func() {
				for {
					drained, err := f.entry.Update(f.version(step))
					if err != nil {
						assert.ErrorContains(t, err, `cannot serve version "v1": the entrypoint is stopping`)
						refused.Add(1)
						return
					}
					<-drained
				}
			})
		}
		f.stop()
		require.NoError(t, <-f.done)
		wg.Wait()
		require.EqualValues(t, 4, refused.Load())
	}
}
