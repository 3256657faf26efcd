package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"krt.dev/kn-krt/pkg/queue"
)

// Message is an event as the stream has it: the attributes as headers (CloudEvents, NATS
// protocol binding, binary content mode) and the message's own bytes.
type Message struct {
	// Step is where it goes.
	Step queue.Step
	// ID is by what the server knows that it has it already; see [queue.ID].
	ID string
	// Header has the attributes as over HTTP, with names in canonical form.
	Header http.Header
	// Data is not used any more once Publish has returned.
	Data []byte
}

// Bytes is about how many bytes m takes in the stream.
func (m *Message) Bytes() int64 { return int64(len(m.Data)+len(m.ID)) + headerBytes(m.Header) + 200 }

// headerBytes is about how many bytes h takes.
func headerBytes(h http.Header) (n int64) {
	for name, values := range h {
		for _, v := range values {
			n += int64(len(name) + len(v) + 4)
		}
	}
	return n
}

// codeStoreFailed is the server's error for a stream without room, and for a server without.
const (
	codeStoreFailed   jetstream.ErrorCode = 10077
	codeNoResources   jetstream.ErrorCode = 10023
	codeNoStorage     jetstream.ErrorCode = 10047
	codeTooLarge                          = jetstream.JSErrCodeStreamMessageExceedsMaximum
	headerMessageID                       = "Nats-Msg-Id"
	headerExpectedFor                     = "Nats-Expected-Stream"
)

// errAway says in our words what the client of NATS calls a buffer that is full: nothing is kept here
// for a server that cannot be reached.
var errAway = errors.New("there is no connection to it now")

// Publish has the server store m, and returns once it has: within a second, or with an
// error. Those of package queue say why it is not stored, all others that nobody knows.
func (c *Client) Publish(ctx context.Context, m Message) error {
	ctx, cancel := c.call(ctx)
	defer cancel()
	header := make(nats.Header, len(m.Header)+2)
	for name, values := range m.Header {
		header[strings.ToLower(name)] = values
	}
	header[headerMessageID], header[headerExpectedFor] = []string{m.ID}, []string{c.settings.Stream}
	_, err := c.js.PublishMsg(ctx, &nats.Msg{
		Subject: queue.Subject(c.options.Namespace, c.options.Version, m.Step), Header: header, Data: m.Data,
	}, jetstream.WithRetryAttempts(0))
	return published(ended(ctx, err))
}

// ended returns the error of an exchange, within ctx of [Client.call], in our words.
func ended(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errLost) {
		return errLost
	}
	return worded(err)
}

// Lost reports whether err means that there was no connection, or that it was lost: [Client.Changed], as it was before,
// is closed once there is one again.
func Lost(err error) bool { return errors.Is(err, errLost) || errors.Is(err, errAway) }

// worded returns err in our words.
func worded(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return errAway
	}
	return err
}

// published returns the error of package queue that err means, or err.
func published(err error) error {
	var failure *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return fmt.Errorf("%w, or the server serves no streams now: it is starting, or its disk is full", queue.ErrMissing)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", queue.ErrTooLarge, err)
	case !errors.As(err, &failure):
		return err
	}
	switch failure.ErrorCode {
	case codeStoreFailed, codeNoResources, codeNoStorage:
		return fmt.Errorf("%w: %s", queue.ErrFull, failure.Description)
	case codeTooLarge:
		return fmt.Errorf("%w: %s", queue.ErrTooLarge, failure.Description)
	}
	return err
}

// httpHeader returns the headers of a message with their names as over HTTP.
func httpHeader(of nats.Header) http.Header {
	header := make(http.Header, len(of))
	for name, values := range of {
		header[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	return header
}
