// Package letter is what an entrypoint keeps of a request for later: its result, if no client waits
// for it, and an event that was given up on. Letters are in the store; package letter is their one
// definition, and the client of the store for them.
package letter

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is a kind of letter.
type Kind string

// The kinds.
const (
	// Result is the response, or the failure, of a request that no client waits for. Its ID is the
	// request's correlation id.
	Result Kind = "result"
	// Dead is a dead letter: an event that was given up on. Its ID is that of [DeadID].
	Dead Kind = "dead"
	// Claim says that the dead letter with its ID is being replayed, and who replays it: its CausationID. It is kept in
	// place of none, of one that has expired, and of one of the same CausationID; else it is refused with 409.
	Claim Kind = "claim"
)

// Kinds are all kinds of letters that people read.
func Kinds() []Kind { return []Kind{Result, Dead} }

// Bounds of a letter, in bytes unless it is said otherwise.
const (
	// MaxData bounds Data.
	MaxData = 8 << 20
	// MaxEvent bounds the names and values of Event, together.
	MaxEvent = 64 << 10
	// MaxAttributes is how many of these there may be.
	MaxAttributes = 64
	// MaxStatus bounds the text of a Status.
	MaxStatus = 4 << 10
	// MaxProto bounds the Proto of a Status.
	MaxProto = 64 << 10
	// MaxStep is the largest number of a step.
	MaxStep = 9999
	// MaxReplays is the largest number of replays.
	MaxReplays = 1 << 20

	maxID, maxName, maxMessage = 200, 63, 512
)

// Bounds of how long a letter is kept.
const (
	// DefaultKept is how long it is if its letter does not say.
	DefaultKept = 24 * time.Hour
	// ClaimKept is the same of a claim, which cannot ask for more.
	ClaimKept = time.Minute
	// MaxKept is the longest time for which another letter can ask.
	MaxKept = 366 * 24 * time.Hour
)

// Letter is what is kept of a request. A list has letters without Data.
type Letter struct {
	// Kind and ID name the letter among those of its version.
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
	// Version is whose letter it is: that of the credential with which it was put.
	Version  string `json:"version"`
	Workflow string `json:"workflow"`
	// Node and Step are the node that failed, and its place in the workflow, from 0 on; of a
	// result the last one that is known, or none.
	Node string `json:"node,omitempty"`
	Step int    `json:"step"`
	// Time is when it happened; the store sets it if it is zero.
	Time time.Time `json:"time,omitzero"`
	// Expires is when the letter is gone. If it is zero, a result has [DefaultKept], a claim
	// [ClaimKept], and a dead letter is kept as the store's setting retention-dead-letters says.
	Expires time.Time `json:"expires,omitzero"`
	// Status is why it failed; nil if it did not.
	Status *Status `json:"status,omitempty"`
	// Message is the full name of the message in Data; empty if there is none.
	Message string `json:"message,omitempty"`
	// Event are the attributes of the event, by their names, without Data.
	Event map[string]string `json:"event,omitempty"`
	// Data is the message as it is in an event: the response, or what the failing step has got.
	Data []byte `json:"data,omitempty"`
	// Size is how many bytes Data has, also where a list leaves it out.
	Size int64 `json:"size"`
	// Replays is how often a dead letter was replayed and has failed again.
	Replays int `json:"replays,omitempty"`
	// CausationID is the id of the event, or the request, that has caused this one; it may be empty.
	CausationID string `json:"causation_id,omitempty"`
}

// DeadID is the ID of the dead letter of a step of a request.
func DeadID(correlation string, step int) string { return fmt.Sprintf("%s/%d", correlation, step) }

var (
	idForm   = regexp.MustCompile(`^[A-Za-z0-9_:~.-]+(/[A-Za-z0-9_:~.-]+){0,2}$`)
	nameForm = regexp.MustCompile(`^[a-z0-9]{1,64}$`)
)

// CheckID returns why an ID cannot be one of a letter: it has up to three parts of letters, digits
// and the characters "-", "_", ".", ":" and "~", with a "/" between them, and at most 200 bytes.
func CheckID(id string) error {
	if len(id) > maxID || !idForm.MatchString(id) {
		return fmt.Errorf("id: %.40q is not the id of a letter", id)
	}
	for part := range strings.SplitSeq(id, "/") {
		if part == "." || part == ".." { // they would mean another path
			return fmt.Errorf("id: %.40q is not the id of a letter", id)
		}
	}
	return nil
}

// Check returns why k is not a kind.
func (k Kind) Check() error {
	if k != Result && k != Dead && k != Claim {
		return fmt.Errorf("kind: %.20q is not %s, %s or %s", string(k), Result, Dead, Claim)
	}
	return nil
}

// Check returns why a letter cannot be kept: the first field that is not valid, or beyond its bound.
func (l *Letter) Check() error {
	if err := l.Kind.Check(); err != nil {
		return err
	}
	if err := CheckID(l.ID); err != nil {
		return err
	}
	if err := l.checkTexts(); err != nil {
		return err
	}
	switch {
	case l.Step < 0 || l.Step > MaxStep:
		return fmt.Errorf("step: %d is not between 0 and %d", l.Step, MaxStep)
	case l.Replays < 0 || l.Replays > MaxReplays:
		return fmt.Errorf("replays: %d is not between 0 and %d", l.Replays, MaxReplays)
	case len(l.Data) > MaxData:
		return fmt.Errorf("data: it has %d bytes, the limit is %d", len(l.Data), MaxData)
	}
	if err := l.checkTimes(); err != nil {
		return err
	}
	if err := l.Status.check(); err != nil {
		return err
	}
	return l.checkEvent()
}

func (l *Letter) checkTexts() error {
	for _, one := range []struct {
		name, text string
		most       int
	}{
		{"version", l.Version, maxName}, {"workflow", l.Workflow, maxName}, {"node", l.Node, maxName},
		{"message", l.Message, maxMessage}, {"causation_id", l.CausationID, maxID},
	} {
		if len(one.text) > one.most || !plain(one.text) {
			return fmt.Errorf("%s: it must be text of at most %d bytes, without control characters", one.name, one.most)
		}
	}
	if l.Kind == Claim {
		return l.checkClaim()
	}
	if l.Workflow == "" {
		return errors.New("workflow: missing")
	}
	return nil
}

func (l *Letter) checkClaim() error {
	if l.Data != nil || l.Event != nil || l.Status != nil {
		return errors.New("data: a claim has none, nor an event or a status")
	}
	if l.CausationID == "" {
		return errors.New("causation_id: missing: it says whose claim it is")
	}
	return nil
}

// plain reports whether a text can be kept by every database, and printed on one line.
func plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// checkTimes bounds the times: a database keeps them as 64 bits of nanoseconds since 1970.
func (l *Letter) checkTimes() error {
	for name, t := range map[string]time.Time{"time": l.Time, "expires": l.Expires} {
		if !t.IsZero() && (t.Year() < 1970 || t.Year() > 2200) {
			return fmt.Errorf("%s: the year %d is not between 1970 and 2200", name, t.Year())
		}
	}
	return nil
}

func (l *Letter) checkEvent() error {
	if len(l.Event) > MaxAttributes {
		return fmt.Errorf("event: it has %d attributes, the limit is %d", len(l.Event), MaxAttributes)
	}
	size := 0
	for name, value := range l.Event {
		if !nameForm.MatchString(name) || !plain(value) {
			return fmt.Errorf("event: %.40q is not the name of an attribute, or has a value that is not text", name)
		}
		size += len(name) + len(value)
	}
	if size > MaxEvent {
		return fmt.Errorf("event: its attributes have %d bytes, the limit is %d", size, MaxEvent)
	}
	return nil
}

// Bytes is about how much a letter takes where it is kept: what the limits of a version count.
func (l *Letter) Bytes() int64 {
	n := int64(len(l.ID) + len(l.Workflow) + len(l.Node) + len(l.Message) + len(l.CausationID) + len(l.Data))
	for name, value := range l.Event {
		n += int64(len(name) + len(value))
	}
	if l.Status != nil {
		n += int64(len(l.Status.Code) + len(l.Status.Reason) + len(l.Status.Message) + len(l.Status.Proto))
	}
	return n + overhead
}

// overhead is about what a letter takes besides what is in it.
const overhead = 256

// Count is how many letters of a kind a workflow has.
type Count struct {
	Kind     Kind   `json:"kind"`
	Version  string `json:"version"`
	Workflow string `json:"workflow"`
	Letters  int64  `json:"letters"`
	// Bytes is about what they take.
	Bytes int64 `json:"bytes"`
	// Oldest is when the first of them happened.
	Oldest time.Time `json:"oldest,omitzero"`
}
