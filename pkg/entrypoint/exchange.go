package entrypoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Retry says how often and how fast a failed exchange is tried again.
type Retry struct {
	// Count is the number of tries after the first; negative means none.
	Count int
	// Delay is the pause before the first retry; it doubles with each.
	Delay time.Duration
	// Patience is how long a Sequence is tried again that takes no connection, or
	// whose dispatcher does not know it yet: then no step can have run.
	Patience time.Duration
}

// exchange posts events and reads the events that answer them.
type exchange struct {
	client  *client
	buffers *bufferPool
	limit   int64 // bytes of an answer's data
	retry   Retry
	retries func()
}

func (e *Entrypoint) newExchange() *exchange {
	return &exchange{
		client:  e.client,
		buffers: e.buffers,
		limit:   int64(e.options.MaxMessageBytes),
		retry:   e.options.Retry,
		retries: e.metrics.retries.Inc,
	}
}

// answerError is an HTTP answer that is no success.
type answerError struct {
	status int
	text   string
	header http.Header
}

func (a *answerError) Error() string {
	if a.text == "" {
		return fmt.Sprintf("answered %d", a.status)
	}
	return fmt.Sprintf("answered %d: %s", a.status, a.text)
}

// once posts p to address and returns the event that answers, nil when the
// answer is a success that bears none. p's data stays the caller's.
func (x *exchange) once(ctx context.Context, address *url.URL, p *Parcel) (*Parcel, error) {
	header := make(http.Header, 14)
	p.Event.WriteHeader(header)
	return x.send(ctx, address, header, p)
}

// send posts p's data under header to address; see once.
func (x *exchange) send(ctx context.Context, address *url.URL, header http.Header, p *Parcel) (*Parcel, error) {
	res, err := x.client.post(ctx, address, header, outgoing{p.Data.ReadOnlyData(), p.sent})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 512))
		return nil, &answerError{res.StatusCode, clip(string(bytes.TrimSpace(text)), 256), res.Header}
	}
	answer, err := event.ReadHeader(res.Header)
	switch {
	case errors.Is(err, event.ErrNoEvent):
		_, _ = io.CopyN(io.Discard, res.Body, 4096) // so that the connection is used again
		return nil, nil
	case err != nil:
		return nil, &malformedError{err}
	}
	body, err := readBuffer(res.Body, res.ContentLength, x.limit, x.buffers)
	if err != nil {
		return nil, err
	}
	return &Parcel{Event: answer, Data: body}, nil
}

// malformedError is an answer that trying again cannot mend: an event that is
// none.
type malformedError struct{ cause error }

func (m *malformedError) Error() string { return "answered with a malformed event: " + m.cause.Error() }

// retryable says whether a Knative dispatcher would try again after err: no
// answer, 5xx, 404, 408, 409 and 429. Both deliveries keep to the same rule.
func retryable(err error) bool {
	var a *answerError
	if errors.As(err, &a) {
		switch a.status {
		case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
			return true
		}
		return a.status >= 500
	}
	return !errors.As(err, new(*malformedError)) && !errors.Is(err, event.ErrTooLarge) && !errors.Is(err, errBudget)
}

// undialed says whether err is that no connection came about, so that nothing
// was sent: whatever is behind the address has not seen the request.
func undialed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// pause waits before a retry and counts it; false if ctx was done first.
func (x *exchange) pause(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	select {
	case <-timer.C:
		x.retries()
		return true
	case <-ctx.Done():
		timer.Stop()
		return false
	}
}

// readBuffer reads data of at most limit bytes into a pooled buffer; length is
// negative when it is not known beforehand. The error is event.ErrTooLarge for
// more than limit, errBudget if there is no room, or the reader's.
func readBuffer(r io.Reader, length, limit int64, pool *bufferPool) (mem.Buffer, error) {
	if length > limit {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", event.ErrTooLarge, length, limit)
	}
	if !pool.budget.room(max(length, 0)) {
		return nil, errBudget
	}
	if length >= 0 {
		raw := pool.Get(int(length))
		if _, err := io.ReadFull(r, *raw); err != nil {
			pool.Put(raw)
			return nil, err
		}
		return mem.NewBuffer(raw, pool), nil
	}
	slices, err := mem.ReadAll(io.LimitReader(&roomyReader{r, pool.budget}, limit+1), pool)
	if err != nil {
		slices.Free()
		return nil, err
	}
	defer slices.Free()
	if int64(slices.Len()) > limit {
		return nil, fmt.Errorf("%w: the limit is %d bytes", event.ErrTooLarge, limit)
	}
	return slices.MaterializeToBuffer(pool), nil
}

// roomyReader reads while the budget has room for what is read next.
type roomyReader struct {
	io.Reader
	budget *budget
}

// Read implements io.Reader.
func (r *roomyReader) Read(p []byte) (int, error) {
	if !r.budget.room(int64(len(p))) {
		return 0, errBudget
	}
	return r.Reader.Read(p)
}
