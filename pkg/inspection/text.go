package inspection

import (
	"fmt"
	"time"
)

// How is in what way a request got its response, in words; "" if it is the usual one.
func (r *Request) How() string {
	switch {
	case r.Background:
		return "work after the early reply"
	case r.Async:
		return "asynchronous"
	case r.Early == "reply":
		return "early reply"
	case r.Early == "exit":
		return "early exit"
	}
	return ""
}

// Sent is how many messages a stream had, in words; "" if there is no stream.
func (s *Stream) Sent() string {
	switch {
	case s == nil:
		return ""
	case s.Empty():
		return "no messages"
	case s.Messages == 1:
		return "1 message"
	}
	return fmt.Sprintf("%d messages", s.Messages)
}

// Empty reports whether there is a stream, without messages.
func (s *Stream) Empty() bool { return s != nil && s.Messages == 0 }

// UntilFirst is FirstMS as a duration.
func (s *Stream) UntilFirst() time.Duration {
	return time.Duration(s.FirstMS * float64(time.Millisecond))
}

// leastWait is from when on a wait is worth a look, in milliseconds.
const leastWait = 1

// Waited reports whether a step waited for its turn for so long that it is worth a look.
func (s *Step) Waited() bool { return s.WaitMS >= leastWait }

// Notes are what is special about a step, in words.
func (s *Step) Notes() (notes []string) {
	if s.Cold {
		notes = append(notes, "first request")
	}
	if s.Attempts > 1 {
		notes = append(notes, fmt.Sprintf("%d attempts", s.Attempts))
	}
	return notes
}

// NotKept is what is said of a message that an inspected request does not have.
const NotKept = "not kept, or not kept any more"

// AllSteps are the steps until the response and those of the work behind it.
func (r *Request) AllSteps() []Step {
	if r.Rest == nil {
		return r.Steps
	}
	return append(r.Steps[:len(r.Steps):len(r.Steps)], r.Rest.Steps...)
}

// BehindReply reports whether step i of [Request.AllSteps] is the end of a handler that has sent
// an early reply: its node has an earlier step that ends with the reply.
func BehindReply(steps []Step, i int) bool {
	for _, before := range steps[:i] {
		if before.Node == steps[i].Node && before.Outcome == "reply" {
			return true
		}
	}
	return false
}
