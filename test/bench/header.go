package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/process"
)

// header is that of an event as the entrypoint sends it to a workflow's first
// node, its deadline the usual 30 s from now: made anew each second, so that
// making it costs the load nothing.
type header struct {
	sync.Mutex
	made time.Time
	head http.Header
	raw  []byte
}

func (h *header) of(message string) http.Header {
	h.Lock()
	defer h.Unlock()
	h.refresh(message)
	return h.head
}

// request is the bytes of a POST of body.
func (h *header) request(message string, body []byte) []byte {
	h.Lock()
	defer h.Unlock()
	if h.refresh(message) {
		var raw bytes.Buffer
		req := &http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: "/"}, Host: "node", Header: h.head,
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		}
		_ = req.Write(&raw) // to memory: cannot fail
		h.raw = raw.Bytes()
	}
	return h.raw
}

func (h *header) refresh(message string) bool {
	if time.Since(h.made) < time.Second {
		return false
	}
	h.made = time.Now()
	id := "0123456789abcdef0123456789abcdef"
	e := event.Event{
		ID: id, Source: event.Source("local", "bench-v1", "entrypoint"), Type: event.TypeMessage, Message: message,
		CorrelationID: id, Workflow: "flow-0", Deadline: h.made.Add(30 * time.Second),
		ReplyToken: strings.Repeat("t", 91), // as long as one with a loopback address
	}
	h.head = http.Header{}
	e.WriteHeader(h.head)
	return true
}

// leastHeader is the least that a node wants of an event.
func leastHeader() http.Header {
	e := event.Event{ID: "1", Source: "/bench", Type: event.TypeMessage, Message: process.Message}
	h := http.Header{}
	e.WriteHeader(h)
	return h
}
