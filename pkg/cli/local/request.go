package local

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/cli/call"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/local"
)

const (
	// maxErrorText and maxName limit what a line has of an error's text and of a name, in bytes.
	maxErrorText = 500
	maxName      = 100
	// leastWait is from when on the time that a request waited for its turn is printed.
	leastWait = time.Millisecond
)

// request is the line of a request:
//
//	14:03:07.512 ny-room-price OK 12.4ms  etl 3.1 · model 6.0 · output 1.2  id=…
//
// Names and texts come from nodes and clients.
func (c *textConsole) request(r *record.Record) string {
	result, colour := r.Code.String(), term.ColourGood
	if r.Code != code.Code_OK {
		colour = term.ColourBad
	}
	parts := []string{fmt.Sprintf("%s %s %s %s", r.End.Local().Format(clock),
		legible.Line(cmp.Or(r.Workflow, r.Method), maxName), c.painter.Paint(colour, result), legible.Duration(r.Elapsed()))}
	for _, part := range []string{sent(r), how(r), nodeTimes(r.NodeTimes())} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if r.ID != "" { // the request was admitted
		parts = append(parts, "id="+legible.Line(r.ID, maxName))
	}
	if text := legible.Line(r.Error, maxErrorText); text != "" {
		if r.Node != "" {
			text = "node " + legible.Line(r.Node, maxName) + ": " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "  ") + "\n"
}

// how is in what way a request got its response, unless it is the usual one.
func how(r *record.Record) string {
	kept := inspection.Request{Background: r.Background, Async: r.Async, Early: string(r.Early)}
	return kept.How()
}

// sent is how many messages a stream had, and when the first was there; "" if there is no stream.
func sent(r *record.Record) string {
	if !r.Streamed || r.Background {
		return ""
	}
	text := (&inspection.Stream{Messages: r.Messages}).Sent()
	if r.Messages > 0 {
		text += ", the first after " + legible.Duration(r.UntilFirst())
	}
	return text
}

// nodeTimes is the time in each node, and what made it long.
func nodeTimes(times []record.NodeTime) string {
	parts := make([]string, len(times))
	for i, t := range times {
		var notes []string
		if t.Wait >= leastWait {
			notes = append(notes, "waited "+legible.Milliseconds(t.Wait))
		}
		kept := inspection.Step{Cold: t.Cold, Attempts: t.Attempts}
		notes = append(notes, kept.Notes()...)
		parts[i] = legible.Line(t.Node, maxName) + " " + legible.Milliseconds(t.Run)
		if len(notes) > 0 {
			parts[i] += " (" + strings.Join(notes, ", ") + ")"
		}
	}
	return strings.Join(parts, " · ")
}

// runRequest is a request as -o json prints it; durations are in seconds.
type runRequest struct {
	Time          time.Time   `json:"time"`
	Event         string      `json:"event"`
	ID            string      `json:"id"`
	Causation     string      `json:"causation,omitempty"`
	Version       string      `json:"version"`
	Workflow      string      `json:"workflow"`
	RPC           string      `json:"rpc"`
	Protocol      string      `json:"protocol"`
	Begin         time.Time   `json:"begin"`
	Took          float64     `json:"took"`
	Code          string      `json:"code"`
	Reason        string      `json:"reason,omitempty"`
	Node          string      `json:"node,omitempty"`
	Error         string      `json:"error,omitempty"`
	Early         string      `json:"early,omitempty"`
	Async         bool        `json:"async,omitempty"`
	Background    bool        `json:"background,omitempty"`
	RequestBytes  int         `json:"requestBytes"`
	ResponseBytes int         `json:"responseBytes"`
	Stream        *runStream  `json:"stream,omitempty"`
	TraceParent   string      `json:"traceparent,omitempty"`
	Sampled       bool        `json:"sampled,omitempty"`
	SpanID        string      `json:"spanId,omitempty"`
	Steps         []call.Step `json:"steps,omitempty"`
	Sends         []runSend   `json:"sends,omitempty"`
}

// runStream is what a stream had; FirstMessage is how long the first message took.
type runStream struct {
	Messages     int     `json:"messages"`
	FirstMessage float64 `json:"firstMessage,omitempty"`
}

// runSend is one attempt to send the request to a node.
type runSend struct {
	Node    string    `json:"node,omitempty"`
	Begin   time.Time `json:"begin"`
	Took    float64   `json:"took"`
	Attempt int       `json:"attempt"`
	Status  int       `json:"status,omitempty"`
	Result  string    `json:"result"`
	Error   string    `json:"error,omitempty"`
	SpanID  string    `json:"spanId,omitempty"`
}

func newRunRequest(r *record.Record) runRequest {
	out := runRequest{
		Time: r.End.UTC(), Event: string(local.EventRequest), ID: r.ID, Causation: r.Causation,
		Version: r.Version, Workflow: r.Workflow, RPC: r.Method, Protocol: string(r.Protocol),
		Begin: r.Begin.UTC(), Took: r.Elapsed().Seconds(),
		Code: r.Code.String(), Reason: r.Reason, Node: r.Node, Error: r.Error,
		Early: string(r.Early), Async: r.Async, Background: r.Background,
		RequestBytes: r.RequestBytes, ResponseBytes: r.ResponseBytes,
		TraceParent: r.Trace.Parent, Sampled: r.Sampled, SpanID: spanID(r.SpanID), Steps: call.Steps(r.Steps),
	}
	if r.Streamed && !r.Background {
		out.Stream = &runStream{Messages: r.Messages, FirstMessage: r.UntilFirst().Seconds()}
	}
	for _, s := range r.Sends {
		out.Sends = append(out.Sends, runSend{
			Node: s.Node, Begin: s.Begin.UTC(), Took: s.End.Sub(s.Begin).Seconds(), Attempt: s.Attempt,
			Status: s.Status, Result: string(s.Result), Error: s.Error, SpanID: spanID(s.SpanID),
		})
	}
	return out
}

// spanID is the id in hexadecimal, empty if it is zero.
func spanID(id [8]byte) string {
	if id == [8]byte{} {
		return ""
	}
	return hex.EncodeToString(id[:])
}
