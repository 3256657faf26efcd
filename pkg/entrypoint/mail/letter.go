package mail

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Origin is whose letter one is.
type Origin struct {
	// Version and Workflow are their names, Nodes those of the workflow's steps.
	Version, Workflow string
	Nodes             []string
}

// Result returns of, which has the ID and the CausationID of a request and its response, a Message and its
// Data, as the letter of its result; of a failure, if that is not nil. It expires after the retention.
func (o Origin) Result(of letter.Letter, failure *spb.Status, retention time.Duration) letter.Letter {
	l, now := of, time.Now()
	if failure == nil {
		failure = TooLarge(l.Data)
	}
	l.Kind, l.Version, l.Workflow, l.Time, l.Expires = letter.Result, o.Version, o.Workflow, now, now.Add(retention)
	if l.Status = letter.StatusOf(failure); failure != nil {
		l.Message, l.Data = "", nil
	}
	l.Size = int64(len(l.Data))
	return l
}

// TooLarge is the failure that is kept in place of a response whose data no letter may have; nil of another one.
func TooLarge(data []byte) *spb.Status {
	if len(data) <= letter.MaxData {
		return nil
	}
	return event.Failure{
		Code: code.Code_RESOURCE_EXHAUSTED, Reason: event.ReasonTooLarge,
		Text: fmt.Sprintf("the response of %d bytes was not kept: it is larger than the %d that a result may have", len(data), letter.MaxData),
	}.Status()
}

// Late returns the letter with the result that an event at the reply port brings, of a request that no
// replica holds any more: wanted is the type of its response. It reports false if it brings none.
func (o Origin) Late(e *event.Event, wanted string, data []byte, retention time.Duration) (letter.Letter, bool) {
	switch {
	case e.Keep != event.KeepResult || retention == 0:
	case e.Type == event.TypeError:
		failed := failure.Of{Version: o.Version, Workflow: o.Workflow}.Read(e.Source, data)
		return o.Result(letter.Letter{ID: e.CorrelationID}, failed, retention), true
	case e.Message == wanted:
		return o.Result(letter.Letter{ID: e.CorrelationID, Message: wanted, Data: data}, nil, retention), true
	}
	return letter.Letter{}, false
}

// Dead returns the letter of an event that was given up on because of a failure, at the step with that
// index; negative: it is not known, and node says what is. Without a message (e.Message is empty) the letter
// has no event, so that it cannot be replayed. Data is what the failing step has got.
func (o Origin) Dead(e *event.Event, step int, node string, failure *spb.Status, data []byte) letter.Letter {
	if step < 0 || step >= len(o.Nodes) {
		step = o.Step(e, node)
	}
	l := letter.Letter{
		Kind: letter.Dead, ID: letter.DeadID(e.CorrelationID, step), Version: o.Version, Workflow: o.Workflow,
		Step: step, Time: time.Now(), Status: letter.StatusOf(failure), CausationID: e.CausationID,
		Event: Attributes(e),
	}
	if step < len(o.Nodes) {
		l.Node = o.Nodes[step]
	}
	switch {
	case e.Message == "" || e.Type != event.TypeMessage || e.Steps.Passed() >= len(o.Nodes): // what a step got is not there
	case len(data) > letter.MaxData:
		l.Event[tooLarge] = fmt.Sprint(len(data))
	default:
		l.Message, l.Data, l.Size = e.Message, data, int64(len(data))
	}
	return l
}

// tooLarge is the attribute, in a letter alone, with the size of data that is too large to be kept.
const tooLarge = "krtsize"

// Step returns the index of the step of node for which e is: there may be several of that node, and
// e knows the steps that it has passed. Of a node that is not known, it is the step after these.
func (o Origin) Step(e *event.Event, node string) int {
	passed := e.Steps.Passed()
	if passed < len(o.Nodes) && (node == "" || o.Nodes[passed] == node) {
		return passed
	}
	for i, name := range o.Nodes {
		if name == node {
			return i
		}
	}
	return max(0, min(passed, len(o.Nodes)-1))
}

// Attributes are those of e that a letter has: without its token, because whoever reads a letter must not be
// able to respond, and without the steps that it has passed.
func Attributes(e *event.Event) map[string]string {
	kept := *e
	kept.ReplyToken, kept.Steps = "", ""
	if kept.ID == "" {
		kept.ID = e.CorrelationID
	}
	h := http.Header{}
	kept.WriteHeader(h)
	all := make(map[string]string, len(h))
	for name, values := range h {
		if attribute, ok := strings.CutPrefix(name, "Ce-"); ok {
			all[strings.ToLower(attribute)] = event.DecodeAttribute(values[0])
		}
	}
	return all
}

// Header is the inverse of Attributes: those of a letter as the headers of an event.
func Header(attributes map[string]string) http.Header {
	h := make(http.Header, len(attributes))
	for name, value := range attributes {
		h.Set("Ce-"+name, event.EncodeAttribute(value))
	}
	return h
}

// Why a dead letter is not replayed.
var (
	ErrNoEvent = errors.New("the letter has no event: the node's runner or the channel has not sent it. Send the request again")
	ErrOther   = errors.New("the version has changed since")
)

// Replay returns the event of a dead letter as it goes to its step again, without what belongs to a
// request on its way: the token, the deadline and the trace. The error says why it cannot be replayed.
func (o Origin) Replay(l *letter.Letter) (*event.Event, error) {
	switch {
	case l.Workflow != o.Workflow, l.Step >= len(o.Nodes), l.Node != "" && o.Nodes[l.Step] != l.Node:
		return nil, fmt.Errorf("%w: step %d of workflow %q was node %q, and its nodes are now %s",
			ErrOther, l.Step+1, l.Workflow, l.Node, strings.Join(o.Nodes, ", "))
	case l.Event[tooLarge] != "":
		return nil, fmt.Errorf("the letter has no event: its message of %s bytes was larger than the %d that a letter may have. "+
			"Send the request again", l.Event[tooLarge], letter.MaxData)
	case l.Message == "":
		return nil, ErrNoEvent
	}
	e, err := event.ReadHeader(Header(l.Event))
	if err != nil {
		return nil, fmt.Errorf("the letter's event cannot be read: %w", err)
	}
	e.Message, e.Trace, e.Inspect, e.Type = l.Message, event.Trace{}, 0, event.TypeMessage
	return e, nil
}
