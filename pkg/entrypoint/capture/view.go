package capture

import (
	"cmp"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/runner/event"
)

// since returns copies of up to room records from the number on, the number that follows
// them, and how many before them are not kept any more.
func (c *Capture) since(number uint64, room int) (records []slot, next uint64, lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first := c.next - min(c.next, inspection.MaxRequests); number < first {
		number, lost = first, int(first-number)
	}
	for ; number < c.next && len(records) < room; number++ {
		records = append(records, c.slots[number%inspection.MaxRequests].clone())
	}
	return records, number, lost
}

func (s *slot) clone() slot { return slot{*s.Clone(), s.inspected} }

// list returns the kept requests that f selects, newest first.
func (c *Capture) list(f inspection.Filter) []inspection.Request {
	records, _, _ := c.since(0, inspection.MaxRequests)
	selected := []inspection.Request{}
	for _, s := range slices.Backward(records) {
		if r := s.view(); f.Match(&r) {
			selected = append(selected, r)
		}
		if f.Limit > 0 && len(selected) == f.Limit {
			break
		}
	}
	return selected
}

// get returns the request of an id with its messages, nil if none is kept.
func (c *Capture) get(id string) *inspection.Request {
	var found, rest *inspection.Request
	records, _, _ := c.since(0, inspection.MaxRequests)
	for _, s := range records {
		if s.ID != id || id == "" {
			continue
		}
		if r := s.view(); r.Background {
			rest = &r
		} else {
			found = &r
		}
	}
	if found == nil { // the record of the response is older
		found, rest = rest, nil
	}
	if found == nil {
		return nil
	}
	found.Rest = rest
	if r := c.Find(id); r != nil {
		r.show(found)
	}
	return found
}

// maxShown bounds what is shown of one request's messages, in bytes.
const maxShown = 32 << 20

// kept is a copy of what is kept of a request.
type kept struct {
	input, output *message
	steps         []*message
}

// show sets the messages on the steps of a request.
func (r *Request) show(to *inspection.Request) {
	k := r.kept()
	left := maxShown
	show := func(m *message) *inspection.Payload {
		p := r.contract.show(m)
		if p == nil {
			return nil
		}
		left = withhold(p, left)
		return p
	}
	to.Input, to.Output = show(k.input), show(k.output)
	steps := to.Steps
	if to.Rest != nil {
		steps = append(slices.Clip(steps), to.Rest.Steps...)
	}
	for i := range steps {
		s := &steps[i]
		n := r.Node(s.Node)
		if n < 0 {
			continue
		}
		in := k.input
		if n > 0 {
			in = k.steps[n-1]
		}
		s.Input, s.Output = show(in), show(k.steps[n])
		s.Output = returned(s, to, n == len(k.steps)-1)
	}
	if to.Rest != nil {
		copy(to.Rest.Steps, steps[len(to.Steps):])
		copy(to.Steps, steps)
	}
}

// returned is the output of a step whose own is known as far as Output is, or else what the client got
// of it: of the last node's stream, which passes nobody else, the last message.
func returned(s *inspection.Step, of *inspection.Request, last bool) *inspection.Payload {
	switch s.Outcome {
	case event.OutcomeReply.String(): // what it responds with at its end is of a later step
		return of.Output
	case event.OutcomeExit.String():
		return cmp.Or(s.Output, of.Output)
	case event.OutcomeOK.String():
		if last && of.Stream != nil && of.Early == "" {
			return cmp.Or(s.Output, of.Output)
		}
	}
	return s.Output
}

// withhold leaves out what p shows if that is more than what is left of maxShown, and returns
// what is left then.
func withhold(p *inspection.Payload, left int) int {
	if left -= len(p.JSON) + len(p.Base64); left < 0 {
		p.JSON, p.Base64, p.Note = nil, "", "not shown, because the messages are too large together"
	}
	return left
}

func (r *Request) kept() kept {
	r.capture.mu.Lock()
	defer r.capture.mu.Unlock()
	of := func(e *entry) *message {
		if e == nil {
			return nil
		}
		return e.message // never changed, only replaced
	}
	k := kept{input: of(r.input), output: of(r.output)}
	for _, e := range r.steps {
		k.steps = append(k.steps, of(e))
	}
	return k
}

// view is the record as a reader gets it.
func (s *slot) view() inspection.Request {
	r := &s.Record
	v := inspection.Request{
		ID: r.ID, Causation: r.Causation, Workflow: r.Workflow, Method: r.Method, Protocol: string(r.Protocol),
		Begin: r.Begin, DurationMS: milliseconds(r.Elapsed()),
		Code: r.Code.String(), Reason: r.Reason, Node: r.Node, Error: r.Error, Early: string(r.Early),
		Async: r.Async, Background: r.Background, Inspected: s.inspected, TraceID: r.Trace.ID(),
		RequestBytes: r.RequestBytes, ResponseBytes: r.ResponseBytes, Steps: steps(r),
	}
	if r.Streamed {
		v.Stream = &inspection.Stream{Messages: r.Messages, FirstMS: milliseconds(r.UntilFirst())}
	}
	return v
}

func steps(r *record.Record) []inspection.Step {
	all := []inspection.Step{}
	for _, n := range r.NodeTimes() {
		all = append(all, inspection.Step{
			Node: n.Node, StartMS: milliseconds(max(n.Start.Sub(r.Begin), 0)), WaitMS: milliseconds(n.Wait), RunMS: milliseconds(n.Run),
			Outcome: n.Outcome.String(), Cold: n.Cold, Attempts: n.Attempts,
		})
	}
	return all
}

// milliseconds is d to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
