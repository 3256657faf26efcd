package inspection

import (
	"bytes"
	"cmp"
)

// Message is one of the messages of an inspected request, with what it is.
type Message struct {
	// Title is whose it is: "Request", "Response" ("Last message" of a stream), or as "Input of
	// etl". Names are as an entrypoint reported them.
	Title string
	// Payload is the message; if it is nil, Missing says why.
	Payload *Payload
	Missing string
	// SameAs is the message before that has the same content, such as "the output of etl"; empty
	// if it differs.
	SameAs string
}

// Messages are the messages of an inspected request, in the order in which they were sent.
func (r *Request) Messages() []Message {
	m := messages{steps: r.AllSteps(), empty: r.Stream.Empty()}
	m.add("Request", r.Input)
	m.last = r.Input
	if r.Input != nil {
		m.from = "the request"
	}
	responded := false
	for i := range m.steps {
		m.step(i)
		if m.steps[i].Outcome == "reply" && !responded {
			responded = m.response(r)
		}
	}
	if !responded {
		m.response(r)
	}
	return m.all
}

// response adds the response, and reports whether there is one: of a request that failed, it is what
// its stream had before.
func (m *messages) response(r *Request) bool {
	switch {
	case r.Stream == nil && r.Failed(), r.Stream.Empty():
		return false
	case r.Stream != nil:
		m.add("Last message", r.Output)
	default:
		m.add("Response", r.Output)
	}
	return true
}

// messages are those that were found so far.
type messages struct {
	steps []Step
	all   []Message
	empty bool     // the stream has no message
	last  *Payload // what the next step should have got
	from  string   // and what that is
}

// add adds a message, which may be the last one again.
func (m *messages) add(title string, p *Payload) {
	one := Message{Title: title, Payload: p}
	switch {
	case p == nil:
		one.Missing = NotKept
	case same(p, m.last):
		one.SameAs = m.from
	}
	m.all = append(m.all, one)
}

// step adds the messages of a step.
func (m *messages) step(i int) {
	s := &m.steps[i]
	of := " of " + s.Node
	switch {
	case BehindReply(m.steps, i):
		of += ", behind its early reply" // its input is that of the step before
	case i > 0 || !same(s.Input, m.last):
		m.add("Input"+of, s.Input)
	}
	switch {
	case s.Output != nil:
		m.all = append(m.all, Message{Title: "Output" + of, Payload: s.Output})
		m.last, m.from = s.Output, "the output"+of
	default:
		missing := NotKept
		switch {
		case s.Outcome == "error":
			missing = "none, it failed"
		case m.empty && i == len(m.steps)-1:
			missing = "none, the stream is empty"
		}
		m.all = append(m.all, Message{Title: "Output" + of, Missing: missing})
	}
}

// same reports whether two messages have the same content.
func same(a, b *Payload) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Type == b.Type && a.Size == b.Size && a.Base64 == b.Base64 && a.Note == b.Note && bytes.Equal(a.JSON, b.JSON)
}

// TypeName is the message's type, or that it is not known.
func (p *Payload) TypeName() string { return cmp.Or(p.Type, "a message of unknown type") }

// redacted is in the place of a value that must not be kept.
const redacted = `"[redacted]"`

// Redacted reports whether values of the message were left out, because they must not be kept.
func (p *Payload) Redacted() bool { return bytes.Contains(p.JSON, []byte(redacted)) }
