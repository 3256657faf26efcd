package channel

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

// harness is a dispatcher behind HTTP.
type harness struct {
	t    *testing.T
	path string
	o    Options
	d    *Dispatcher
	url  string
}

func newHarness(t *testing.T, o Options) *harness {
	t.Helper()
	h := &harness{t: t, path: filepath.Join(t.TempDir(), "events"), o: o}
	h.o.Log = slog.New(slog.DiscardHandler)
	if h.o.Pause == 0 {
		h.o.Pause = 10 * time.Millisecond
	}
	if h.o.Chance == nil {
		h.o.Chance = func(percent int) bool { return percent == 100 }
	}
	h.start()
	return h
}

func (h *harness) start() {
	h.t.Helper()
	d, err := Open(h.path, h.o)
	require.NoError(h.t, err)
	server := httptest.NewServer(d)
	h.d, h.url = d, server.URL
	h.t.Cleanup(func() {
		server.Close()
		require.NoError(h.t, d.Close())
	})
}

// restart closes the dispatcher and opens its store again.
func (h *harness) restart() {
	h.t.Helper()
	require.NoError(h.t, h.d.Close())
	h.start()
}

var one = Key{"ns", "one"}

// channel makes a channel with a subscriber known.
func (h *harness) channel(key Key, f Faults, subscribers ...Subscriber) {
	h.t.Helper()
	require.NoError(h.t, h.d.Set(Channel{key, subscribers, f}))
}

func (h *harness) address(key Key) string { return h.url + "/" + key.Namespace + "/" + key.Name }

// post sends an event and returns the status, 0 if the connection broke.
func (h *harness) post(key Key, id, data string, headers ...string) (int, string) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.address(key), bytes.NewReader([]byte(data)))
	require.NoError(h.t, err)
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": id, "Ce-Source": "/test", "Ce-Type": "t", "Content-Type": "text/plain", "Ce-Krtworkflow": "w",
	} {
		request.Header.Set(name, value)
	}
	for n := 0; n < len(headers); n += 2 {
		request.Header.Set(headers[n], headers[n+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(h.t, err)
	return response.StatusCode, string(body)
}

func (h *harness) accepted(key Key, id, data string) {
	h.t.Helper()
	status, text := h.post(key, id, data)
	require.Equal(h.t, http.StatusAccepted, status, text)
}

// eventually waits until the dispatcher's counts are as they should be.
func (h *harness) eventually(is func(Counts) bool) Counts {
	h.t.Helper()
	var last Counts
	require.Eventually(h.t, func() bool { last = h.d.Counts(); return is(last) }, patience, time.Millisecond, "counts")
	return last
}

// idle waits until nothing is left to be delivered.
func (h *harness) idle() Counts {
	h.t.Helper()
	return h.eventually(func(c Counts) bool { return c.Pending == 0 && h.d.journal.Bytes() == 0 })
}

// sink is a server that notes what it is sent and responds as it is told.
type sink struct {
	*httptest.Server
	mu   sync.Mutex
	got  []*http.Request
	data []string
	// respond is asked for each request by its number, which begins at 0.
	respond func(w http.ResponseWriter, n int, r *http.Request, data string)
}

func newSink(t *testing.T, respond func(http.ResponseWriter, int, *http.Request, string)) *sink {
	t.Helper()
	s := &sink{respond: respond}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		n := len(s.got)
		s.got, s.data = append(s.got, r), append(s.data, string(data))
		s.mu.Unlock()
		if s.respond != nil {
			s.respond(w, n, r, string(data))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// texts are the data that have come, in order.
func (s *sink) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.data...)
}

// times counts how often each data has come.
func (s *sink) times() map[string]int {
	times := map[string]int{}
	for _, text := range s.texts() {
		times[text]++
	}
	return times
}

// echo responds with an event: the data marked by a name.
func echo(name string) func(http.ResponseWriter, int, *http.Request, string) {
	return func(w http.ResponseWriter, _ int, r *http.Request, data string) {
		for header, values := range r.Header {
			w.Header()[header] = values
		}
		w.Header().Del("Content-Length")
		fmt.Fprint(w, data+">"+name)
	}
}

// status responds with that status to the first requests.
func status(code, times int) func(http.ResponseWriter, int, *http.Request, string) {
	return func(w http.ResponseWriter, n int, _ *http.Request, _ string) {
		if n < times {
			http.Error(w, "not now", code)
		}
	}
}

// to is a subscriber at that address.
func to(uid, url, reply, dead string, retry int) Subscriber {
	s := Subscriber{UID: uid, Generation: 1, SubscriberURI: url, ReplyURI: reply}
	s.Delivery.Retry, s.Delivery.BackoffDelay, s.Delivery.BackoffPolicy = retry, "PT0.001S", "exponential"
	s.Delivery.DeadLetterSink.URI = dead
	return s
}
