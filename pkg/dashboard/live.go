package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Bounds of streams. Beat is below the idle timeouts of usual proxies (60 s).
const (
	maxStreams   = 256
	leastPause   = 400 * time.Millisecond // between two renderings of a page
	beatInterval = 15 * time.Second
	writeTimeout = 20 * time.Second
)

// stream is one page's server-sent events (HTML Standard, 9.2). Each message is a JSON object; its
// "kind" is
//
//	fragment  "html" replaces the element with the id
//	problem   "text" says why the page cannot be brought up to date
//	gone      the same, for good: the version does not exist any more
//	own       an event of the page's own script, "name" and "data"
//	beat      nothing has happened
type stream struct {
	mu    sync.Mutex
	w     http.ResponseWriter
	out   *http.ResponseController
	seed  maphash.Seed
	known map[string]uint64 // hashes of what the browser has, by id
}

type message struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	HTML string `json:"html,omitempty"`
	Text string `json:"text,omitempty"`
	Name string `json:"name,omitempty"`
	Data any    `json:"data,omitempty"`
}

// send writes one message; id is what a browser that connects again names as the last it has seen.
func (s *stream) send(id string, m message) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // it is never part of a page
	if err := enc.Encode(m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// A server behind a test or a proxy may not have deadlines; the write ends with the connection.
	_ = s.out.SetWriteDeadline(time.Now().Add(writeTimeout))
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
	text := []byte(id)
	for i, c := range text {
		if c < ' ' {
			text[i] = ' '
		}
	}
	return string(text)
}

// own sends an event of the page's own: the script gets it as the DOM event "krt:<name>", with the
// data as its detail. After a reconnect the query parameter "last" is the last id.
func (s *stream) own(name, id string, data any) error {
	return s.send(id, message{Kind: "own", Name: name, Data: data})
}

// stream serves the events of a page.
func (d *Dashboard) stream(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		select {
		case d.streams <- struct{}{}:
			defer func() { <-d.streams }()
		default:
			http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
			return
		}
		r, err := d.open(hr)
		if err != nil {
			f := explain(err)
			http.Error(w, f.Text, f.Status)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // nginx would keep events back
		if hr.Method == http.MethodHead {
			return
		}
		s := &stream{w: w, out: http.NewResponseController(w), seed: maphash.MakeSeed(), known: map[string]uint64{}}
		if err := d.follow(r, p, s); err != nil && hr.Context().Err() == nil {
			_ = s.send("", message{Kind: "problem", Text: explain(err).Text}) // the last one, whether it arrives or not
		}
	}
}

// follow sends what changes until the request ends or something fails.
func (d *Dashboard) follow(r *request, p page, s *stream) error {
	ctx, cancel := context.WithCancel(r.Context())
	changed, ended := make(chan struct{}, 1), make(chan error, 3)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // one is waiting
		}
	}
	var followers sync.WaitGroup
	defer followers.Wait() // nobody writes to a response that has ended
	defer cancel()
	follower := func(follow func() error) {
		followers.Go(func() { ended <- follow() })
	}
	if p.keep != nil {
		r.kept = p.keep()
	}
	theirs := *r // refreshing changes r
	follower(func() error { return theirs.source.Watch(ctx, theirs.ref, notify) })
	if p.follow != nil {
		follower(func() error { return p.follow(ctx, &theirs, notify) })
	}
	if p.own != nil {
		follower(func() error { return p.own(ctx, &theirs, s.own) })
	}
	return d.pump(ctx, r, p, pumped{s, changed, ended})
}

// pumped is what a stream waits for.
type pumped struct {
	*stream
	changed <-chan struct{}
	ended   <-chan error
}

// pump renders after changes, never more often than once in leastPause.
func (d *Dashboard) pump(ctx context.Context, r *request, p page, s pumped) error {
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	waiting := s.changed
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err = <-s.ended: // nil: it has nothing more to say
			if err != nil {
				_ = d.refresh(ctx, r, p, s.stream) // how it ended: a run's last state is its most interesting one
			}
		case <-beat.C:
			err = s.send("", message{Kind: "beat"})
		case <-pause.C:
			waiting = s.changed
		case <-waiting:
			waiting = nil
			err = d.refresh(ctx, r, p, s.stream)
			pause.Reset(leastPause)
		}
		if err != nil {
			return err
		}
	}
}

// refresh renders the live parts, and sends those that have changed. What the source cannot say
// now is reported on the page, and tried again after the next change.
func (d *Dashboard) refresh(ctx context.Context, r *request, p page, s *stream) error {
	parts, err := d.parts(ctx, r, p)
	var unknown *source.NotFoundError
	switch {
	case errors.As(err, &unknown):
		return s.send("", message{Kind: "gone", Text: err.Error()})
	case err != nil:
		return s.send("", message{Kind: "problem", Text: explain(err).Text})
	}
	now := make(map[string]uint64, len(parts))
	for _, part := range parts {
		html, err := d.fragment(p, part)
		if err != nil {
			return err
		}
		hash := maphash.String(s.seed, html)
		if part.key != "" {
			hash = maphash.String(s.seed, part.key)
		}
		now[part.id] = hash
		if before, ok := s.known[part.id]; ok && before == hash {
			continue
		}
		if err := s.send("", message{Kind: "fragment", ID: part.id, HTML: html}); err != nil {
			return err
		}
	}
	s.known = now
	return s.send("", message{Kind: "beat"}) // up to date: the end of a problem that was shown
}

// parts are the live parts of the page, as they are now.
func (d *Dashboard) parts(ctx context.Context, r *request, p page) (parts []fragment, err error) {
	if r.version != nil {
		if r.version, err = r.source.Version(ctx, r.ref); err != nil {
			return nil, err
		}
		parts = sideFragments(d.side(ctx, r, p))
	}
	if p.live == nil {
		return parts, nil
	}
	view, err := p.view(r)
	if err != nil {
		return nil, err
	}
	return append(parts, p.live(view)...), nil
}

// fragment renders a part.
func (d *Dashboard) fragment(p page, part fragment) (string, error) {
	var html bytes.Buffer
	err := d.templates[p.name].ExecuteTemplate(&html, part.template, part.data)
	return html.String(), err
}
