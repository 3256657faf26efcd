// Package stream keeps a page in a browser up to date by server-sent events (HTML Standard, 9.2):
// it renders the parts of a page again after changes, and sends those that differ.
package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/http"
	"strings"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/legible"
)

// Bounds of a stream. Beats come sooner than the idle timeouts of usual proxies (60 s).
const (
	leastPause   = 400 * time.Millisecond // between two renderings of a page
	beatInterval = 15 * time.Second
)

// Stream is the events of one page. Each is a [Message] as JSON.
type Stream struct {
	mu    sync.Mutex
	w     http.ResponseWriter
	out   *http.ResponseController
	seed  maphash.Seed
	known map[string]uint64 // hashes of what the browser has, by id
	// stale says that the page shows a problem. Only Follow's goroutine uses it.
	stale bool
}

// Message is an event. Its Kind is
//
//	fragment  HTML replaces the element with the ID
//	problem   Text says why the page cannot be brought up to date
//	gone      the same, for good: what the page is of does not exist any more
//	own       an event of the page's own script, Name and Data
//	beat      the page is up to date: a problem that it shows is over
type Message struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	HTML string `json:"html,omitempty"`
	Text string `json:"text,omitempty"`
	Name string `json:"name,omitempty"`
	Data any    `json:"data,omitempty"`
}

// Part is a part of a page: the element with that id.
type Part struct {
	ID, HTML string
	// Key replaces the HTML in the comparison of what has changed, if it is not empty: for an
	// element whose children are parts of their own.
	Key string
}

// Open begins the response. That a browser does not read it is the writer's to end.
func Open(w http.ResponseWriter) *Stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	return &Stream{w: w, out: http.NewResponseController(w), seed: maphash.MakeSeed(), known: map[string]uint64{}}
}

// Own sends an event of the page's own: the script gets it as the DOM event "krt:<name>", with the
// data as its detail. The browser names the id of the last event when it connects again, in the
// query parameter "last"; an empty id leaves it as it is.
func (s *Stream) Own(name, id string, data any) error {
	return s.send(id, Message{Kind: "own", Name: name, Data: data})
}

// Problem shows why the page cannot be brought up to date.
func (s *Stream) Problem(text string) error {
	s.stale = true
	return s.send("", Message{Kind: "problem", Text: legible.Printable(text)})
}

// Gone shows that what the page is of does not exist any more.
func (s *Stream) Gone(text string) error {
	return s.send("", Message{Kind: "gone", Text: legible.Printable(text)})
}

// send writes one message.
func (s *Stream) send(id string, m Message) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // it is never part of a page
	if err := enc.Encode(m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != "" {
		fmt.Fprintf(s.w, "id: %s\n", oneLine(id))
	}
	if _, err := fmt.Fprintf(s.w, "data: %s\n", text.Bytes()); err != nil { // JSON has no line ends, Encode adds one
		return err
	}
	return s.out.Flush()
}

// oneLine keeps an id from ending its line of the stream.
func oneLine(id string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, id)
}

// Update sends the parts that differ from those of the last update. Then the page is up to date:
// a problem that it shows is over.
func (s *Stream) Update(parts []Part) error {
	now := make(map[string]uint64, len(parts))
	for _, part := range parts {
		hash := maphash.String(s.seed, part.HTML)
		if part.Key != "" {
			hash = maphash.String(s.seed, part.Key)
		}
		now[part.ID] = hash
		if before, ok := s.known[part.ID]; ok && before == hash {
			continue
		}
		if err := s.send("", Message{Kind: "fragment", ID: part.ID, HTML: part.HTML}); err != nil {
			return err
		}
	}
	s.known, s.stale = now, false
	return s.send("", Message{Kind: "beat"})
}

// Follower calls changed when the page may have changed, until ctx is done.
type Follower func(ctx context.Context, changed func()) error

// Follow calls refresh after changes, never more often than once in 0.4 s, until ctx is done, or
// until a follower or refresh fails. After a follower's failure it refreshes once more. As long as
// the page shows a problem, it refreshes without a change, too. All followers have returned then.
func (s *Stream) Follow(ctx context.Context, followers []Follower, refresh func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	changed, ended := make(chan struct{}, 1), make(chan error, len(followers))
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // one is waiting
		}
	}
	var running sync.WaitGroup
	defer running.Wait() // nobody writes to a response that has ended
	defer cancel()
	for _, follow := range followers {
		running.Go(func() { ended <- follow(ctx, notify) })
	}
	return s.pump(ctx, changed, ended, refresh)
}

func (s *Stream) pump(ctx context.Context, changed <-chan struct{}, ended <-chan error, refresh func(context.Context) error) error {
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	waiting := changed
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err = <-ended: // nil: it has nothing more to say
			if err != nil {
				_ = refresh(ctx) // how it ended: a run's last state is its most interesting one
			}
		case <-beat.C:
			if s.stale { // a beat would say that it is not
				err = refresh(ctx)
			} else {
				err = s.send("", Message{Kind: "beat"})
			}
		case <-pause.C:
			waiting = changed
		case <-waiting:
			waiting = nil
			err = refresh(ctx)
			pause.Reset(leastPause)
		}
		if err != nil {
			return err
		}
	}
}
