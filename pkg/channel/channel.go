// Package channel is all that kn-krt knows of kinds of Knative channels: what their responses
// mean, whether the steps behind them are one nested call, how large an event may be, where
// they receive events, and how it shows that they do. Each kind has a file; any other is
// as Knative's contracts say.
package channel

import (
	"net/http"
	"strings"
)

// Group is the API group of Knative's own kinds of channels.
const Group = "messaging.knative.dev"

// Promise is what the 202 of a channel is worth to who sends an event.
type Promise int

// The promises, from the least.
const (
	// Sent: there is no response before all steps have run. An event counts as accepted once it
	// has been sent, and is lost with the channel's process.
	Sent Promise = iota
	// Received: the channel has the event in memory, and it is lost with its process.
	Received
	// Unknown: the channel has the event. Whether it survives is up to the kind, of which
	// kn-krt knows nothing.
	Unknown
	// Stored: the channel has stored the event, and delivers it after a restart of its own.
	Stored
)

// String says what becomes of an accepted event when the channel's process ends.
func (p Promise) String() string {
	switch p {
	case Stored:
		return "events are stored"
	case Unknown:
		return "whether events are stored depends on the kind"
	default:
		return "events are lost when its pods end"
	}
}

// Kind is what kn-krt knows of a kind of channel. [Of] and [Named] find it.
type Kind struct {
	// Name is the kind of its objects, such as "KafkaChannel", and Group their API group.
	Name, Group string
	// Promise is what its 202 means.
	Promise Promise
	// Nested: the response comes after that of the step behind the channel, so that all steps
	// of a Sequence are one nested call, and the timeout of a step covers all later ones.
	Nested bool
	// KeepsResponses: a response of a step takes memory in the channel's process until the timeout of the
	// delivery is over. Without one it does not.
	KeepsResponses bool
	// Async: the kind is InMemoryChannel in its asynchronous mode.
	Async bool
	// Delegates: an object of the kind makes a channel of another kind, and has that kind's
	// properties; see [Became].
	Delegates bool
	// MaxBytes is the largest event as the kind is usually installed, in bytes; 0 for no limit
	// of its own, or none that is known.
	MaxBytes int64
	// Limit names the setting of the kind's system behind MaxBytes.
	Limit string

	unclaimed func(Response) bool // but for what the data plane contract has retried; nil: nothing else
}

// kinds returns the kinds that kn-krt knows. The first is the default.
func kinds() []Kind { return []Kind{memory(), memoryAsync(), delegate(), kafka(), natsJetStream()} }

// Of returns what is known of a kind, by the apiVersion, kind and annotations of an object.
func Of(apiVersion, kind string, annotations map[string]string) Kind {
	group, _, _ := strings.Cut(apiVersion, "/")
	return find(group, kind, async(annotations))
}

// Named returns what is known of a kind by its [Kind.String]; async is [Kind.Async].
func Named(text string, async bool) Kind {
	name, group, found := strings.Cut(text, ".")
	if !found {
		group = Group
	}
	return find(group, name, async)
}

func find(group, name string, async bool) Kind {
	for _, k := range kinds() {
		if k.Group == group && k.Name == name && k.Async == (async && k.asynchronous()) {
			return k
		}
	}
	return other(group, name)
}

// asynchronous reports whether the kind has an asynchronous mode.
func (k Kind) asynchronous() bool { return k.Name == memory().Name && k.Group == memory().Group }

// String is the kind's name, with its group unless it is Knative's: "TestChannel.example.org".
func (k Kind) String() string {
	if k.Group == Group || k.Group == "" {
		return k.Name
	}
	return k.Name + "." + k.Group
}

// Answers reports whether the channel responds on its own, once it has the event: its 202
// says that it is accepted. Otherwise only the end of all steps brings a response.
func (k Kind) Answers() bool { return !k.Nested }

// Response is what a channel has responded with.
type Response struct {
	Status int
	Header http.Header
	// Text is the beginning of the body.
	Text string
}

// Unclaimed reports whether a channel has not accepted the event that it responds to so, and
// is to be sent it again: 404, 408, 409 and 429 (Knative's data plane contract), and 5xx
// where no step can have run before the response.
func (k Kind) Unclaimed(r Response) bool {
	switch r.Status {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	if k.Answers() {
		return r.Status >= 500
	}
	return k.unclaimed != nil && k.unclaimed(r)
}

// TooLarge reports whether the response to an event of so many bytes means that it is too
// large for the channel. Kinds that do not respond with 413 fail to store such an event.
func (k Kind) TooLarge(status int, size int64) bool {
	return status == http.StatusRequestEntityTooLarge || status >= 500 && k.Answers() && k.Exceeds(size)
}

// Exceeds reports whether an event of so many bytes is larger than the kind usually accepts.
func (k Kind) Exceeds(size int64) bool { return k.MaxBytes > 0 && size > k.MaxBytes }
