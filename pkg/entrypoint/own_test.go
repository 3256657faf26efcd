package entrypoint_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// A client that opens as many streams of our own services as there can be blocks
// neither requests nor clients that watch the health on a connection of their own.
func TestWatchersOfTheHealthRefuseNobody(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := func(ctx context.Context, c *grpc.ClientConn) codes.Code {
		s, err := grpc_health_v1.NewHealthClient(c).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
		require.NoError(t, err)
		_, err = s.Recv()
		return status.Code(err)
	}
	connect := func() *grpc.ClientConn {
		c, err := grpc.NewClient(f.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	got := map[codes.Code]int{}
	for range 20 { // 100 for each of 10 connections, 24 for the next, then one each
		c := connect()
		for range 120 {
			got[watch(ctx, c)]++
		}
	}
	require.Equal(t, map[codes.Code]int{codes.OK: 1024 + 9, codes.ResourceExhausted: 1367}, got)
	require.Contains(t, f.metrics(), "krt_held_bytes 0\n")
	require.Equal(t, codes.OK, watch(ctx, connect()))
	_, err := f.call(t.Context(), "hello")
	require.NoError(t, err)
	res := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"x"}`, "Content-Type", "application/json")
	require.Equal(t, http.StatusOK, res.status, res.body)

	cancel()
	c := connect()
	require.Eventually(t, func() bool { // what has ended is not counted any more
		next, end := context.WithCancel(t.Context())
		defer end()
		first := watch(next, c)
		return first == codes.OK && watch(next, c) == codes.OK
	}, time.Minute, time.Millisecond)
}
