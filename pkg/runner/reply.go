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
	// replyPatience limits the retries of an event without a client's deadline.
	replyPatience = 30 * time.Second
	// replyAttempt limits one attempt, so that an entrypoint that hangs does not use up
	// the time of one that would respond.
	replyAttempt    = 5 * time.Second
	replyFirstDelay = 50 * time.Millisecond
	replyMostDelay  = 2 * time.Second
)

// replyPath is the path of the reply port to which results of requests are posted.
const replyPath = "/reply"

// replies posts early replies, exits, errors and streams to the reply port of the entrypoint.
type replies struct {
	url     string // empty: nothing is posted
	client  *http.Client
	streams *http.Client
}

func newReplies(url string) *replies {
	return &replies{url: url, streams: newStreams(), client: &http.Client{
		Timeout: replyAttempt,
		// No proxy: the address is always the version's own entrypoint.
		Transport: &http.Transport{
			// The nodes of a version share the connections that an entrypoint accepts.
			MaxIdleConns:        64,
			MaxIdleConnsPerHost: 64,
			// Below the entrypoint's own idle limit, so that it never closes a connection
			// on which a reply is being sent.
			IdleConnTimeout:        60 * time.Second,
			ResponseHeaderTimeout:  replyAttempt,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		},
		// Any response is final, a redirect too.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// can reports whether a reply to in can be posted: that takes an address and a token.
func (r *replies) can(in *event.Event) bool { return r.url != "" && in.ReplyToken != "" }

// post sends e until the reply port accepts it: any status below 500 is final, all
// else is tried again with growing delays until e's deadline. Without an address or a
// token it logs and drops e: outside a version nothing waits for replies, which is not
// an error of the handler.
func (r *replies) post(ctx context.Context, log *Logger, e *event.Event) error {
	if !r.can(e) {
		log.Slog().Warn("reply dropped: no KRT_REPLY_URL or no reply token in the event",
			"type", e.Type, "message", e.Message)
		return nil
	}
	header := make(http.Header, 20)
	e.WriteHeader(header)
	return r.postAs(ctx, r.url, header, e)
}

// postAs is post of e with the given header to an address of the reply port.
func (r *replies) postAs(ctx context.Context, to string, header http.Header, e *event.Event) error {
	deadline := e.Deadline
	if deadline.IsZero() || e.Replied { // no client waits for it, as far as is known
		deadline = time.Now().Add(replyPatience)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for delay := replyFirstDelay; ; delay = min(2*delay, replyMostDelay) {
		status, err := r.try(ctx, to, header, e.Data)
		switch {
		case err == nil && status < http.StatusBadRequest:
			return nil
		case err == nil && status < http.StatusInternalServerError:
			return fmt.Errorf("cannot post to %s: status %d", to, status)
		case err == nil:
			err = fmt.Errorf("status %d", status)
		}
		// Half of the delay is random, so that nodes that fail together retry apart.
		if !sleep(ctx, delay/2+rand.N(delay/2)) {
			return fmt.Errorf("cannot post to %s: %w", to, errors.Join(context.Cause(ctx), err))
		}
	}
}

func (r *replies) try(ctx context.Context, to string, header http.Header, data []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	req.Header = header
	event.ContextTrace(ctx).WriteHeader(req.Header)
	res, err := r.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	// Read to the end, or the connection is not reused.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10))
	return res.StatusCode, nil
}

// sleep waits for d; false if ctx ended first.
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
