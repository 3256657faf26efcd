package entrypoint_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/runner/event"
)

// streamingCanary returns a fixture of version v2, whose node streams.
func streamingCanary(t *testing.T, h streamer) *fixture {
	f := newFixture(t)
	v := f.streaming(f.streams("canary", h))
	v.Name = "v2"
	return f.serve(v, quick())
}

// streamingPublished serves version v1, which divides as c says, and whose node is unary.
func streamingPublished(t *testing.T, c *traffic.Canary, o entrypoint.Options) *fixture {
	f := newFixture(t)
	v := newVolume(t)
	v.write(c)
	o.Traffic = v.folder
	return f.serve(f.streaming(node(t, "published", f.says("published", true))), o)
}

// three sends three messages, the second once it is told to.
func three(more <-chan struct{}) streamer {
	return func(ctx context.Context, _ *event.Event, send func(string) bool) event.End {
		send("one")
		select {
		case <-more:
		case <-ctx.Done():
		}
		send("two")
		send("three")
		return event.End{}
	}
}

func TestAStreamOfTheCanaryComesAsItComes(t *testing.T) {
	more := make(chan struct{})
	to := streamingCanary(t, three(more))
	f := streamingPublished(t, to.gives(100), quick())
	ctx := metadata.AppendToOutgoingContext(t.Context(), "krt-trace", "1")
	s := f.open(ctx, "hi")
	text, err := s.next()
	require.NoError(t, err)
	require.Equal(t, "one", text, "before the handler goes on")
	close(more)
	rest, err := s.all()
	require.NoError(t, err)
	require.Equal(t, []string{"two", "three"}, rest)
	header, err := s.Header()
	require.NoError(t, err)
	require.Len(t, header["krt-correlation-id"], 1)
	require.NotContains(t, s.Trailer(), "krt-correlation-id", "it has not failed")
	require.Len(t, s.Trailer()["krt-steps"], 1)
	require.NotContains(t, s.Trailer(), traffic.Metadata)
	for _, line := range []string{
		`krt_traffic_requests_total{canary="v2",code="OK",side="canary"} 1`,
		`krt_traffic_request_seconds_count{canary="v2",side="canary"} 1`,
		`krt_traffic_fallbacks_total{canary="v2"} 0`,
		`krt_stream_messages_total{workflow="flow"} 0`,
	} {
		f.counts(line)
	}
	to.counts(`krt_stream_messages_total{workflow="flow"} 3`)
	f.awaitNothing(t)
	to.awaitNothing(t)
}

// TestThePublishedVersionStreamsWhatTheCanaryCannot, as long as no message has come.
func TestThePublishedVersionStreamsWhatTheCanaryCannot(t *testing.T) {
	nobody, _ := closed(t)
	unavailable := streamingCanary(t, func(context.Context, *event.Event, func(string) bool) event.End {
		return event.End{Failure: event.Failure{Code: code.Code_UNAVAILABLE, Text: "the model is being loaded"}.Status()}
	})
	for name, c := range map[string]*traffic.Canary{
		"refused":     {Version: "v2", GRPC: nobody, Web: nobody, Weight: 100},
		"unavailable": unavailable.gives(100),
	} {
		t.Run(name, func(t *testing.T) {
			f := streamingPublished(t, c, quick())
			got, err := f.open(t.Context(), "hi").all()
			require.NoError(t, err)
			require.Equal(t, []string{"hi>published"}, got)
			f.counts(`krt_traffic_fallbacks_total{canary="v2"} 1`)
			f.counts(`krt_traffic_requests_total{canary="v2",code="OK",side="published"} 1`)
			f.counts(`krt_traffic_request_seconds_count{canary="v2",side="published"} 1`)
			f.awaitNothing(t)
		})
	}
}

// TestAStreamThatHasBegunIsTheCanarys: how it ends, too.
func TestAStreamThatHasBegunIsTheCanarys(t *testing.T) {
	fails := streamingCanary(t, func(_ context.Context, _ *event.Event, send func(string) bool) event.End {
		send("one")
		return event.End{Failure: event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonHandlerError, Text: "no more"}.Status()}
	})
	hangs := streamingCanary(t, func(ctx context.Context, _ *event.Event, send func(string) bool) event.End {
		send("one")
		<-ctx.Done() // its client has gone
		return event.End{}
	})
	way := newNetwork(t, hangs.grpc)
	for name, c := range map[string]struct {
		to   *fixture
		via  string
		want string
	}{
		"its failure": {fails, fails.grpc, "no more"},
		"a network":   {hangs, way.Addr().String(), `version "v2" broke off the stream after 1 messages`},
	} {
		t.Run(name, func(t *testing.T) {
			to := c.to.gives(100)
			to.GRPC = c.via
			f := streamingPublished(t, to, quick())
			s := f.open(t.Context(), "hi")
			text, err := s.next()
			require.NoError(t, err)
			require.Equal(t, "one", text)
			if name == "a network" {
				way.tear()
			}
			got, err := s.all()
			require.Empty(t, got)
			require.Equal(t, codes.Unavailable, status.Code(err))
			require.Contains(t, err.Error(), c.want)
			f.counts(`krt_traffic_fallbacks_total{canary="v2"} 0`)
			f.counts(`krt_traffic_requests_total{canary="v2",code="UNAVAILABLE",side="canary"} 1`)
			f.awaitNothing(t)
			c.to.awaitNothing(t)
		})
	}
}

// TestAnInspectedStreamIsNotServedTwice: its client has the header of the canary's response at once.
func TestAnInspectedStreamIsNotServedTwice(t *testing.T) {
	to := streamingCanary(t, func(ctx context.Context, _ *event.Event, _ func(string) bool) event.End {
		<-ctx.Done()
		return event.End{}
	})
	way := newNetwork(t, to.grpc)
	c := to.gives(100)
	c.GRPC = way.Addr().String()
	f := streamingPublished(t, c, quick())
	s := f.open(metadata.AppendToOutgoingContext(t.Context(), "krt-inspect", "1"), "hi")
	header, err := s.Header()
	require.NoError(t, err)
	require.Len(t, header["krt-correlation-id"], 1)
	way.tear()
	_, err = s.next()
	require.Equal(t, codes.Unavailable, status.Code(err))
	f.counts(`krt_traffic_fallbacks_total{canary="v2"} 0`)
	f.awaitNothing(t)
	to.awaitNothing(t)
}

// endless is a canary whose stream goes on until it is ended. Reached says that one has begun.
func endless(t *testing.T) (to *fixture, reached *atomic.Bool, ended chan struct{}) {
	reached, ended = &atomic.Bool{}, make(chan struct{}, 1)
	return streamingCanary(t, func(_ context.Context, _ *event.Event, send func(string) bool) event.End {
		reached.Store(true)
		for send(strings.Repeat("x", 100<<10)) {
		}
		ended <- struct{}{}
		return event.End{}
	}), reached, ended
}

func TestAClientThatLeavesEndsTheCanarysStream(t *testing.T) {
	to, _, ended := endless(t)
	f := streamingPublished(t, to.gives(100), quick())
	ctx, leave := context.WithCancel(t.Context())
	s := f.open(ctx, "hi")
	_, err := s.next()
	require.NoError(t, err)
	leave()
	<-ended
	f.awaits(`krt_traffic_requests_total{canary="v2",code="CANCELLED",side="canary"} 1`)
	f.awaitNothing(t)
}

// TestAClientThatDoesNotReadEndsTheCanarysStream when its time is over.
func TestAClientThatDoesNotReadEndsTheCanarysStream(t *testing.T) {
	inTime(t, 2*time.Second, func(patience time.Duration) bool {
		to, reached, ended := endless(t)
		o := quick()
		o.Timeout, o.StreamTimeout = time.Second, patience
		f := streamingPublished(t, to.gives(100), o)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		f.open(ctx, "hi")                                                    // nobody reads
		over := regexp.MustCompile(`(?m)^krt_traffic_requests_total{.*} 1$`) // whoever has served it
		require.Eventually(t, func() bool { return over.MatchString(f.metrics()) }, time.Minute, time.Millisecond)
		if !reached.Load() {
			return false
		}
		<-ended
		f.counts(`krt_traffic_requests_total{canary="v2",code="DEADLINE_EXCEEDED",side="canary"} 1`)
		leave() // what its connection has
		f.awaitNothing(t)
		return true
	})
}

// streamClients are requests for the stream in all protocols of the web port.
func (f *fixture) streamClients() map[string][]string {
	message, call := framed(0, string(f.text("test.Request", "hi"))), `{"text":"hi"}`
	return map[string][]string{
		"events":               {"POST", tokensPath, call, "Content-Type", "application/json", "Accept", "text/event-stream"},
		"events of a workflow": {"POST", "/workflows/flow", call, "Content-Type", "application/json", "Accept", "text/event-stream"},
		"lines":                {"POST", tokensPath, call, "Content-Type", "application/json"},
		"Connect":              {"POST", tokensPath, message, "Content-Type", "application/connect+proto"},
		"Connect, JSON":        {"POST", tokensPath, framed(0, call), "Content-Type", "application/connect+json"},
		"gRPC-Web":             {"POST", tokensPath, message, "Content-Type", "application/grpc-web+proto"},
	}
}

// TestStreamsOfTheCanaryAreSeenAsItself: what a client gets through the published version is what the
// canary gives it directly.
func TestStreamsOfTheCanaryAreSeenAsItself(t *testing.T) {
	more := make(chan struct{})
	close(more)
	to := streamingCanary(t, three(more))
	f := streamingPublished(t, to.gives(100), quick())
	for name, c := range f.streamClients() {
		t.Run(name, func(t *testing.T) {
			want, got := to.ask(c), f.ask(c)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Contains(t, got.body, "three")
			require.Equal(t, want.body, got.body)
			for _, varies := range []string{"Date", "Krt-Correlation-Id"} {
				require.NotEmpty(t, got.header.Get(varies), varies)
				got.header.Set(varies, want.header.Get(varies))
			}
			require.Equal(t, want.header, got.header)
		})
	}
	f.counts(`krt_traffic_requests_total{canary="v2",code="OK",side="canary"} 6`)
	f.counts(`krt_traffic_fallbacks_total{canary="v2"} 0`)
	f.awaitNothing(t)
	to.awaitNothing(t)
}

// TestTheFirstMessageOfTheCanaryComesAtOnce on the web port, before the handler goes on.
func TestTheFirstMessageOfTheCanaryComesAtOnce(t *testing.T) {
	for name := range (&fixture{t: t, schema: testSchema(t)}).streamClients() {
		t.Run(name, func(t *testing.T) {
			more := make(chan struct{})
			to := streamingCanary(t, three(more))
			f := streamingPublished(t, to.gives(100), quick())
			body := f.begin(f.streamClients()[name])
			read(t, body, "one")
			close(more)
			read(t, body, "three")
			_, err := io.Copy(io.Discard, body)
			require.NoError(t, err)
			f.awaitNothing(t)
		})
	}
}

// begin sends one of streamClients, and returns the body of its response.
func (f *fixture) begin(c []string) io.Reader {
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	f.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, c[0], f.web+c[1], strings.NewReader(c[2]))
	require.NoError(f.t, err)
	for i := 3; i < len(c); i += 2 {
		r.Header.Set(c[i], c[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(f.t, http.StatusOK, res.StatusCode)
	return res.Body
}

// read reads until a text has come.
func read(t *testing.T, from io.Reader, text string) {
	t.Helper()
	for came, part := "", make([]byte, 100); !strings.Contains(came, text); {
		n, err := from.Read(part)
		if came += string(part[:n]); !strings.Contains(came, text) {
			require.NoError(t, err, came)
		}
	}
}

// TestWebStreamsFallBackBeforeTheFirstMessage, and fail as the canary's do after it.
func TestWebStreamsFallBackBeforeTheFirstMessage(t *testing.T) {
	failing := event.End{Failure: event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonHandlerError, Text: "too late"}.Status()}
	for name := range (&fixture{t: t, schema: testSchema(t)}).streamClients() {
		t.Run(name, func(t *testing.T) {
			sends := atomic.Bool{}
			to := streamingCanary(t, func(_ context.Context, _ *event.Event, send func(string) bool) event.End {
				if sends.Load() {
					send("one")
				}
				return failing
			})
			f := streamingPublished(t, to.gives(100), quick())
			client := f.streamClients()[name]
			got := f.ask(client)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Contains(t, got.body, "hi>published")
			require.NotContains(t, got.body, "too late")
			f.counts(`krt_traffic_fallbacks_total{canary="v2"} 1`)
			sends.Store(true)
			got = f.ask(client)
			require.Contains(t, got.body, "one")
			require.Contains(t, got.body, "too late")
			f.counts(`krt_traffic_fallbacks_total{canary="v2"} 1`)
			f.counts(`krt_traffic_requests_total{canary="v2",code="UNAVAILABLE",side="canary"} 1`)
			f.awaitNothing(t)
		})
	}
}

// TestAWebStreamThatBreaksOffDoesNotEnd, and one whose client leaves ends at the canary.
func TestAWebStreamThatBreaksOffDoesNotEnd(t *testing.T) {
	ended := make(chan struct{}, 1)
	to := streamingCanary(t, func(ctx context.Context, _ *event.Event, send func(string) bool) event.End {
		send("one")
		<-ctx.Done()
		ended <- struct{}{}
		return event.End{}
	})
	for name := range to.streamClients() {
		t.Run(name, func(t *testing.T) {
			way := newNetwork(t, address(to))
			c := to.gives(100)
			c.Web = way.Addr().String()
			f := streamingPublished(t, c, quick())
			body := f.begin(f.streamClients()[name])
			read(t, body, "one")
			way.tear()
			_, err := io.Copy(io.Discard, body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			<-ended
			f.awaits(`krt_traffic_requests_total{canary="v2",code="UNAVAILABLE",side="canary"} 1`)
			f.awaitNothing(t)
		})
	}
	f := streamingPublished(t, to.gives(100), quick())
	body := f.begin(f.streamClients()["events"])
	read(t, body, "one")
	require.NoError(t, body.(io.Closer).Close())
	<-ended
	f.awaits(`krt_traffic_requests_total{canary="v2",code="CANCELLED",side="canary"} 1`)
	f.awaitNothing(t)
	to.awaitNothing(t)
}
