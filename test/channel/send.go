package channel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// mostReply is the size of the largest reply that is read.
const mostReply = 16 << 20

// failure is why an event was not delivered.
type failure struct {
	status int
	body   []byte
	err    error // why there is no response; Knative reports this as a status of 500
}

func noResponse(err error) *failure {
	return &failure{http.StatusInternalServerError, []byte("dispatch error: " + err.Error()), err}
}

func (f *failure) Error() string {
	if f.err != nil {
		return f.err.Error()
	}
	return fmt.Sprintf("HTTP %d: %.200s", f.status, f.body)
}

func (f *failure) Unwrap() error { return f.err }

// again reports whether Knative's dispatchers retry after it (SelectiveRetry in knative.dev/eventing
// v0.50.0, pkg/kncloudevents/retries.go).
func (f *failure) again() bool {
	return f.status >= 500 || slices.Contains([]int{404, 408, 409, 429}, f.status)
}

// send posts an event, and again as often as the rules say, and returns the event in the response, if
// there is one. Its error is a failure, or that of ctx.
func (d *Dispatcher) send(ctx context.Context, to string, e *event, r rules) (*event, error) {
	for retry := 0; ; retry++ {
		reply, err := d.post(ctx, to, e, r.timeout)
		var f *failure
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			return reply, nil
		case !errors.As(err, &f) || !f.again() || retry >= r.Delivery.Retry:
			return nil, err
		}
		d.count(&d.counts.Retried)
		if err := rest(ctx, r.wait(retry)); err != nil {
			return nil, err
		}
	}
}

// post sends an event once.
func (d *Dispatcher) post(ctx context.Context, to string, e *event, timeout time.Duration) (*event, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(e.Data))
	if err != nil {
		return nil, noResponse(err)
	}
	request.Header = e.Header.Clone()
	request.Header.Set("Prefer", "reply")
	response, err := d.client.Do(request)
	if err != nil {
		return nil, noResponse(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostReply+1))
	switch {
	case err != nil:
		return nil, noResponse(err)
	case response.StatusCode/100 != 2:
		return nil, &failure{status: response.StatusCode, body: body}
	case len(body) > mostReply:
		return nil, &failure{status: response.StatusCode, body: []byte("the reply is too large")}
	case response.Header.Get("Ce-Specversion") != "":
		return &event{Header: eventHeader(response.Header), Data: body}, nil
	case len(body) > 0:
		return nil, &failure{status: response.StatusCode, body: []byte("the response is neither empty nor an event")}
	}
	return nil, nil
}

// rest waits, or returns the error of ctx.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
