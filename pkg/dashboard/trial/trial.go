// Package trial calls workflows for the page Try: with a message in JSON, and for a result in JSON
// that is fit for a page.
package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

const (
	// timeout bounds a call. It is below the time that servers have for a response.
	timeout = 100 * time.Second
	// maxShown is how much of a response is shown, in bytes.
	maxShown = 256 << 10
)

// Caller calls one rpc of a version.
type Caller struct {
	conn   *invocation.Connection
	method invocation.Method
}

// Result is what a call has brought.
type Result struct {
	Failed bool
	// Code is as gRPC's documents write it: DEADLINE_EXCEEDED.
	Code string
	Took string
	// JSON is the response; Message and Details are of a failure.
	JSON, Message, Details string
	// Streamed says that the response is a stream, of which Messages are the last; it may have failed
	// after them.
	Streamed bool
	Messages Messages
	// Shortened is the size of a response of which not all is shown.
	Shortened string
	// ID is the request's; empty if the version has not returned it.
	ID       string
	Steps    []event.Step
	Reported bool
}

// Dial connects to the version at address, host:port, and reads the messages of rpc,
// "pkg.Service/Method". Ctx bounds that. The error is for people.
func Dial(ctx context.Context, address, rpc string) (*Caller, error) {
	conn, err := invocation.Dial(address, invocation.Credentials{})
	if err != nil {
		return nil, unreadable(err)
	}
	c := &Caller{conn: conn}
	if c.method, err = conn.Method(ctx, rpc); err != nil {
		_ = conn.Close()
		return nil, unreadable(err)
	}
	return c, nil
}

// unreadable is err, for which the messages cannot be read.
func unreadable(err error) error {
	f := invocation.NewFailure(err)
	return fmt.Errorf("the messages of the workflow cannot be read: %s%s", f.Message, wayIn(f))
}

// wayIn is what to do about a failure to which the page has no credentials.
func wayIn(f invocation.Failure) string {
	if !f.Unauthenticated() {
		return ""
	}
	return ". This page sends no credentials: use 'kn-krt invoke' with --api-key-file or --token-file"
}

// Close ends the connection.
func (c *Caller) Close() { _ = c.conn.Close() }

// Input is the kind of the message that the rpc takes.
func (c *Caller) Input() protoreflect.MessageDescriptor { return c.method.Desc.Input() }

// Parse reads a message for the rpc. The error is protobuf-go's, or that no node could decode the message.
func (c *Caller) Parse(text []byte) (*dynamicpb.Message, error) {
	m := dynamicpb.NewMessage(c.Input())
	if err := (protojson.UnmarshalOptions{Resolver: c.method.Types}).Unmarshal(text, m); err != nil {
		return m, err
	}
	return m, schema.CheckDepth(text, m)
}

// JSON is a message as JSON for people, with the fields that have their defaults or without.
func (c *Caller) JSON(m proto.Message, defaults bool) string {
	text, err := protojson.MarshalOptions{Resolver: c.method.Types, EmitDefaultValues: defaults}.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return Indented(text)
}

// Indented is JSON with stable white space; protobuf-go varies it on purpose. What is not JSON stays
// as it is.
func Indented(text []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}

// Call sends a message.
func (c *Caller) Call(ctx context.Context, m proto.Message) *Result {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response := dynamicpb.NewMessage(c.method.Desc.Output())
	got, err := c.conn.Call(ctx, c.method, invocation.Wish{Trace: true, Inspect: true}, m, response)
	r := newResult(got, err)
	if err == nil {
		r.show(c.JSON(response, true))
	}
	return r
}

func newResult(got invocation.Result, err error) *Result {
	f := invocation.NewFailure(err)
	r := &Result{Code: f.Code, Took: legible.Spaced(got.Took), ID: got.ID, Steps: got.Steps, Reported: got.Reported}
	if err != nil {
		r.Failed, r.Message, r.Details = true, f.Message+wayIn(f), f.Details()
	}
	return r
}

// show keeps of a response what fits a page.
func (r *Result) show(text string) {
	if r.JSON = clip.Text(text, maxShown); r.JSON != text {
		r.Shortened = legible.Bytes(int64(len(text)))
	}
}
