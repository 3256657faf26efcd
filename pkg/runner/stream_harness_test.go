package runner_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"krt.dev/kn-krt/pkg/runner/event"
)

// streamed is an event of a streaming rpc whose last node is last; "model" is the one
// under test.
func streamed(last string) *event.Event {
	e := message("hi")
	e.Stream = event.Stream{Last: last, Message: "google.protobuf.StringValue"}
	return e
}

// frames reads a stream.
type frames struct {
	t    *testing.T
	head *event.Event
	body io.Reader
}

// newFrames returns the frames of a response or a request that must be a stream.
func newFrames(t *testing.T, h http.Header, body io.Reader) *frames {
	t.Helper()
	head, err := event.ReadHeader(h)
	if err != nil || !event.IsStream(h) {
		t.Fatalf("not a stream: %v, %v", h, err)
	}
	return &frames{t, head, body}
}

func (f *frames) read() (end bool, data []byte, err error) {
	end, length, err := event.ReadFrame(f.body, 4<<20)
	if err == nil {
		data, err = event.ReadBody(f.body, int64(length), 4<<20)
	}
	return end, data, err
}

// message reads the text of the next frame, which must be a message.
func (f *frames) message() string {
	f.t.Helper()
	end, data, err := f.read()
	if err != nil || end {
		f.t.Fatalf("no message: %s, %v", data, err)
	}
	return stringOf(f.t, &event.Event{Message: f.head.Message, Data: data})
}

// end reads the next frame, which must end the stream.
func (f *frames) end() event.End {
	f.t.Helper()
	end, data, err := f.read()
	if err != nil || !end {
		f.t.Fatalf("no end: %v", err)
	}
	e, err := event.ParseEnd(data)
	if err != nil {
		f.t.Fatal(err)
	}
	return e
}

func (f *frames) cut() {
	f.t.Helper()
	if end, data, err := f.read(); err == nil {
		f.t.Fatalf("the stream went on: %v, %q", end, data)
	}
}

// outcomeOf returns the outcome that an end reports of the node.
func outcomeOf(t *testing.T, steps event.Steps) string {
	t.Helper()
	step, ok := steps.Last()
	if !ok || step.Node != "model" {
		t.Fatalf("steps %q", steps)
	}
	return step.Outcome.String()
}

// direct posts e as direct delivery does to the last node.
func (r *running) direct(t *testing.T, e *event.Event) *http.Response {
	t.Helper()
	res, err := r.ask(t, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// ask is direct for what may have no response; the body of one must be closed.
func (r *running) ask(t *testing.T, e *event.Event) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, strings.NewReader(string(e.Data)))
	if err != nil {
		t.Fatal(err)
	}
	e.WriteHeader(req.Header)
	event.AcceptStream(req.Header)
	return http.DefaultClient.Do(req)
}

// begun is direct for an event whose time may pass before the first message, "one", has been sent: then it returns nil.
func (r *running) begun(t *testing.T, e *event.Event) *frames {
	t.Helper()
	res, err := r.ask(t, e)
	if err != nil {
		return nil
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if !event.IsStream(res.Header) {
		return nil
	}
	f := newFrames(t, res.Header, res.Body)
	_, data, err := f.read()
	if err != nil {
		return nil
	}
	equal(t, "first", stringOf(t, &event.Event{Message: f.head.Message, Data: data}), "one")
	return f
}

// streamPort is a reply port that gives streams to take, and keeps what is posted to /reply.
func streamPort(t *testing.T, take http.HandlerFunc) (env map[string]string, replies chan *event.Event) {
	t.Helper()
	r := &running{replies: make(chan *event.Event, 16)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reply", r.takeReply)
	mux.HandleFunc("POST /stream", take)
	port := httptest.NewServer(mux)
	t.Cleanup(port.Close)
	return map[string]string{"KRT_REPLY_URL": port.URL}, r.replies
}
