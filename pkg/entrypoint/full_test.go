package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/event"
)

// A full entrypoint refuses what can be tried again, on each port that takes
// requests, and takes the largest message again once it has room.
func TestAFullEntrypointRefuses(t *testing.T) {
	f := newFixture(t)
	const most = 1 << 20
	came, release := make(chan struct{}, 16), make(chan struct{})
	o := quick()
	o.MaxMessageBytes, o.MaxBytes = most, memory.LeastBudget(most)
	f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		came <- struct{}{}
		<-release
		return http.StatusOK, in.Next(event.Source("test", "v1", "a"), event.TypeMessage, "test.Reply", f.text("test.Reply", "ok"))
	})), o)
	large := strings.Repeat("x", most-16)
	var all sync.WaitGroup
	for range 5 { // of six that fit but for their shares
		all.Go(func() {
			_, err := f.call(t.Context(), large)
			require.NoError(t, err)
		})
		<-came
	}
	_, err := f.call(t.Context(), large)
	require.Equal(t, codes.ResourceExhausted, status.Code(err), err)
	require.ErrorContains(t, err, "try again later")
	web := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"`+large[:most-100]+`"}`, "Content-Type", "application/json")
	require.Equal(t, http.StatusTooManyRequests, web.status, web.body)
	require.Contains(t, web.body, "try again later")
	events := f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"`+large[:most-100]+`"}`,
		binaryEvent("flow", "application/json")...)
	require.Equal(t, http.StatusTooManyRequests, events.status, events.body)
	close(release)
	all.Wait()
	text, err := f.call(t.Context(), large)
	require.NoError(t, err)
	require.Equal(t, "ok", text)
	structured := `{"specversion":"1.0","id":"1","source":"/s","type":"flow","data":{"text":"` + large[:most-200] + `"}}`
	events = f.request(http.MethodPost, f.web+"/workflows/flow", structured, "Content-Type", "application/cloudevents+json")
	require.Equal(t, http.StatusOK, events.status, events.body)
}
