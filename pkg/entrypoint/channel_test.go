package entrypoint_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// viaChannel serves one workflow over a Sequence of channels of that kind.
func (f *fixture) viaChannel(kind string, patience time.Duration, h http.HandlerFunc) *fixture {
	v, o := f.version(entrypoint.Step{Node: "a"}), quick()
	v.Workflows[0].Address, v.Workflows[0].Channel = serveHTTP(f.t, h), channel.Named(kind, false)
	o.Retry.Patience = patience
	return f.serve(v, o)
}

// TestAcceptedIsWhatTheChannelHas: the 202 of an asynchronous request follows that of the channel.
func TestAcceptedIsWhatTheChannelHas(t *testing.T) {
	f := newFixture(t)
	received, store := make(chan struct{}), make(chan struct{})
	var accepted atomic.Bool
	f.viaChannel("KafkaChannel", time.Minute, func(w http.ResponseWriter, r *http.Request) {
		in, err := event.ReadHeader(r.Header)
		assert.NoError(t, err)
		close(received)
		<-store
		accepted.Store(true)
		w.WriteHeader(http.StatusAccepted)
		assert.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "done")))
	})
	status := make(chan int, 1)
	go func() {
		got := f.async()
		assert.True(t, accepted.Load(), "nothing was stored yet")
		status <- got.status
	}()
	<-received
	select {
	case <-status:
		t.Fatal("a response came before that of the channel")
	default:
	}
	close(store)
	require.Equal(t, http.StatusAccepted, <-status)
}

// TestWhatOvertakesTheChannelsResponseIsKept: it shows that the channel has the event, whatever that responds with then.
func TestWhatOvertakesTheChannelsResponseIsKept(t *testing.T) {
	refused := event.Failure{Code: code.Code_FAILED_PRECONDITION, Reason: event.ReasonHandlerError, Text: "no", Node: "a"}
	for name, c := range map[string]struct {
		fails    bool
		responds int
		want     int
		dead     int
	}{
		"a response":               {false, http.StatusAccepted, http.StatusOK, 0},
		"a response, and it fails": {false, http.StatusInternalServerError, http.StatusOK, 0},
		"a failure":                {true, http.StatusAccepted, http.StatusBadRequest, 1},
		"a failure, and it fails":  {true, http.StatusInternalServerError, http.StatusBadRequest, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			responded := make(chan struct{})
			v := f.version(entrypoint.Step{Node: "a"})
			v.Results = time.Hour
			v.Workflows[0].Channel = channel.Named("KafkaChannel", false)
			v.Workflows[0].Address = serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				in, err := event.ReadHeader(r.Header)
				assert.NoError(t, err)
				last := f.replyTo(in, "done")
				if c.fails {
					last = in.Fail("/krt/test/v1/a", refused)
				}
				assert.Equal(t, http.StatusAccepted, f.post("/reply", last))
				<-responded
				w.WriteHeader(c.responds)
			})
			o, s := keeping(t)
			f.serve(v, o)
			got := f.async()
			close(responded)
			require.Equal(t, http.StatusAccepted, got.status, got.body)
			status, body := f.ended(got.header.Get("Krt-Correlation-Id"))
			require.Equal(t, c.want, status, body)
			f.awaitIdle()
			o.Mail.Close(time.Minute)
			require.Equal(t, c.dead, s.count(letter.Dead))
		})
	}
}

// TestAChannelIsTriedUntilItHasTheEvent: whatever fails before its 2xx.
func TestAChannelIsTriedUntilItHasTheEvent(t *testing.T) {
	f := newFixture(t)
	var tries atomic.Int32
	f.viaChannel("DiskChannel.example.org", time.Minute, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", "POST, OPTIONS")
		switch tries.Add(1) {
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			http.Error(w, "no leader", http.StatusServiceUnavailable)
		default:
			in, err := event.ReadHeader(r.Header)
			assert.NoError(t, err)
			w.WriteHeader(http.StatusAccepted)
			last := in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))
			assert.Equal(t, http.StatusAccepted, f.post("/reply", last))
		}
	})
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "done", got)
	require.EqualValues(t, 4, tries.Load())
}

// TestNothingIsPromisedWithoutAChannel: the producer is asked to send the event again.
func TestNothingIsPromisedWithoutAChannel(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"fails": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that the connection ends
			<-r.Context().Done()
		},
		"breaks": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.viaChannel("NatsJetStreamChannel", 50*time.Millisecond, h)
			got := f.async()
			require.Equal(t, http.StatusServiceUnavailable, got.status, got.body)
			require.Equal(t, "1", got.header.Get("Retry-After"))
			require.Contains(t, got.body, "the Sequence http://127.0.0.1")
			f.awaitIdle()
		})
	}
}

// TestAnEventTooLargeForTheChannelIsRefused: 413 is final, and so is a failure for which the
// channel's usual limit accounts, once it has been tried as often as a step is.
func TestAnEventTooLargeForTheChannelIsRefused(t *testing.T) {
	large := `{"text": "` + strings.Repeat("x", 1<<20) + `"}`
	for name, c := range map[string]struct {
		status, tries    int
		kind, body, want string
	}{
		"by the channel": {http.StatusRequestEntityTooLarge, 1, "DiskChannel.example.org", `{"text": "x"}`,
			"the message of 3 bytes is too large for the Sequence "},
		"by what is known of it": {http.StatusInternalServerError, 4, "KafkaChannel", large,
			"the usual limit of a KafkaChannel is 1048576 bytes (max.message.bytes of its topics"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			var tries atomic.Int32
			f.viaChannel(c.kind, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
				tries.Add(1)
				w.WriteHeader(c.status)
			})
			got := f.request(http.MethodPost, f.web+"/", c.body, binaryEvent("flow", "application/json", "Prefer", "respond-async")...)
			require.Equal(t, http.StatusRequestEntityTooLarge, got.status, got.body)
			require.Contains(t, got.body, c.want)
			require.EqualValues(t, c.tries, tries.Load())
			got = f.request(http.MethodPost, f.web+"/", c.body, binaryEvent("flow", "application/json")...)
			require.Equal(t, http.StatusRequestEntityTooLarge, got.status)
		})
	}
}

// TestAnEventTooLargeForALaterChannelIsReported by what Knative's dead letter says of it.
func TestAnEventTooLargeForALaterChannelIsReported(t *testing.T) {
	f := newFixture(t)
	f.viaChannel("KafkaChannel", time.Minute, func(w http.ResponseWriter, r *http.Request) {
		in, err := event.ReadHeader(r.Header)
		assert.NoError(t, err)
		w.WriteHeader(http.StatusAccepted)
		assert.Equal(t, http.StatusAccepted, f.post("/dead-letter", in, "Ce-Knativeerrordest", "http://v1-flow-kn-sequence-1-kn-channel.test.svc",
			"Ce-Knativeerrorcode", "413"))
	})
	_, err := f.call(t.Context(), "x")
	text, info := failed(t, err, codes.ResourceExhausted)
	require.Equal(t, "the message is too large for the workflow's channel, which responded with HTTP 413", text)
	require.Equal(t, event.ReasonTooLarge, info.GetReason())
}

// TestWorkInAChannelEndsWithTheBackgroundTimeout, of which the log has the cause, and not with the
// producer's connection.
func TestWorkInAChannelEndsWithTheBackgroundTimeout(t *testing.T) {
	inTime(t, time.Second, func(patience time.Duration) bool {
		f := newFixture(t)
		o, l := logged()
		deadline := make(chan time.Time, 1)
		v := f.version(entrypoint.Step{Node: "a"})
		v.Workflows[0].Channel = channel.Named("KafkaChannel", false)
		v.Workflows[0].Address = serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			in, err := event.ReadHeader(r.Header)
			assert.NoError(t, err)
			assert.True(t, in.Replied)
			select {
			case deadline <- in.Deadline:
			default: // it has been tried again
			}
			w.WriteHeader(http.StatusAccepted)
		})
		v.BackgroundTimeout = patience // it runs before the response, too
		f.serve(v, o)
		begin := time.Now()
		if f.asyncThenLeaves() != http.StatusAccepted {
			return false
		}
		require.WithinRange(t, <-deadline, begin, time.Now().Add(patience))
		l.await(t, `workflow \"flow\" has not ended within `+patience.String()+", the background timeout")
		f.awaitIdle()
		return true
	})
}

// asyncThenLeaves is async by a producer whose connection ends with the response, of which it returns the status.
func (f *fixture) asyncThenLeaves() int {
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.web+"/", strings.NewReader(`{"text": "x"}`))
	require.NoError(f.t, err)
	headers := binaryEvent("flow", "application/json", "Prefer", "respond-async")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(f.t, err)
	require.NoError(f.t, res.Body.Close())
	return res.StatusCode
}
