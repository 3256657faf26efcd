package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
)

// TestWorkInASequenceBehindAReplyHoldsNoPayload: nor does that which nobody waits
// for, once it is not sent again.
func TestWorkInASequenceBehindAReplyHoldsNoPayload(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers []string
		replies bool
	}{
		{"replied", nil, true},
		{"asynchronous", []string{"Prefer", "respond-async"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			release := make(chan struct{})
			defer close(release)
			sequence := node(t, "sequence", func(_ context.Context, in *event.Event) (int, *event.Event) {
				if c.replies {
					assert.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "accepted")))
				}
				<-release
				if !c.replies {
					f.post("/reply", f.replyTo(in, "done"))
				}
				return http.StatusAccepted, nil
			})
			f.viaSequenceAt(sequence.URL, 20*time.Millisecond)
			payload := string(f.payload(1 << 20))
			for range 3 {
				got := f.request(http.MethodPost, f.web+"/", payload, binaryEvent("flow", "application/protobuf", c.headers...)...)
				require.Less(t, got.status, 300, got.body)
			}
			require.Contains(t, f.metrics(), "krt_requests_in_flight 3")
			require.Eventually(t, func() bool { return f.held() < 1<<20 }, time.Minute, time.Millisecond)
		})
	}
}

// TestAPayloadIsKeptWhileItMayBeSentAgain: a channel that turned it away gets the
// same once more.
func TestAPayloadIsKeptWhileItMayBeSentAgain(t *testing.T) {
	f := newFixture(t)
	var tries atomic.Int32
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) < 4 {
			http.Error(w, "", http.StatusTooManyRequests)
			return
		}
		handle(func(_ context.Context, in *event.Event) (int, *event.Event) {
			assert.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "got "+f.textOf(in.Data))))
			return http.StatusAccepted, nil
		}).ServeHTTP(w, r)
	})
	f.viaSequenceAt(url, time.Minute)
	text := strings.Repeat("x", 100<<10)
	got, err := f.call(t.Context(), text)
	require.NoError(t, err)
	require.Equal(t, "got "+text, got)
}

// TestWorkBehindRepliesLeavesRoomForCallers: nodes that are called directly may be
// called again, for which as many payloads are kept as leave half the room.
func TestWorkBehindRepliesLeavesRoomForCallers(t *testing.T) {
	for name, headers := range map[string][]string{"replied": nil, "asynchronous": {"Prefer", "respond-async"}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			o := quick()
			o.MaxMessageBytes, o.MaxBytes = 1<<20, 8<<20
			release := make(chan struct{})
			defer close(release)
			f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
				if headers == nil {
					assert.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "accepted")))
				}
				<-release
				return http.StatusOK, in.Next("a", event.TypeMessage, "test.Reply", nil)
			})), o)
			payload := string(f.payload(1<<20 - 64))
			for range 20 {
				got := f.request(http.MethodPost, f.web+"/", payload, binaryEvent("flow", "application/protobuf", headers...)...)
				require.Less(t, got.status, 300, got.body)
				require.Eventually(t, func() bool { return f.held() <= 3<<20+20*16<<10 }, time.Minute, time.Millisecond)
			}
			require.Contains(t, f.metrics(), "krt_requests_in_flight 20")
		})
	}
}
