package capture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// maxHeaderBytes bounds the header of a request to the inspection port.
	maxHeaderBytes = 8 << 10
	// headerTime is how long it may take to come.
	headerTime = 10 * time.Second
	// writeTime is how long a client may read nothing of its response.
	writeTime = time.Minute
	// aliveTime is how often a client that follows gets an empty line, so that a connection
	// that is broken is noticed.
	aliveTime = 15 * time.Second
	// batch is how many records are written to a client that follows at a time.
	batch = 32
	// linesType is the media type of a response that follows.
	linesType = "application/jsonl"
)

// Server returns the server of the inspection port, which ends responses that follow when
// base is done. More are further patterns that it serves. It serves whoever reaches it: listen on a
// loopback address only.
func (c *Capture) Server(base context.Context, more map[string]http.HandlerFunc) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, r *http.Request) { c.serveList(base, w, r) })
	mux.HandleFunc("GET /requests/{id}", c.serveOne)
	mux.HandleFunc("GET /differences", c.serveDifferences)
	for pattern, handle := range more {
		mux.HandleFunc(pattern, handle)
	}
	return &http.Server{
		Handler: guard(mux), ReadHeaderTimeout: headerTime, IdleTimeout: writeTime, MaxHeaderBytes: maxHeaderBytes,
		WriteTimeout: writeTime, // a response that follows sets its own
	}
}

// guard refuses what a page in a browser sends: what is kept is for programs, and for a
// person who enters the address.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		if r.Header.Get("Origin") != "" || site != "" && site != "none" {
			http.Error(w, "a browser sent this request for a page, and pages may not read the requests of a version", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (c *Capture) serveList(base context.Context, w http.ResponseWriter, r *http.Request) {
	f, follow, err := inspection.ParseFilter(r.URL.Query())
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case follow && r.Method == http.MethodHead: // it would wait for lines that it does not get
		w.Header().Set("Content-Type", linesType)
	case follow:
		c.follow(base, w, r, f)
	default:
		write(w, inspection.List{Requests: c.list(f)})
	}
}

// serveOne shows one request with its messages; others wait for their turn.
func (c *Capture) serveOne(w http.ResponseWriter, r *http.Request) {
	if !c.turn(w, r) {
		return
	}
	defer func() { <-c.shows }()
	id := r.PathValue("id")
	found := c.get(id)
	if found == nil {
		text := fmt.Sprintf("request %q is not kept: each entrypoint keeps its last %d requests", clip.Text(id, 64), inspection.MaxRequests)
		http.Error(w, text, http.StatusNotFound)
		return
	}
	write(w, found)
}

// turn waits for a place in shows, which the client then has, unless it leaves.
func (c *Capture) turn(w http.ResponseWriter, r *http.Request) bool {
	select {
	case c.shows <- struct{}{}:
	case <-r.Context().Done():
		return false
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // waiting took of it
	return true
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = encoder(w).Encode(value)
}

// encoder writes JSON that is not for a page of HTML.
func encoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// reader registers a client that follows; nil if there are too many. The number is that of
// the next record.
func (c *Capture) reader() (woken chan struct{}, number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.readers) == maxReaders {
		return nil, 0
	}
	woken = make(chan struct{}, 1)
	woken <- struct{}{} // for what is there already
	c.readers[woken] = struct{}{}
	return woken, c.next
}

func (c *Capture) leave(woken chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.readers, woken)
}

// follow writes requests as they end. What a client that reads slowly has not got yet waits
// in the ring alone, so that it loses the oldest.
func (c *Capture) follow(base context.Context, w http.ResponseWriter, r *http.Request, f inspection.Filter) {
	woken, number := c.reader()
	if woken == nil {
		http.Error(w, fmt.Sprintf("%d clients follow the requests already", maxReaders), http.StatusServiceUnavailable)
		return
	}
	defer c.leave(woken)
	w.Header().Set("Content-Type", linesType)
	out := lines{http.NewResponseController(w), encoder(w)}
	if !out.earlier(c, f, number) {
		return
	}
	alive := time.NewTicker(aliveTime)
	defer alive.Stop()
	for {
		select {
		case <-woken:
			next, ok := out.since(c, f, number)
			if !ok {
				return
			}
			number = next
		case <-alive.C:
			if _, err := w.Write([]byte("\n")); err != nil || !out.flush() {
				return
			}
		case <-r.Context().Done():
			return
		case <-base.Done():
			return
		}
	}
}

// lines writes the lines of a response that follows.
type lines struct {
	control *http.ResponseController
	json    *json.Encoder
}

func (l *lines) line(line inspection.Line) bool {
	_ = l.control.SetWriteDeadline(time.Now().Add(writeTime))
	return l.json.Encode(line) == nil
}

func (l *lines) flush() bool {
	_ = l.control.SetWriteDeadline(time.Now().Add(writeTime))
	return l.control.Flush() == nil
}

// earlier writes the newest kept requests before the number that f selects, oldest first.
func (l *lines) earlier(c *Capture, f inspection.Filter, number uint64) bool {
	records, _, lost := c.since(number-min(number, inspection.MaxRequests), inspection.MaxRequests)
	var selected []inspection.Request
	for _, s := range records[:max(0, min(len(records), int(min(number, inspection.MaxRequests))-lost))] {
		if r := s.view(); f.Match(&r) {
			selected = append(selected, r)
		}
	}
	selected = selected[len(selected)-min(f.Limit, len(selected)):]
	for i := range selected {
		if !l.line(inspection.Line{Request: &selected[i]}) {
			return false
		}
	}
	return l.flush()
}

// since writes the requests from the number on that f selects, and returns the number
// that follows them.
func (l *lines) since(c *Capture, f inspection.Filter, number uint64) (next uint64, ok bool) {
	for {
		records, next, lost := c.since(number, batch)
		if lost > 0 && !l.line(inspection.Line{Lost: lost}) {
			return next, false
		}
		for _, s := range records {
			r := s.view()
			if f.Match(&r) && !l.line(inspection.Line{Request: &r}) {
				return next, false
			}
		}
		if number = next; len(records) < batch {
			return next, l.flush()
		}
	}
}
