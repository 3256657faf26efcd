package logview

import (
	"context"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

const (
	// gather is how long lines are gathered before they are sent: it bounds how often a browser
	// has to draw, and with the size of a batch how much is sent.
	gather = 250 * time.Millisecond
	// noneYet is after what time a stream says that there are no lines yet.
	noneYet = time.Second
	// tail is how many of each log's last lines a stream begins with, unless it is looking for some.
	tail = 500
	// maxNotes bounds the sentences that wait.
	maxNotes = 5
)

// Version is a version whose lines are read.
type Version struct {
	Source source.LogReaders
	Ref    source.Ref
}

// Event is what a page gets of its lines at a time.
type Event struct {
	// Reset says that the lines are the first ones: those that are shown are not a part of them.
	Reset bool `json:"reset,omitempty"`
	// HTML has an element for each line.
	HTML string `json:"html"`
	// Lines counts them, and Dropped the lines that are missing before them.
	Lines   int `json:"lines"`
	Dropped int `json:"dropped,omitempty"`
	// Notes are sentences about logs that cannot be read.
	Notes []string `json:"notes,omitempty"`
}

// stream sends the lines of one page.
type stream struct {
	draw  *Drawer
	links Links
	feed  *Feed
	notes chan string
	send  func(Event) error
	begun bool // the first lines are sent
}

// Follow sends the lines that a page's query selects until ctx ends. Memory and what is sent are
// bounded, however much is logged: what a browser cannot show in time is counted and not sent. A
// query with a problem has no lines.
func (d *Drawer) Follow(ctx context.Context, from Version, f Filter, q source.LogQuery, page Page) error {
	s := &stream{draw: d, links: page.Links, feed: NewFeed(), notes: make(chan string, maxNotes), send: page.Send}
	if f.Problem != "" {
		return s.flush()
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- s.read(ctx, from, q)
	}()
	defer func() {
		cancel()
		for range ended { // until it is closed: nothing is read for a stream that has ended
		}
	}()
	return s.pump(ctx, ended)
}

// Page is where lines are shown.
type Page struct {
	Links Links
	// Send sends an event. It may take its time: lines that come meanwhile are gathered or dropped.
	Send func(Event) error
}

// read reads lines until ctx ends, or to the end of a query that has one.
func (s *stream) read(ctx context.Context, from Version, q source.LogQuery) error {
	to := source.LogHandler{
		Line: s.feed.Add, Lost: s.feed.Lose,
		Failed: func(text string) {
			select {
			case s.notes <- Clean(text):
				s.feed.signal()
			default: // enough of them wait
			}
		},
	}
	if !q.To.IsZero() && q.To.Before(time.Now()) {
		return from.Source.Logs(ctx, from.Ref, q, to)
	}
	if !q.Selective() {
		q.Tail = tail
	}
	return from.Source.FollowLogs(ctx, from.Ref, q, to)
}

// pump sends batches until ctx or the reading ends.
func (s *stream) pump(ctx context.Context, ended <-chan error) error {
	empty := time.NewTimer(noneYet)
	defer empty.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			if flushed := s.flush(); flushed != nil {
				return flushed
			}
			return err
		case <-s.feed.Ready():
		case <-empty.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(gather):
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
}

// flush sends what waits.
func (s *stream) flush() error {
	b := s.feed.Take()
	html, err := s.draw.Draw(b.Lines, s.links)
	if err != nil {
		return err
	}
	e := Event{Reset: !s.begun, HTML: string(html), Lines: len(b.Lines), Dropped: b.Dropped}
	for len(s.notes) > 0 {
		e.Notes = append(e.Notes, <-s.notes)
	}
	if s.begun && e.Lines == 0 && e.Dropped == 0 && len(e.Notes) == 0 {
		return nil
	}
	if e.Reset {
		e.Dropped = 0 // of what was before the first lines, no page shows anything
	}
	s.begun = true
	return s.send(e)
}
