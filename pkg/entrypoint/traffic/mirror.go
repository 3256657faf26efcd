package traffic

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/compare"
	"krt.dev/kn-krt/pkg/inspection"
)

const (
	// maxCopies is how many copies wait, maxCopying how many are sent at a time.
	maxCopies, maxCopying = 64, 8
	// maxCopyBytes bounds what all copies and the responses to their requests hold. They are counted
	// in the budget, too.
	maxCopyBytes = 32 << 20
	// decodedBytes is what decoding a message takes at most, growth how often its size.
	decodedBytes, growth = 24 << 20, 20
)

// outcome is what came of a copy.
type outcome int

const (
	equal outcome = iota
	different
	failed  // the canary could not serve it
	dropped // it was not sent, or not compared: for want of room, or the published response cannot be decoded
)

// String is the outcome as a label.
func (r outcome) String() string { return [...]string{"equal", "different", "failed", "dropped"}[r] }

// copies are the copies of a divider, whatever the canary.
type copies struct {
	waiting   chan *Copy
	sending   chan struct{} // has one for each goroutine
	comparing chan struct{} // has one: decoded, messages take many times their bytes
	held      atomic.Int64
}

func newCopies() *copies {
	return &copies{make(chan *Copy, maxCopies), make(chan struct{}, maxCopying), make(chan struct{}, 1), atomic.Int64{}}
}

// Copy is a copy of a request to the published version. Nil is none. Its methods never wait.
type Copy struct {
	divider  *Divider
	state    *state
	held     int64
	client   context.Context // it ends when the client has its response; nil once the copy waits to be sent
	metadata metadata.MD
	request  []byte
	response []byte
	code     code.Code
	of       Subject
}

// Subject is what of a request a copy needs, besides its message.
type Subject struct {
	// ID is the request's id, Workflow the name of its workflow, Method "/pkg.Service/Method".
	ID, Workflow, Method string
	// Input and Output are the full names of the rpc's messages.
	Input, Output string
	// Contract is the version's, with which responses are compared. Keep says that messages may be
	// kept, as it says.
	Contract *capture.Contract
	Keep     bool
}

// copy makes a copy. Its connections are kept until it ends.
func (q *Request) copy(client context.Context, message []byte) *Copy {
	c := &Copy{divider: q.divider, state: q.state, client: client}
	if !c.hold(len(message)) || !q.state.peer.acquire() {
		c.release()
		q.state.counts.mirrored[dropped].Inc()
		return nil
	}
	sent, _ := metadata.FromIncomingContext(client)
	if q.header != nil {
		sent = fromHeader(q.header)
	}
	c.metadata, c.request = forwarding(sent), bytes.Clone(message)
	c.metadata[MetadataMirror] = []string{"1"}
	return c
}

// hold counts n more bytes, and reports whether there is room for them.
func (c *Copy) hold(n int) bool {
	size, d := int64(n), c.divider
	if d.copies.held.Add(size) > maxCopyBytes || !d.options.Budget.Spare(size) {
		d.copies.held.Add(-size)
		return false
	}
	c.held += size
	return true
}

func (c *Copy) release() {
	c.divider.copies.held.Add(-c.held)
	c.divider.options.Budget.Release(c.held)
	c.held = 0
}

// end ends a copy with its result.
func (c *Copy) end(r outcome) {
	c.state.counts.mirrored[r].Inc()
	c.leave()
}

func (c *Copy) leave() {
	c.release()
	c.state.peer.release()
}

// Served notes the response of the published version: its code and, if that is OK, its message.
func (c *Copy) Served(result code.Code, message []byte) {
	if c == nil {
		return
	}
	if c.code = result; c.hold(len(message)) {
		c.response = append([]byte{}, message...)
	}
}

// Send sends the copy, once the client has its response. Where the client left, or its time was over,
// there is none to compare with, and nothing is sent.
func (c *Copy) Send(of Subject) {
	switch {
	case c == nil:
	case c.code == code.Code_CANCELLED || c.code == code.Code_DEADLINE_EXCEEDED:
		c.leave()
	case c.response == nil:
		c.end(dropped)
	default:
		c.of = of
		client := c.client
		c.client = nil // it holds the stream and the connection
		if client.Done() == nil {
			c.divider.copies.add(c)
			return
		}
		// A gRPC client waits for the trailer, which is written after the handler.
		context.AfterFunc(client, func() { c.divider.copies.add(c) })
	}
}

func (x *copies) add(c *Copy) {
	select {
	case x.waiting <- c:
	default:
		c.end(dropped)
		return
	}
	select {
	case x.sending <- struct{}{}:
		go x.send()
	default:
	}
}

// send sends copies until none waits.
func (x *copies) send() {
	for {
		select {
		case c := <-x.waiting:
			c.end(c.exchange())
			continue
		default:
		}
		<-x.sending
		if len(x.waiting) == 0 {
			return
		}
		select { // one came meanwhile
		case x.sending <- struct{}{}:
		default:
			return
		}
	}
}

// exchange sends the copy to the canary, and compares its response.
func (c *Copy) exchange() outcome {
	o := &c.divider.options
	ctx, cancel := context.WithTimeout(o.Stopped, o.Timeout)
	defer cancel()
	conn := c.state.peer.connection(ctx)
	if conn == nil {
		return failed
	}
	ctx = metadata.NewOutgoingContext(ctx, c.metadata)
	r := c.divider.exchange(ctx, conn, Call{Method: c.of.Method}, mem.SliceBuffer(c.request))
	if r.data != nil {
		defer r.data.Free()
	}
	got := code.Code(r.failure.GetCode())
	refused := r.failure != nil && len(r.trailer[Metadata]) > 0
	switch {
	case refused || got == code.Code_UNAVAILABLE || got == code.Code_RESOURCE_EXHAUSTED || o.Stopped.Err() != nil:
		return failed
	case got != c.code:
		c.differ(inspection.Difference{CanaryCode: got.String()})
		return different
	case r.failure != nil:
		return equal
	}
	return c.compare(r.data.ReadOnlyData())
}

// compare compares the response of the canary with that of the published version.
func (c *Copy) compare(canary []byte) outcome {
	if bytes.Equal(c.response, canary) {
		return equal
	}
	x, budget := c.divider.copies, c.divider.options.Budget
	x.comparing <- struct{}{}
	defer func() { <-x.comparing }()
	size := decoded(c.response) + decoded(canary)
	if !budget.Decode(size) {
		return dropped
	}
	defer budget.Decoded(size)
	rules := compare.Rules{Contract: c.of.Contract, Ignore: c.state.ignore, Tolerance: c.state.Tolerance, Values: c.of.Keep}
	fields, more, err := rules.Responses(c.of.Output, c.response, canary)
	d := inspection.Difference{CanaryCode: code.Code_OK.String(), Fields: fields, More: more}
	switch {
	case errors.Is(err, compare.ErrPublished): // which says nothing about the canary
		return dropped
	case err != nil:
		d.Note = err.Error()
	case len(fields) == 0:
		return equal
	}
	c.differ(d)
	return different
}

// decoded is about how many bytes decoding a message takes.
func decoded(message []byte) int64 {
	return min(growth*int64(len(message)), decodedBytes+int64(len(message)))
}

// differ keeps a difference.
func (c *Copy) differ(d inspection.Difference) {
	d.ID, d.Canary, d.Workflow, d.Method = c.of.ID, c.state.Version, c.of.Workflow, strings.TrimPrefix(c.of.Method, "/")
	d.Time, d.PublishedCode = time.Now(), c.code.String()
	kept := c.of.Contract
	if !c.of.Keep {
		kept = nil
	}
	c.divider.options.Differ(d, kept, c.of.Input, c.request)
}

// fromHeader is the header of an HTTP request as metadata: what belongs to the connection, to the
// body or to a browser's page is left out.
func fromHeader(h http.Header) metadata.MD {
	out := metadata.MD{}
	for name, values := range requestHeader(h) {
		lower := strings.ToLower(name)
		if !ofBody(lower) && !strings.HasSuffix(lower, "-bin") {
			out[lower] = values
		}
	}
	return out
}

// ofBody reports whether a header is about the body or the protocol of a request.
func ofBody(name string) bool {
	switch name {
	case "accept", "accept-encoding", "content-encoding", "prefer", "connect-protocol-version", "connect-timeout-ms":
		return true
	}
	return strings.HasPrefix(name, "content-") || strings.HasPrefix(name, "ce-") || strings.HasPrefix(name, "x-grpc-")
}

// notInName reports whether gRPC refuses a name with r in it.
func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// unprintable reports whether gRPC refuses a value: it carries printable ASCII.
func unprintable(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}
