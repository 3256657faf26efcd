package entrypoint_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
)

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // of what pools have kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestWhatAStreamHoldsOfItsRequestIsCounted, on each side of a canary too: it may last for minutes.
func TestWhatAStreamHoldsOfItsRequestIsCounted(t *testing.T) {
	const clients, size = 8, 2 << 20
	text := strings.Repeat("x", size)
	call := `{"text":"` + text + `"}`
	for kind, body := range map[string]string{
		"application/json":          call,
		"application/connect+json":  framed(0, call),
		"application/connect+proto": framed(0, string((&fixture{t: t, schema: testSchema(t)}).text("test.Request", text))),
		"application/grpc-web+json": framed(0, call),
	} {
		for _, canary := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, ", canary ", canary), func(t *testing.T) {
				more := make(chan struct{})
				f := streamingCanary(t, func(_ context.Context, _ *event.Event, send func(string) bool) event.End {
					send("one")
					<-more
					return event.End{}
				})
				if canary {
					f = streamingPublished(t, f.gives(100), quick())
				}
				t.Cleanup(func() { close(more) })
				before := heap()
				for range clients {
					read(t, f.begin([]string{http.MethodPost, tokensPath, body, "Content-Type", kind}), "one")
				}
				var counted float64
				_, after, _ := strings.Cut(f.metrics(), "\nkrt_held_bytes ")
				_, err := fmt.Sscan(after, &counted)
				require.NoError(t, err)
				require.Less(t, heap()-before, int64(counted)+clients*size/2)
			})
		}
	}
}
