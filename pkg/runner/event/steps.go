package event

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxSteps is the most entries that a [Steps] has; later ones are left out.
	MaxSteps = 32
	// maxStepsBytes is the longest attribute krtsteps; a longer one is dropped as a whole.
	maxStepsBytes = 5120
	// maxStepNode is the longest name of a node, in bytes: what Kubernetes allows.
	maxStepNode = 63
	// maxDigits limits a number: microseconds of 300 years.
	maxDigits = 16
)

// Outcome is how a handler ended.
type Outcome uint8

// The outcomes. On the wire they are "ok", "error", "exit" and "reply".
const (
	// OutcomeOK is a handler that returned its message.
	OutcomeOK Outcome = iota
	// OutcomeError is a handler that failed, panicked or took too long.
	OutcomeError
	// OutcomeExit is a handler whose message ended the workflow: an early exit.
	OutcomeExit
	// OutcomeReply is a handler that is still running: it has sent the early reply that
	// has this entry. When it ends, there is another entry of the same span.
	OutcomeReply
)

var outcomes = [...]string{OutcomeOK: "ok", OutcomeError: "error", OutcomeExit: "exit", OutcomeReply: "reply"}

// String returns the outcome as the wire has it.
func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return "unknown"
}

// Step is what a runner reports of one run of its node's handler. The clock is the
// node's.
type Step struct {
	// Node is the node's name.
	Node string
	// Start is when the event had arrived at the node's runner, to the microsecond.
	Start time.Time
	// Wait is how long the event then waited for its turn: for a worker, or for a free
	// place. Run is how long the handler ran after that. Both are to the microsecond,
	// and not negative.
	Wait, Run time.Duration
	// SpanID is the span of the handler's run: user spans are its children. It is not
	// zero.
	SpanID [8]byte
	// Outcome is how the handler ended.
	Outcome Outcome
	// Cold is the first event since the process was ready.
	Cold bool
	// Parent is the span that called the node, zero unless the request is sampled: see
	// [Trace.Caller].
	Parent [8]byte
}

// Steps is the value of the attribute krtsteps: what the runners of the nodes that an
// event has passed have reported, first to last. Each entry is
//
//	<node>;<start, unix µs>;<wait, µs>;<run, µs>;<span id, 16 hex digits>;<outcome>[;c][;p<span id>]
//
// where c marks a cold start, and p the span that called the node, of sampled requests
// only; a comma is between two entries. It is untrusted text:
// entries that are not well formed are left out where it is read, and it fails no
// request.
type Steps string

// Append returns s with an entry for step. It returns s itself if it has [MaxSteps]
// entries, or if step cannot be written: its node has no name that a node can have, a
// time is negative, or the span id is zero.
func (s Steps) Append(step Step) Steps {
	if !stepNode(step.Node) {
		return s
	}
	var room [512]byte // of the usual few entries: only the value itself is allocated
	buffer := append(room[:0], s...)
	if len(s) > 0 {
		buffer = append(buffer, ',')
	}
	buffer = step.append(buffer)
	return s.with(Steps(buffer))
}

// Extend returns s with what node reported in after, which is s with the node's entry
// behind it: all else of after is left aside, so that a node reports nothing of others.
func (s Steps) Extend(after Steps, node string) Steps {
	last := string(after[strings.LastIndexByte(string(after), ',')+1:])
	if step, ok := parseStep(last); !ok || step.Node != node {
		return s
	}
	if len(s) == 0 {
		return s.with(Steps(last))
	}
	if len(after) == len(s)+1+len(last) && after[:len(s)] == s {
		return s.with(after) // as all runners do: nothing is copied
	}
	return s.with(s + "," + Steps(last))
}

// with returns longer, which is s with one entry more, if that is within the bounds and
// well formed; else s.
func (s Steps) with(longer Steps) Steps {
	if len(longer) > maxStepsBytes || strings.Count(string(longer), ",") >= MaxSteps {
		return s
	}
	if _, ok := parseStep(string(longer[strings.LastIndexByte(string(longer), ',')+1:])); !ok {
		return s
	}
	return longer
}

// AppendTo appends the entries of s that are well formed to steps, [MaxSteps] at most.
func (s Steps) AppendTo(steps []Step) []Step {
	if len(s) > maxStepsBytes {
		return steps
	}
	for rest, n := string(s), 0; rest != "" && n < MaxSteps; n++ {
		var entry string
		entry, rest, _ = strings.Cut(rest, ",")
		if step, ok := parseStep(entry); ok {
			steps = append(steps, step)
		}
	}
	return steps
}

// Last returns the last entry of s; false if it is not well formed, or there is none.
func (s Steps) Last() (Step, bool) {
	if len(s) > maxStepsBytes {
		return Step{}, false
	}
	return parseStep(string(s[strings.LastIndexByte(string(s), ',')+1:]))
}

// append appends the entry of step to buffer.
func (step *Step) append(buffer []byte) []byte {
	buffer = append(buffer, step.Node...)
	for _, n := range [...]int64{step.Start.UnixMicro(), step.Wait.Microseconds(), step.Run.Microseconds()} {
		buffer = strconv.AppendInt(append(buffer, ';'), n, 10)
	}
	buffer = hex.AppendEncode(append(buffer, ';'), step.SpanID[:])
	buffer = append(append(buffer, ';'), step.Outcome.String()...)
	if step.Cold {
		buffer = append(buffer, ";c"...)
	}
	if step.Parent != [8]byte{} {
		buffer = hex.AppendEncode(append(buffer, ";p"...), step.Parent[:])
	}
	return buffer
}

// parseStep reads one entry; false if it is not well formed. It allocates nothing.
func parseStep(entry string) (step Step, ok bool) {
	var fields [6]string
	for i := range fields {
		fields[i], entry, ok = strings.Cut(entry, ";")
		if !ok && i < len(fields)-1 {
			return Step{}, false
		}
	}
	step.Node = fields[0]
	if !stepNode(step.Node) || !step.readTimes(fields[1], fields[2], fields[3]) || ok && !step.readOptions(entry) {
		return Step{}, false
	}
	if step.SpanID, ok = readSpan(fields[4]); !ok {
		return Step{}, false
	}
	for step.Outcome = 0; int(step.Outcome) < len(outcomes); step.Outcome++ {
		if fields[5] == outcomes[step.Outcome] {
			return step, true
		}
	}
	return Step{}, false
}

// readOptions reads what follows the outcome: c, a parent, or both in this order.
func (step *Step) readOptions(text string) (ok bool) {
	first, rest, both := strings.Cut(text, ";")
	if step.Cold = first == "c"; step.Cold {
		if !both {
			return true
		}
		first, both = rest, false
	}
	if both || !strings.HasPrefix(first, "p") {
		return false
	}
	step.Parent, ok = readSpan(first[1:])
	return ok
}

// maxStepMicros is the longest time of an entry, in microseconds: 100 years, which a
// time.Duration can hold.
const maxStepMicros = 100 * 365 * 24 * int64(time.Hour/time.Microsecond)

// readTimes reads the times; false if one is not well formed.
func (step *Step) readTimes(start, wait, run string) bool {
	began, ok1 := number(start)
	waited, ok2 := number(wait)
	ran, ok3 := number(run)
	if !ok1 || !ok2 || !ok3 || waited > maxStepMicros || ran > maxStepMicros {
		return false
	}
	step.Start = time.UnixMicro(began).UTC()
	step.Wait, step.Run = time.Duration(waited)*time.Microsecond, time.Duration(ran)*time.Microsecond
	return true
}

// readSpan reads a span id; false if it is zero or not 16 lower-case hex digits.
func readSpan(text string) (id [8]byte, ok bool) {
	if len(text) != 2*len(id) || !lowerHex(text) {
		return id, false
	}
	n, err := strconv.ParseUint(text, 16, 64)
	binary.BigEndian.PutUint64(id[:], n)
	return id, err == nil && n != 0
}

// number reads a number without a sign, a leading zero apart from 0 itself, or more
// than maxDigits digits.
func number(text string) (int64, bool) {
	if text == "" || len(text) > maxDigits || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	var n int64
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(text[i]-'0')
	}
	return n, true
}

// stepNode reports whether name can be a node's: lower-case letters, digits and dashes.
func stepNode(name string) bool {
	if name == "" || len(name) > maxStepNode {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Passed is how many handlers have returned a message for the next step.
func (s Steps) Passed() (n int) {
	for _, step := range s.AppendTo(nil) {
		if step.Outcome == OutcomeOK {
			n++
		}
	}
	return n
}
