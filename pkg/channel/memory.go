package channel

import (
	"net/http"
	"strconv"
)

// AsyncAnnotation on an InMemoryChannel makes it respond before it delivers (Knative
// Eventing). The dispatcher reads it once, when the channel has become ready: it must be there from
// the first.
const AsyncAnnotation = Group + "/async-handler"

// Default is the kind of channel that Knative has by itself, and DefaultVersion the apiVersion
// of its objects.
func Default() Kind { return memory() }

// DefaultVersion is the apiVersion of objects of the kind [Default].
const DefaultVersion = Group + "/v1"

// memory is Knative's in-memory channel: it responds after the step and all later ones, and
// keeps nothing.
func memory() Kind {
	return Kind{
		Name: "InMemoryChannel", Group: Group, Promise: Sent, Nested: true, KeepsResponses: true, unclaimed: unknownToDispatcher,
	}
}

// memoryAsync is the same in its asynchronous mode: it responds, and then delivers.
func memoryAsync() Kind {
	return Kind{Name: "InMemoryChannel", Group: Group, Promise: Received, KeepsResponses: true, Async: true}
}

// unknownToDispatcher reports whether r is what Knative's in-memory dispatcher responds with
// to an event of a channel that it does not know: it accepts connections up to a second
// before it knows its channels. The response of a channel itself has the header Allow.
func unknownToDispatcher(r Response) bool {
	return r.Status == http.StatusInternalServerError && r.Text == "" && r.Header.Get("Allow") == ""
}

func async(annotations map[string]string) bool {
	on, err := strconv.ParseBool(annotations[AsyncAnnotation]) // as the dispatcher reads it
	return err == nil && on
}
