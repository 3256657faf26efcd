package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// replyPatience bounds the retries of an event without a caller's deadline.
	replyPatience = 30 * time.Second
	// replyAttempt bounds one attempt, so that an entrypoint that hangs does not
	// take the time of those that would answer.
	replyAttempt    = 5 * time.Second
	replyFirstDelay = 50 * time.Millisecond
	replyMostDelay  = 2 * time.Second
)

// replies posts early replies, exits and errors to the entrypoint's reply port.
type replies struct {
	url    string // empty: there is nowhere to post to
	client *http.Client
}

func newReplies(url string) *replies {
	return &replies{url: url, client: &http.Client{
		Timeout: replyAttempt,
		// No proxy: the address is always of the version's own entrypoint.
		Transport: &http.Transport{
			// The nodes of a version share the connections that an entrypoint takes.
			MaxIdleConns:        64,
			MaxIdleConnsPerHost: 64,
			// Below the entrypoint's own idle limit, so that it never closes a
			// connection on which a reply is just being sent.
			IdleConnTimeout:        60 * time.Second,
			ResponseHeaderTimeout:  replyAttempt,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		},
		// The answer is final whatever it is, a redirect too.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// can reports whether an answer to in can be posted: there must be an address
// and a token.
func (r *replies) can(in *event.Event) bool { return r.url != "" && in.ReplyToken != "" }

// post sends e until the reply port takes it: any status below 500 is final,
// all else is tried again with growing delays until e's deadline. Without an
// address or a token it logs and drops e: outside a version nobody waits for
// replies, which is no fault of the handler's.
func (r *replies) post(ctx context.Context, log *Logger, e *event.Event) error {
	if !r.can(e) {
		log.Slog().Warn("reply dropped: no KRT_REPLY_URL or no reply token in the event",
			"type", e.Type, "message", e.Message)
		return nil
	}
	deadline := e.Deadline
	if deadline.IsZero() || e.Replied { // nobody waits for it, or there is no saying
		deadline = time.Now().Add(replyPatience)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for delay := replyFirstDelay; ; delay = min(2*delay, replyMostDelay) {
		status, err := r.try(ctx, e)
		switch {
		case err == nil && status < http.StatusBadRequest:
			return nil
		case err == nil && status < http.StatusInternalServerError:
			return fmt.Errorf("cannot post to %s: status %d", r.url, status)
		case err == nil:
			err = fmt.Errorf("status %d", status)
		}
		// Half of the delay is random: nodes that fail together retry apart.
		if !sleep(ctx, delay/2+rand.N(delay/2)) {
			return fmt.Errorf("cannot post to %s: %w", r.url, errors.Join(context.Cause(ctx), err))
		}
	}
}

func (r *replies) try(ctx context.Context, e *event.Event) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(e.Data))
	if err != nil {
		return 0, err
	}
	e.WriteHeader(req.Header)
	event.ContextTrace(ctx).WriteHeader(req.Header)
	res, err := r.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	// Read to the end, or the connection is not used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10))
	return res.StatusCode, nil
}

// sleep waits d; false if ctx was done before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
