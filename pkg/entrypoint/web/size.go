package web

import (
	"bytes"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/runner/event"
)

// sizeError is the error of a message that is too large, which does not change when it is sent again.
type sizeError struct{ text string }

func (e *sizeError) Error() string { return e.text }

// sizeFailure is the failure of a request whose message is too large.
func sizeFailure(text string) *spb.Status {
	return event.Failure{Code: code.Code_RESOURCE_EXHAUSTED, Reason: event.ReasonTooLarge, Text: text}.Status()
}

// sized is the error of a call for why, which is that its message is too large.
func sized(why error) *connect.Error { return connectError(sizeFailure(why.Error()), why) }

// sizeStatus is the HTTP status of a failure because of a message's size: 413 if it is the request's, on the
// way to the first node, 422 if it is what a node has made of that, and 0 for other failures.
func sizeStatus(s *spb.Status) int {
	switch reason, node := failure.Reason(s); {
	case reason != event.ReasonTooLarge:
		return 0
	case node == "":
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusUnprocessableEntity
}

// saysSize reports whether the text of a refusal for want of something is about a size: ours, or the transcoder's own.
func saysSize(refusal []byte) bool {
	for _, mark := range []string{event.LimitNamed, errDense.text, "max buffer size ("} {
		if bytes.Contains(refusal, []byte(mark)) {
			return true
		}
	}
	return false
}
