// Package inspection is what an entrypoint reports of the requests that it keeps, and a
// client for it: the JSON of its inspection port. The port is open to the pod itself
// only; a port-forward to the pod leads there.
//
//	GET /requests?limit=&failed=1&slower=250ms&workflow=&node=   [List], newest first
//	GET /requests?follow=1&…                                     a [Line] of JSON per line, until the client leaves
//	GET /requests/{id}                                           one [Request] with its payloads
//	GET /differences                                             [Differences], newest first
package inspection

import (
	"encoding/json"
	"time"
)

// Port is the inspection port of an entrypoint, on 127.0.0.1 of its pod.
const Port = 8082

// Request is what became of one request.
type Request struct {
	// ID is the correlation id; Causation the id of the producer's own event. A request
	// that was refused before it was read has no ID.
	ID        string `json:"id,omitempty"`
	Causation string `json:"causation,omitempty"`
	// Workflow is the workflow's name, Method the rpc as package.Service/Rpc, Protocol how
	// the client called: "grpc", "grpc-web", "connect", "json", "rest" or "cloudevent".
	Workflow string `json:"workflow"`
	Method   string `json:"method"`
	Protocol string `json:"protocol"`
	// Begin is when the request was admitted, by the entrypoint's clock.
	Begin time.Time `json:"begin"`
	// DurationMS is the time until the response was there, in milliseconds.
	DurationMS float64 `json:"durationMs"`
	// Code is the name of the result's gRPC code, such as "OK" or "DEADLINE_EXCEEDED".
	Code string `json:"code"`
	// Reason is why the request failed, Node where, Error the text that the client got.
	// They are empty if Code is "OK", and Reason and Node also if they are not known.
	Reason string `json:"reason,omitempty"`
	Node   string `json:"node,omitempty"`
	Error  string `json:"error,omitempty"`
	// Early is "reply" or "exit" if a node responded before the last one.
	Early string `json:"early,omitempty"`
	// Async says that the client did not wait for the response.
	Async bool `json:"async,omitempty"`
	// Background says that this is the work behind an early reply: its result, its
	// duration since Begin, and the steps after the reply.
	Background bool `json:"background,omitempty"`
	// Inspected says that the request's payloads were kept. They may be gone since.
	Inspected bool `json:"inspected,omitempty"`
	// TraceID is the id of the request's trace (W3C), empty if it has none.
	TraceID string `json:"traceId,omitempty"`
	// Stream is what was streamed, if the rpc's response is a stream.
	Stream *Stream `json:"stream,omitempty"`
	// RequestBytes and ResponseBytes are the sizes of the messages in protobuf; of a stream
	// ResponseBytes is the sum.
	RequestBytes  int `json:"requestBytes"`
	ResponseBytes int `json:"responseBytes"`
	// Steps are the nodes that the request is known to have been at, in that order.
	Steps []Step `json:"steps"`
	// Replica names the entrypoint's pod. Who asks several sets it; an entrypoint does not.
	Replica string `json:"replica,omitempty"`
	// Input is the request's message and Output the response to the client, of a stream its last
	// message. [Client.Get] alone returns them, if they are kept.
	Input  *Payload `json:"input,omitempty"`
	Output *Payload `json:"output,omitempty"`
	// Rest is the work behind an early reply, once it has ended. [Client.Get] alone
	// returns it; in lists it is an element of its own with the same ID.
	Rest *Request `json:"rest,omitempty"`
}

// Failed reports whether the request failed.
func (r *Request) Failed() bool { return r.Code != "OK" }

// Duration is DurationMS as a duration.
func (r *Request) Duration() time.Duration {
	return time.Duration(r.DurationMS * float64(time.Millisecond))
}

// End is when the response was there, or the work behind an early reply had ended.
func (r *Request) End() time.Time { return r.Begin.Add(r.Duration()) }

// Stream is the response of a server-streaming rpc.
type Stream struct {
	// Messages is how many messages it had, also if it failed after them.
	Messages int `json:"messages"`
	// FirstMS is the time until the first was there, in milliseconds; 0 if there was none.
	FirstMS float64 `json:"firstMs,omitempty"`
}

// Step is what became of a request at one node. Times are in milliseconds.
type Step struct {
	// Node is the node's name.
	Node string `json:"node"`
	// StartMS is when the request arrived there, counted from the request's Begin.
	StartMS float64 `json:"startMs"`
	// WaitMS is how long it waited for its turn, RunMS how long the handler ran after that.
	// If the node did not report them, RunMS is all the time there and back, and WaitMS 0.
	WaitMS float64 `json:"waitMs"`
	RunMS  float64 `json:"runMs"`
	// Outcome is how the handler ended: "ok", "error" or "exit"; or "reply" if it has sent an
	// early reply and not ended. Its end is then a step of Rest, with the same node.
	Outcome string `json:"outcome"`
	// Cold is the first event since the node's process was ready.
	Cold bool `json:"cold,omitempty"`
	// Attempts is how often the request was sent there; 0 if that is not known.
	Attempts int `json:"attempts,omitempty"`
	// Input is what the node got, Output what it responded with, which is the early reply if
	// Outcome is "reply". [Client.Get] alone returns them, if they are kept.
	Input  *Payload `json:"input,omitempty"`
	Output *Payload `json:"output,omitempty"`
}

// Payload is a message that was kept. It has JSON, or Base64, or neither.
type Payload struct {
	// Type is the message's full name; empty if it is not known.
	Type string `json:"type,omitempty"`
	// Size is the message's own size in bytes.
	Size int `json:"size"`
	// Cut says that the message was longer than what is kept of one.
	Cut bool `json:"cut,omitempty"`
	// JSON is the message in the JSON form of protobuf. Values that must not be kept are
	// "[redacted]".
	JSON json.RawMessage `json:"json,omitempty"`
	// Base64 is what is kept of a message that could not be decoded.
	Base64 string `json:"base64,omitempty"`
	// Note says why JSON is missing, in a sentence.
	Note string `json:"note,omitempty"`
}

// List is the response to GET /requests.
type List struct {
	Requests []Request `json:"requests"`
}

// Line is one line of the response to GET /requests?follow=1. It has one of the two.
type Line struct {
	Request *Request `json:"request,omitempty"`
	// Lost is how many requests since the line before are missing, because the client did
	// not read fast enough.
	Lost int `json:"lost,omitempty"`
}
