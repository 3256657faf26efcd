package event

import (
	"encoding/base64"
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// Keep is what an entrypoint keeps of a request for later.
type Keep string

// What is kept.
const (
	// KeepNothing keeps nothing.
	KeepNothing Keep = ""
	// KeepDead keeps the events that are given up on while no client waits: dead letters. A runner
	// sends one to the path /dead-letter of the reply port in place of its error (see
	// [Event.WriteDead]).
	KeepDead Keep = "1"
	// KeepResult keeps the response to the request too: no client has waited for it from the first.
	KeepResult Keep = "2"
)

// keepAttribute returns what is kept; a value that is not known is nothing.
func keepAttribute(h http.Header) Keep {
	switch keep := Keep(get(h, headerKeep)); keep {
	case KeepDead, KeepResult:
		return keep
	}
	return KeepNothing
}

// maxErrorBytes bounds the status in a dead letter, before base64: with it, the headers of a letter
// must not be too many for a server.
const maxErrorBytes = 4 << 10

// WriteDead sets the headers of e as a dead letter on h: an event on which a runner has given up because
// of a failure. The status is in the attribute krterror, without its details if they are too long.
func (e *Event) WriteDead(h http.Header, failure *status.Status) {
	e.WriteHeader(h)
	raw, err := proto.Marshal(failure)
	if err != nil || len(raw) > maxErrorBytes {
		text := strings.ToValidUTF8(clip.Text(failure.GetMessage(), maxErrorBytes/2), "\uFFFD")
		raw, _ = proto.Marshal(&status.Status{Code: failure.GetCode(), Message: text})
	}
	h[headerError] = []string{base64.StdEncoding.EncodeToString(raw)}
}

// ReadDead returns why a runner has given up on the dead letter with the headers h; nil if it is not a
// runner's, or its status cannot be read.
func ReadDead(h http.Header) *status.Status {
	text := get(h, headerError)
	if text == "" || len(text) > base64.StdEncoding.EncodedLen(maxErrorBytes) {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	failure := &status.Status{}
	if proto.Unmarshal(raw, failure) != nil || failure.GetCode() == 0 {
		return nil
	}
	return failure
}
