package entrypoint_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

// waiting starts a call whose node hands over the event and waits until the
// caller has its answer.
func (f *fixture) waiting(o entrypoint.Options) (in *event.Event, answer func() (string, error)) {
	events, done := make(chan *event.Event, 1), make(chan struct{})
	f.serve(f.version(node(f.t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		events <- in
		<-done
		return http.StatusAccepted, nil
	})), o)
	release := sync.OnceFunc(func() { close(done) })
	f.t.Cleanup(release)
	type result struct {
		text string
		err  error
	}
	results := make(chan result, 1)
	go func() {
		text, err := f.call(context.Background(), "x")
		results <- result{text, err}
	}()
	return <-events, func() (string, error) {
		defer release()
		r := <-results
		return r.text, r.err
	}
}

func (f *fixture) replyTo(in *event.Event, text string) *event.Event {
	return in.Next("/krt/test/v1/a", event.TypeReply, "test.Reply", f.text("test.Reply", text))
}

// metric returns the text of the reply port's metrics.
func (f *fixture) metrics() string {
	res, err := http.Get(f.reply + "/metrics")
	require.NoError(f.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(f.t, err)
	return string(text)
}

func TestForgedAnswersAreDropped(t *testing.T) {
	f := newFixture(t)
	in, answer := f.waiting(quick())
	other := newFixture(t)
	foreign, foreignAnswer := other.waiting(quick())

	for name, forge := range map[string]func(*event.Event){
		"no token":                       func(e *event.Event) { e.ReplyToken = "" },
		"a token of garbage":             func(e *event.Event) { e.ReplyToken = "garbage" },
		"a token changed in one place":   func(e *event.Event) { e.ReplyToken = "A" + e.ReplyToken[1:] },
		"a token of another version":     func(e *event.Event) { e.ReplyToken = foreign.ReplyToken },
		"another request's right token":  func(e *event.Event) { e.CorrelationID = foreign.CorrelationID },
		"a token far too long":           func(e *event.Event) { e.ReplyToken = strings.Repeat("A", 1900) },
		"a token with no correlation id": func(e *event.Event) { e.CorrelationID = "" },
	} {
		ev := f.replyTo(in, "forged")
		forge(ev)
		if in.ReplyToken[0] == 'A' && name == "a token changed in one place" {
			ev.ReplyToken = "B" + in.ReplyToken[1:]
		}
		require.Equal(t, http.StatusAccepted, f.post("/reply", ev), name)
		require.Equal(t, http.StatusAccepted, f.post("/dead-letter", ev), name)
	}
	res, err := http.Post(f.reply+"/reply", "text/plain", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, res.StatusCode, "what is not an event at all")
	require.NoError(t, res.Body.Close())

	require.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "true")))
	text, err := answer()
	require.NoError(t, err)
	require.Equal(t, "true", text)
	metrics := f.metrics()
	require.Contains(t, metrics, `krt_replies_dropped_total{reason="bad_token"} 12`)
	require.Contains(t, metrics, `krt_replies_dropped_total{reason="no_token"} 2`)
	require.Contains(t, metrics, `krt_replies_dropped_total{reason="no_event"} 1`)

	other.post("/reply", other.replyTo(foreign, "x"))
	_, err = foreignAnswer()
	require.NoError(t, err)
}

func TestLateAndDuplicateAnswersAreDropped(t *testing.T) {
	f := newFixture(t)
	in, answer := f.waiting(quick())
	require.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "first")))
	text, err := answer()
	require.NoError(t, err)
	require.Equal(t, "first", text)
	require.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "second")))
	require.Equal(t, http.StatusAccepted, f.post("/dead-letter", in))
	require.Contains(t, f.metrics(), `krt_replies_dropped_total{reason="late"} 2`)
	require.Contains(t, f.metrics(), `krt_requests_total{code="OK",workflow="flow"} 1`)
}

func TestAnAnswerAboveTheLimitFailsTheRequest(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.MaxMessageBytes = 1000
	in, answer := f.waiting(o)
	ev := f.replyTo(in, string(make([]byte, 2000)))
	require.Equal(t, http.StatusAccepted, f.post("/reply", ev))
	_, err := answer()
	text, _ := failed(t, err, codes.ResourceExhausted)
	require.Contains(t, text, `node "a": its response is too large`)
}

func TestDeadLettersNameTheNode(t *testing.T) {
	long := base64.StdEncoding.EncodeToString([]byte("out of memory\n at line 3"))
	cases := map[string]struct {
		dest, code, data string
		want             string
		node             string
	}{
		"a node": {"http://v1-a.test.svc.cluster.local", "503", long, `node "a" responded with HTTP 503: out of memory at line 3`,
			"a"},
		"data cut anywhere": {"http://v1-a.test.svc.cluster.local/", "500", long[:11], `node "a" responded with HTTP 500: out of m`, "a"},
		"data cut badly":    {"http://v1-a.test.svc.cluster.local/", "500", long[:13], `node "a" responded with HTTP 500: out of me`, "a"},
		"no response at all": {"http://v1-a.test.svc.cluster.local/", "500",
			base64.StdEncoding.EncodeToString([]byte("dispatch error: Post \"http://v1-a\": EOF")),
			`node "a" cannot be reached: Post "http://v1-a": EOF`, "a"},
		"a channel": {"http://v1-flow-kn-sequence-1-kn-channel.test.svc.cluster.local", "500", "",
			`the workflow's channel responded with HTTP 500`, ""},
		"no attributes": {"", "", "", "the workflow's channel did not accept the event", ""},
		"hostile text":  {"::not a url", "9999999999999999999999999", "\x01%%%", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			in, answer := f.waiting(quick())
			require.Equal(t, http.StatusAccepted, f.post("/dead-letter", in,
				"Ce-Knativeerrordest", c.dest, "Ce-Knativeerrorcode", c.code, "Ce-Knativeerrordata", base64Safe(c.data)))
			_, err := answer()
			text, info := failed(t, err, codes.Unavailable)
			if c.want != "" {
				require.Equal(t, c.want, text)
			}
			require.Equal(t, c.node, info.GetMetadata()["node"])
		})
	}
}

// base64Safe keeps a header value legal for net/http.
func base64Safe(s string) string {
	if s == "\x01%%%" {
		return "%%%"
	}
	return s
}

func TestAnyReplicaTakesAReply(t *testing.T) {
	key := make([]byte, 32)
	o := quick()
	o.Key = key
	holder := newFixture(t)
	in, answer := holder.waiting(o)
	taker := newFixture(t)
	taker.serve(taker.version(node(t, "a", taker.says("a", true))), o)

	require.Equal(t, http.StatusAccepted, taker.post("/reply", taker.replyTo(in, "forwarded"), "Krt-Forwarded", "1"), "not passed on twice")
	require.Equal(t, http.StatusAccepted, taker.post("/reply", taker.replyTo(in, "passed on")))
	text, err := answer()
	require.NoError(t, err)
	require.Equal(t, "passed on", text)
	require.Contains(t, taker.metrics(), "krt_replies_forwarded_total 1")
}

func TestTheReplyPortIsProbed(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	for _, path := range []string{"/healthz", "/readyz"} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			res, err := http.Get(f.reply + path)
			require.NoError(c, err)
			defer res.Body.Close()
			require.Equal(c, http.StatusOK, res.StatusCode)
		}, time.Minute, time.Millisecond)
	}
}
