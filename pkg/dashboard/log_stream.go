package dashboard

import (
	"context"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/logview"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

const (
	// gather is how long lines are gathered before they are sent: it bounds how often a browser
	// has to draw, and with the size of a batch how much is sent.
	gather = 250 * time.Millisecond
	// noneYet is after what time a stream says that there are no lines yet.
	noneYet = time.Second
)

// logBatch is the data of the event "logs".
type logBatch struct {
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

// logLinks makes the links of lines.
type logLinks struct {
	link linker
	ref  source.Ref
}

// Request implements [logview.Links].
func (l logLinks) Request(id string) string { return l.link.Page(l.ref, "requests/"+id) }

// Only implements [logview.Links].
func (l logLinks) Only(id string) string { return l.link.Page(l.ref, "logs", "id", id) }

// logStream sends the lines of one page.
type logStream struct {
	draw  *logview.Drawer
	links logLinks
	feed  *logview.Feed
	notes chan string
	send  func(name, id string, data any) error
	begun bool // the first lines are sent
}

// followLogs sends the lines that the page's query selects until ctx ends. Memory and what is sent
// are bounded, however much is logged: what a browser cannot show in time is counted and not sent.
func followLogs(ctx context.Context, r *request, draw *logview.Drawer, send func(name, id string, data any) error) error {
	f, q := newLogFilter(r, time.Now())
	s := &logStream{
		draw: draw, links: logLinks{r.link, r.ref}, feed: logview.NewFeed(), notes: make(chan string, maxNotes), send: send,
	}
	if f.Problem != "" {
		return s.flush()
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- s.read(ctx, r, q)
	}()
	defer func() {
		cancel()
		for range ended { // until it is closed: nothing is read for a stream that has ended
		}
	}()
	return s.pump(ctx, ended)
}

// read reads lines until ctx ends, or to the end of a query that has one.
func (s *logStream) read(ctx context.Context, r *request, q source.LogQuery) error {
	to := source.LogHandler{
		Line: s.feed.Add, Lost: s.feed.Lose,
		Failed: func(text string) {
			select {
			case s.notes <- text:
			default: // enough of them wait
			}
		},
	}
	if !q.To.IsZero() && q.To.Before(time.Now()) {
		return r.source.Logs(ctx, r.ref, q, to)
	}
	if !q.Selective() {
		q.Tail = logTail
	}
	return r.source.FollowLogs(ctx, r.ref, q, to)
}

// pump sends batches until ctx or the reading ends.
func (s *logStream) pump(ctx context.Context, ended <-chan error) error {
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
func (s *logStream) flush() error {
	b := s.feed.Take()
	html, err := s.draw.Draw(b.Lines, s.links)
	if err != nil {
		return err
	}
	batch := logBatch{Reset: !s.begun, HTML: string(html), Lines: len(b.Lines), Dropped: b.Dropped}
	for len(s.notes) > 0 {
		batch.Notes = append(batch.Notes, <-s.notes)
	}
	if s.begun && batch.Lines == 0 && batch.Dropped == 0 && len(batch.Notes) == 0 {
		return nil
	}
	if batch.Reset {
		batch.Dropped = 0 // of what was before the first lines, no page shows anything
	}
	s.begun = true
	return s.send("logs", "", batch)
}
