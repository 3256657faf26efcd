package pyrunner_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner/event"
)

// streaming is an event of an rpc that returns a stream of StringValues; last is the last
// node of its workflow.
func streaming(text, last string) *event.Event {
	e := request(text)
	e.Stream = event.Stream{Last: last, Message: e.Message}
	return e
}

// reading is a stream that a node responds with, or posts.
type reading struct {
	t      testing.TB
	header http.Header
	body   io.Reader
	leave  func()
}

// open posts e, whose response may be a stream, and waits until that begins.
func (n *node) open(e *event.Event) *reading {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	n.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url, bytes.NewReader(e.Data))
	require.NoError(n.t, err)
	e.WriteHeader(req.Header)
	event.AcceptStream(req.Header)
	res, err := http.DefaultClient.Do(req)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(n.t, http.StatusOK, res.StatusCode)
	require.True(n.t, event.IsStream(res.Header), res.Header)
	return &reading{n.t, res.Header, res.Body, cancel}
}

// frame returns the payload of the next frame.
func (r *reading) frame() (payload []byte, end bool) {
	r.t.Helper()
	end, length, err := event.ReadFrame(r.body, 4<<20)
	require.NoError(r.t, err)
	payload = make([]byte, length)
	_, err = io.ReadFull(r.body, payload)
	require.NoError(r.t, err)
	return payload, end
}

// next returns the next message, or the end.
func (r *reading) next() (text string, end *event.End) {
	r.t.Helper()
	payload, isEnd := r.frame()
	if isEnd {
		read, err := event.ParseEnd(payload)
		require.NoError(r.t, err)
		return "", &read
	}
	var value wrapperspb.StringValue
	require.NoError(r.t, proto.Unmarshal(payload, &value))
	return value.Value, nil
}

// message returns the next message.
func (r *reading) message() string {
	r.t.Helper()
	text, end := r.next()
	require.Nil(r.t, end)
	return text
}

// all returns the messages that are left, and the end.
func (r *reading) all() (texts []string, end *event.End) {
	r.t.Helper()
	for {
		text, end := r.next()
		if end != nil {
			return texts, end
		}
		texts = append(texts, text)
	}
}

// posted is a stream that a node has posted to the reply port: all of it.
type posted struct {
	event *event.Event
	texts []string
	end   event.End
}

// takeStream accepts a stream that is posted to the reply port.
func takeStream(t testing.TB, to chan<- posted, w http.ResponseWriter, r *http.Request) {
	e, err := event.ReadHeader(r.Header)
	if err != nil || !event.IsStream(r.Header) {
		t.Errorf("a stream that cannot be read: %v %v", r.Header, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	texts, end := (&reading{t: t, body: r.Body}).all()
	to <- posted{e, texts, *end}
	w.WriteHeader(http.StatusAccepted)
}
