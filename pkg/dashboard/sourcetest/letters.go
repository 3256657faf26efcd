package sourcetest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/letter/port"
	queueport "krt.dev/kn-krt/pkg/queue/port"
)

// Inspect calls f with the Port.
func (m *Memory) Inspect(ctx context.Context, _ source.Ref, f func(context.Context, *inspection.Client) error) error {
	if m.Port == nil {
		return &source.RefusedError{Refusal: source.Unavailable, Text: "no entrypoint is ready"}
	}
	at, err := inspection.New("http://memory", &http.Client{Transport: handled{m.Port}})
	if err != nil {
		return err
	}
	return source.OfPort(f(ctx, at), "Look at it: kn krt doctor", "Restart it: kn krt restart a-1")
}

// handled sends requests to a handler.
type handled struct{ http.Handler }

// RoundTrip implements [http.RoundTripper].
func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// Letters is an inspection port with dead letters and a queue in memory.
type Letters struct {
	mu       sync.Mutex
	all      []port.Letter // newest first
	replayed []string
	away     string // why nothing can be read
	queue    *queueport.Report
	more     string
}

// Set replaces the letters, newest first, and the queue.
func (l *Letters) Set(all []port.Letter, queue *queueport.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.queue = slices.Clone(all), queue
}

// SetAway sets why nothing can be read; empty if it can.
func (l *Letters) SetAway(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = why
}

// SetMore makes each list one that has a next page of the name.
func (l *Letters) SetMore(next string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more = next
}

// Replayed are the ids of the letters that were replayed, which stay.
func (l *Letters) Replayed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.replayed)
}

// Left is how many letters there are.
func (l *Letters) Left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// ServeHTTP implements [http.Handler].
func (l *Letters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != "" {
		http.Error(w, l.away, http.StatusServiceUnavailable)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /letters/dead", l.list)
	mux.HandleFunc("GET /letters/dead/{id...}", l.get)
	mux.HandleFunc("DELETE /letters/dead/{id...}", l.remove)
	mux.HandleFunc("POST /letters/dead/{request}/{step}/replay", l.replay)
	if l.queue != nil {
		mux.HandleFunc("GET /queue", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(l.queue) })
	}
	mux.ServeHTTP(w, r)
}

func (l *Letters) list(w http.ResponseWriter, r *http.Request) {
	page := letter.Page{Next: l.more}
	for i := range l.all {
		if one := l.all[i].Letter; r.URL.Query().Get("workflow") == "" || one.Workflow == r.URL.Query().Get("workflow") {
			page.Letters = append(page.Letters, one)
		}
	}
	_ = json.NewEncoder(w).Encode(page)
}

// find is the place of the letter of an id; of one that is not there, it responds.
func (l *Letters) find(w http.ResponseWriter, id string) int {
	at := slices.IndexFunc(l.all, func(one port.Letter) bool { return one.ID == id })
	if at < 0 {
		http.Error(w, "no letter with this id is kept", http.StatusNotFound)
	}
	return at
}

func (l *Letters) get(w http.ResponseWriter, r *http.Request) {
	if at := l.find(w, r.PathValue("id")); at >= 0 {
		_ = json.NewEncoder(w).Encode(l.all[at])
	}
}

func (l *Letters) remove(w http.ResponseWriter, r *http.Request) {
	if at := l.find(w, r.PathValue("id")); at >= 0 {
		l.all = slices.Delete(l.all, at, at+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (l *Letters) replay(w http.ResponseWriter, r *http.Request) {
	id := strings.Join([]string{r.PathValue("request"), r.PathValue("step")}, "/")
	at := l.find(w, id)
	switch {
	case at < 0:
	case l.all[at].Message == "":
		http.Error(w, "cannot replay the dead letter "+id+": the letter has no event", http.StatusConflict)
	default:
		l.replayed = append(l.replayed, id)
		w.WriteHeader(http.StatusAccepted)
	}
}
