package runner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// maxCopies is how many copies may wait to be posted; further ones are dropped.
	maxCopies = 16
	// copyTime limits the post of one copy, copiesTime those of all that remain when the
	// node stops.
	copyTime   = 2 * time.Second
	copiesTime = time.Second
)

// copies posts copies of the events with which the node responds to the path /inspect of
// the reply port, for requests that are inspected. They are of use to people only: no
// call waits for them, and none is posted twice.
type copies struct {
	url     string // empty: nothing is posted
	client  *http.Client
	log     *slog.Logger
	dropped atomic.Int64

	queue    chan copied
	start    sync.Once     // of the goroutine, with the first copy: most nodes need none
	stopping chan struct{} // closed when no more copies come
	ended    chan struct{} // closed when all have been posted or dropped
	life     context.Context
	end      context.CancelFunc // of life, and with it of the post in progress
}

// copied is a copy as it is posted.
type copied struct {
	header http.Header
	data   []byte
}

func newCopies(to *replies, log *slog.Logger) *copies {
	x := &copies{
		client: to.client, log: log,
		queue: make(chan copied, maxCopies), stopping: make(chan struct{}), ended: make(chan struct{}),
	}
	if to.url != "" {
		x.url = strings.TrimSuffix(to.url, replyPath) + "/inspect"
	}
	x.life, x.end = context.WithCancel(context.Background())
	return x
}

// add has a copy of e posted, if its request is inspected. It does not wait, and keeps
// none of e's data.
func (x *copies) add(e *event.Event) {
	if e.Inspect == 0 || e.ReplyToken == "" || x.url == "" {
		return
	}
	x.start.Do(func() { go x.run() })
	if len(x.queue) == cap(x.queue) { // not worth a copy
		x.drop(errTooMany)
		return
	}
	c := copied{header: make(http.Header, 20)}
	c.data = bytes.Clone(e.WriteCopy(c.header))
	select {
	case x.queue <- c:
	default:
		x.drop(errTooMany)
	}
}

var errTooMany = errors.New("too many are waiting")

// run posts copies until none come any more.
func (x *copies) run() {
	defer close(x.ended)
	for {
		select {
		case c := <-x.queue:
			x.post(c)
		case <-x.stopping:
			for {
				select {
				case c := <-x.queue:
					x.post(c)
				default:
					return
				}
			}
		}
	}
}

// post posts a copy once. Whatever the response, it is final.
func (x *copies) post(c copied) {
	ctx, cancel := context.WithTimeout(x.life, copyTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url, bytes.NewReader(c.data))
	if err != nil {
		x.drop(err)
		return
	}
	req.Header = c.header
	res, err := x.client.Do(req)
	if err != nil {
		x.drop(err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10)) // or the connection is not reused
}

func (x *copies) drop(err error) {
	x.log.Debug("copy for inspection dropped", "error", err, "dropped", x.dropped.Add(1))
}

// close posts the copies that wait, within copiesTime. No call may be running any more:
// copies that come later are dropped.
func (x *copies) close() {
	x.start.Do(func() { close(x.ended) }) // unless it has been started
	close(x.stopping)
	timer := time.AfterFunc(copiesTime, x.end)
	defer timer.Stop()
	<-x.ended
	x.end()
}
